"""Finds LSTM layers among a model's loops, and makes TensorFlow Lite's op of each.

A loop is an LSTM if its body computes what the op computes (Hochreiter & Schmidhuber 1997, with forget gate), however
a framework writes it: gates from one matrix or from four, biases added anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.loops.counted import counted_loops, drop_unused_graphs
from mcugen.tflite import fields as flat
from mcugen.tflite.counted import CountedLoop
from mcugen.tflite.grafts import Graft
from mcugen.tflite.lstm_operands import CELL, GATES, HIDDEN, LSTM, OPERANDS, TO_BIAS, TO_RECURRENT
from mcugen.tflite.schema import load_schema
from mcugen.tflite.schema_types import ModelT, OperatorT, SubGraphT

Floats = NDArray[np.floating[Any]]
_TANH = 4


@dataclass(frozen=True, eq=False)
class _Sum:
    """A linear function of the step's input and the hidden state: one row per value."""

    of_input: Floats
    of_hidden: Floats
    bias: Floats

    def rows(self, start: int, count: int) -> _Sum:
        parts = (self.of_input, self.of_hidden, self.bias)
        return _Sum(*(part if len(part) == 1 else part[start : start + count] for part in parts))


@dataclass(frozen=True, eq=False)
class _Layer:
    """An LSTM in a loop's body: positions of its variables, and what its gates sum up."""

    source: int
    hidden: int
    cell: int
    gates: dict[str, _Sum]


def fuse_lstm_layers(model: ModelT) -> list[str]:
    """Put the op in place of every loop that is an LSTM, in place; the names of these layers."""
    main = model.subgraphs[0]
    names = []
    for loop in counted_loops(model):
        layer = _Reader(model, loop).layer()
        if layer is not None and (made := _Maker(model, loop, layer).ops()) is not None:
            position = main.operators.index(loop.op)
            main.operators[position : position + 1] = made
            names.append(layer_name(main, loop.op))
    if names:
        drop_unused_graphs(model)
    return names


def layer_name(graph: SubGraphT, loop: OperatorT) -> str:
    """The layer that a loop computes: frameworks call the loop in it "while"."""
    return flat.layer_of_op(graph, loop).removesuffix("/while")


class _Reader:
    """Reads a loop's body backwards from what it gives."""

    def __init__(self, model: ModelT, loop: CountedLoop) -> None:
        self._model, self._loop = model, loop
        self._body: SubGraphT = model.subgraphs[loop.body]
        self._takes, self._gives = flat.ints(self._body.inputs), flat.ints(self._body.outputs)
        self._writers = {i: op for op in self._body.operators for i in flat.ints(op.outputs)}
        self._found: list[int] = []  # positions of the sequences that steps were taken from
        self._hidden = -1

    def layer(self) -> _Layer | None:
        """The LSTM that the body computes, or None."""
        for hidden, new_hidden in enumerate(self._gives):
            for opened, shown in self._factors(new_hidden):
                output_sum, new_cell = self._operand(opened, "LOGISTIC"), self._operand(shown, "TANH")
                if output_sum is None or new_cell not in self._gives:
                    continue
                cell = self._gives.index(new_cell)
                self._found, self._hidden = [], hidden
                gates = self._cell_gates(new_cell, cell)
                if gates is None:
                    continue
                sums = {name: self._linear(i) for name, i in {**gates, "output": output_sum}.items()}
                known = {name: found for name, found in sums.items() if found is not None}
                if len(known) == len(GATES) and len(set(self._found)) == 1:
                    return _Layer(self._found[0], hidden, cell, known)
        return None

    def _cell_gates(self, new_cell: int, cell: int) -> dict[str, int] | None:
        """The sums of the gates that make the new cell: forget · old + input · new."""
        for kept, added in self._terms(new_cell):
            for opened, old in self._factors(kept):
                forget = self._operand(opened, "LOGISTIC")
                if forget is None or old != self._takes[cell]:
                    continue
                for admitted, fresh in self._factors(added):
                    entering, news = self._operand(admitted, "LOGISTIC"), self._operand(fresh, "TANH")
                    if entering is not None and news is not None:
                        return {"forget": forget, "input": entering, "cell": news}
        return None

    def _factors(self, i: int) -> Iterator[tuple[int, int]]:
        return self._either_way(i, "MUL")

    def _terms(self, i: int) -> Iterator[tuple[int, int]]:
        return self._either_way(i, "ADD")

    def _either_way(self, i: int, kind: str) -> Iterator[tuple[int, int]]:
        op = self._writers.get(i)
        if op is not None and self._is(op, kind) and not op.builtinOptions.fusedActivationFunction:
            first, second = flat.ints(op.inputs)
            yield first, second
            yield second, first

    def _operand(self, i: int, kind: str) -> int | None:
        op = self._writers.get(i)
        return flat.ints(op.inputs)[0] if op is not None and self._is(op, kind) else None

    def _is(self, op: OperatorT, kind: str) -> bool:
        return flat.kind_of(self._model, op) == kind

    def _part(self, op: OperatorT, i: int) -> _Sum | None:
        """A sum of one gate that is a part of the sums of all."""
        parts = flat.ints(op.outputs)
        whole = self._linear(flat.ints(op.inputs)[1])
        size = flat.shape_of(self._body.tensors[i])[-1]
        axis = flat.constant(self._model, self._body.tensors[flat.ints(op.inputs)[0]])
        rank = len(flat.shape_of(self._body.tensors[i]))
        if whole is None or axis is None or int(axis.reshape(-1)[0]) % rank != rank - 1:
            return None
        return whole.rows(parts.index(i) * size, size)

    def _linear(self, i: int) -> _Sum | None:
        tensor = self._body.tensors[i]
        constant = flat.constant(self._model, tensor)
        if constant is not None:
            return _Sum(np.zeros((1, 1)), np.zeros((1, 1)), constant.reshape(-1).astype(np.float64))
        op = self._writers.get(i)
        if op is None:
            return None
        if self._is(op, "SPLIT"):
            return self._part(op, i)
        if self._is(op, "RESHAPE"):
            return self._linear(flat.ints(op.inputs)[0])
        if self._is(op, "ADD") and not op.builtinOptions.fusedActivationFunction:
            first, second = (self._linear(j) for j in flat.ints(op.inputs))
            if first is None or second is None:
                return None
            return _Sum(first.of_input + second.of_input, first.of_hidden + second.of_hidden, first.bias + second.bias)
        return self._product(op) if self._is(op, "FULLY_CONNECTED") else None

    def _product(self, op: OperatorT) -> _Sum | None:
        data, weights, bias = (*flat.ints(op.inputs), -1)[:3]
        matrix = flat.constant(self._model, self._body.tensors[weights])
        added = flat.constant(self._model, self._body.tensors[bias]) if bias >= 0 else np.zeros(1, np.float32)
        if op.builtinOptions.fusedActivationFunction or matrix is None or added is None:
            return None
        matrix, added = matrix.astype(np.float64), added.reshape(-1).astype(np.float64)
        while (op_before := self._writers.get(data)) is not None and self._is(op_before, "RESHAPE"):
            data = flat.ints(op_before.inputs)[0]
        if data == self._takes[self._hidden]:
            return _Sum(np.zeros((1, 1)), matrix, added)
        if self._is_step(data):
            return _Sum(matrix, np.zeros((1, 1)), added)
        return None

    def _is_step(self, i: int) -> bool:
        """Whether a tensor is row t of a sequence in round t, in every round."""
        op = self._writers.get(i)
        if op is None or not self._is(op, "GATHER") or int(op.builtinOptions.axis) != 0:
            return False
        sequence, index = flat.ints(op.inputs)
        if sequence not in self._takes:
            return False
        position = self._takes.index(sequence)
        steps = flat.shape_of(self._body.tensors[sequence])[0]
        places = [known[index].reshape(-1).tolist() if index in known else [] for known in self._loop.rounds]
        if self._gives[position] != sequence or places != [[n] for n in range(steps)]:
            return False
        self._found.append(position)
        return True


class _Maker:
    """Writes the op for a layer, and what reads the loop's results."""

    def __init__(self, model: ModelT, loop: CountedLoop, layer: _Layer) -> None:
        self._model, self._loop, self._layer = model, loop, layer
        self._main = model.subgraphs[0]
        self._starts, self._results = flat.ints(loop.op.inputs), flat.ints(loop.op.outputs)

    def ops(self) -> list[OperatorT] | None:
        """None where the loop starts with another state than zeros, or its cell is read afterwards."""
        layer, main = self._layer, self._main
        for position in (layer.hidden, layer.cell):
            start = flat.constant(self._model, main.tensors[self._starts[position]])
            if start is None or start.any():
                return None
        read = {i for op in main.operators for i in flat.ints(op.inputs)} | set(flat.ints(main.outputs))
        wanted = [n for n, i in enumerate(self._results) if i in read and n != layer.source]
        ways = {n: way for n in wanted if (way := self._way(n)) is not None}
        if len(ways) != len(wanted):
            return None
        graft = Graft(self._model, main, layer_name(main, self._loop.op))
        sequence = self._lstm(graft)
        for position, way in ways.items():
            self._give(graft, sequence, position, way)
        if layer.source < len(self._results) and self._results[layer.source] in read:
            return None
        return graft.made

    def _way(self, position: int) -> str | None:
        """How a result follows from the sequence of hidden states: its "last", or "all" of it."""
        if position == self._layer.hidden:
            return "last"
        body = self._model.subgraphs[self._loop.body]
        source, new = flat.ints(body.inputs)[position], flat.ints(body.outputs)[position]
        writers = {i: op for op in body.operators for i in flat.ints(op.outputs)}
        new_hidden = flat.ints(body.outputs)[self._layer.hidden]

        def is_hidden(i: int) -> bool:
            while i != new_hidden:
                op = writers.get(i)
                if op is None or flat.kind_of(self._model, op) != "RESHAPE":
                    return False
                i = flat.ints(op.inputs)[0]
            return True

        if is_hidden(new):
            return "last"
        op = writers.get(new)
        if op is None or flat.kind_of(self._model, op) != "DYNAMIC_UPDATE_SLICE":
            return None
        sequence, row, index = flat.ints(op.inputs)
        places = [known[index].tolist() if index in known else [] for known in self._loop.rounds]
        shape = flat.shape_of(body.tensors[source])
        in_order = places == [[n] + [0] * (len(shape) - 1) for n in range(shape[0])]
        return "all" if sequence == source and is_hidden(row) and in_order else None

    def _lstm(self, graft: Graft) -> int:
        """The op; its output [steps, batches, units]."""
        layer, main = self._layer, self._main
        steps, batches, inputs = flat.shape_of(main.tensors[self._starts[layer.source]])
        units = flat.shape_of(main.tensors[self._starts[layer.hidden]])[-1]
        ids = [-1] * OPERANDS
        ids[0] = self._starts[layer.source]
        for name, at in GATES.items():
            gate = layer.gates[name]
            for position, values, shape in (
                (at, gate.of_input, (units, inputs)),
                (at + TO_RECURRENT, gate.of_hidden, (units, units)),
                (at + TO_BIAS, gate.bias, (units,)),
            ):
                ids[position] = graft.constant(np.broadcast_to(values, shape).astype(np.float32))
        ids[HIDDEN], ids[CELL] = (graft.activation((batches, units), variable=True) for _ in range(2))
        options = load_schema().UnidirectionalSequenceLSTMOptionsT(
            fusedActivationFunction=_TANH, cellClip=0.0, projClip=0.0, timeMajor=True, asymmetricQuantizeInputs=False
        )
        output = graft.activation((steps, batches, units))
        graft.tensors[output].name = graft.name
        return graft.add(LSTM, ids, output, options)

    def _give(self, graft: Graft, sequence: int, position: int, way: str) -> None:
        """Write what the loop gave."""
        schema = load_schema()
        target = self._results[position]
        shape = flat.shape_of(self._main.tensors[target])
        if way == "all":
            values = sequence
        else:
            steps, batches, units = flat.shape_of(self._main.tensors[sequence])
            begin, size = np.array([steps - 1, 0, 0], np.int32), np.array([1, batches, units], np.int32)
            values = graft.add(
                "SLICE",
                [sequence, graft.constant(begin), graft.constant(size)],
                graft.activation((1, batches, units)),
                schema.SliceOptionsT(),
            )
        new_shape = graft.constant(np.array(shape, np.int32))
        graft.add("RESHAPE", [values, new_shape], target, schema.ReshapeOptionsT(newShape=list(shape)))
