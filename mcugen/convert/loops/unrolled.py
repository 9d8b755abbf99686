"""Unrolls loops and LSTMs, so that every round's tensors can be observed.

The unrolled model computes what the given one does. It is run to calibrate, and is what becomes of a loop where no
runtime has the loop itself in the wanted types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mcugen.convert.loops.counted import counted_loops
from mcugen.convert.loops.lstm_op import LstmOp, parse_lstm
from mcugen.convert.loops.merged import offsets
from mcugen.tflite import fields as flat
from mcugen.tflite.counted import CountedLoop, Values
from mcugen.tflite.grafts import Graft
from mcugen.tflite.lstm_operands import LSTM
from mcugen.tflite.opened import OpenedModel, packed
from mcugen.tflite.schema import load_schema
from mcugen.tflite.schema_types import ModelT, OperatorT, SubGraphT


@dataclass(frozen=True, eq=False)
class Unrolled:
    """A model without loops.

    Attributes:
        seen: by the id of a tensor in the merged graph (:mod:`mcugen.convert.loops.merged`) the ids of what it is in
            the unrolled model, one per round; of constants the id alone.
    """

    model: OpenedModel
    seen: Mapping[int, tuple[int, ...]]


def unroll(given: OpenedModel, *, lstms: bool = True) -> Unrolled:
    """Unroll all loops of a float model.

    Args:
        lstms: unroll LSTM ops as well.

    Raises:
        ConversionError: a loop whose number of rounds is not known.
    """
    model = given.copy()
    main = model.subgraphs[0]
    starts = offsets(model)
    loops = {id(loop.op): loop for loop in counted_loops(model)}
    work = _Work(model, main, {i: [i] for i in range(len(main.tensors))})
    operators: list[OperatorT] = []
    for op in main.operators:
        _read_instead(op, work.instead)
        if id(op) in loops:
            operators += _unroll_loop(work, loops[id(op)], starts)
        elif lstms and flat.kind_of(model, op) == LSTM:
            operators += _unroll_lstm(work, parse_lstm(model, main, op))
        else:
            operators.append(op)
    main.operators = operators
    main.outputs = np.array([work.instead.get(i, i) for i in flat.ints(main.outputs)], np.int32)
    model.subgraphs = [main]
    model.signatureDefs = None
    return Unrolled(packed(model), {i: tuple(ids) for i, ids in work.seen.items()})


@dataclass(frozen=True, eq=False)
class _Work:
    """`instead` names the tensors that others took the place of."""

    model: ModelT
    main: SubGraphT
    seen: dict[int, list[int]]
    instead: dict[int, int] = field(default_factory=dict)


def _read_instead(op: OperatorT, instead: Mapping[int, int]) -> None:
    op.inputs = np.array([instead.get(i, i) for i in flat.ints(op.inputs)], np.int32)


def _unroll_loop(work: _Work, loop: CountedLoop, starts: Sequence[int]) -> list[OperatorT]:
    """The ops of all rounds. `starts` says where the subgraphs' tensors begin in the merged graph."""
    start = starts[loop.body]
    body = work.model.subgraphs[loop.body]
    graft = Graft(work.model, work.main, flat.layer_of_op(work.main, loop.op))
    takes, gives = flat.ints(body.inputs), flat.ints(body.outputs)
    variables = list(flat.ints(loop.op.inputs))
    constants: dict[int, int] = {}
    gathered = _gathered(work.model, body, loop.rounds)
    rows: dict[int, dict[int, int]] = {position: {} for position in gathered}
    for known in loop.rounds:
        here = dict(zip(takes, variables, strict=True))
        for i in takes:
            work.seen.setdefault(start + i, []).append(here[i])

        def place(i: int, here: dict[int, int] = here, known: Values = known) -> int:
            """The tensor of this round."""
            if i < 0:
                return i
            if i in known:
                return graft.constant(known[i])
            if i in here:
                return here[i]
            tensor = body.tensors[i]
            if flat.is_constant(work.model, tensor):
                if i not in constants:
                    work.main.tensors.append(tensor)
                    constants[i] = len(work.main.tensors) - 1
                here[i] = constants[i]
            else:
                here[i] = graft.copy_of(tensor, "round")
                work.seen.setdefault(start + i, []).append(here[i])
            return here[i]

        for op in body.operators:
            outputs = flat.ints(op.outputs)
            if all(i in known for i in outputs):
                continue
            if _is_row(work.model, op, known):
                sequence, index = flat.ints(op.inputs)
                row = _row(graft, place(sequence), int(op.builtinOptions.axis), int(known[index]))
                here[outputs[0]] = row
                work.seen.setdefault(start + outputs[0], []).append(row)
                continue
            position = next((n for n in gathered if gives[n] in outputs), None)
            if position is not None:
                _, values, index = flat.ints(op.inputs)
                rows[position][int(known[index][0])] = place(values)
                work.seen.setdefault(start + gives[position], []).append(place(values))
                continue
            twin = load_schema().OperatorT(opcodeIndex=op.opcodeIndex)
            twin.builtinOptions, twin.builtinOptionsType = op.builtinOptions, op.builtinOptionsType
            twin.inputs = np.array([place(i) for i in flat.ints(op.inputs)], np.int32)
            twin.outputs = np.array([place(i) for i in outputs], np.int32)
            graft.made.append(twin)
        variables = [
            before if n in gathered or i in known else place(i)
            for n, (before, i) in enumerate(zip(variables, gives, strict=True))
        ]
    for n, result in enumerate(flat.ints(loop.op.outputs)):
        last = _joined(graft, [rows[n][k] for k in sorted(rows[n])]) if n in gathered else variables[n]
        work.instead[result] = last
        work.seen[result] = [last]
        if n in gathered:
            work.seen[start + takes[n]] += rows[n].values()
    asks = flat.ints(work.model.subgraphs[loop.condition].inputs)
    for asked, taken in zip(asks, takes, strict=True):
        work.seen[starts[loop.condition] + asked] = work.seen.get(start + taken, [])
    return graft.made


def _is_row(model: ModelT, op: OperatorT, known: Values) -> bool:
    """Whether an op takes one row, or the like, of a known number."""
    if flat.kind_of(model, op) != "GATHER" or op.builtinOptions.batchDims:
        return False
    index = flat.ints(op.inputs)[1]
    return index in known and known[index].ndim == 0


def _row(graft: Graft, sequence: int, axis: int, number: int) -> int:
    """A row without its axis. By SLICE, since GATHER has no int16 form in TensorFlow Lite Micro."""
    schema = load_schema()
    shape = list(flat.shape_of(graft.tensors[sequence]))
    begin, size = [0] * len(shape), list(shape)
    begin[axis], size[axis] = number, 1
    ends = [graft.constant(np.array(values, np.int32)) for values in (begin, size)]
    cut = graft.add("SLICE", [sequence, *ends], graft.activation(tuple(size)), schema.SliceOptionsT())
    rest = (*shape[:axis], *shape[axis + 1 :])
    target = graft.constant(np.array(rest, np.int32))
    return graft.add("RESHAPE", [cut, target], graft.activation(rest), schema.ReshapeOptionsT(newShape=list(rest)))


def _gathered(model: ModelT, body: SubGraphT, rounds: Sequence[Values]) -> set[int]:
    """Positions of the variables that only gather rows, all of them by the end."""
    takes, gives = flat.ints(body.inputs), flat.ints(body.outputs)
    found = set()
    for position, (source, output) in enumerate(zip(takes, gives, strict=True)):
        writers = [op for op in body.operators if output in flat.ints(op.outputs)]
        readers = [op for op in body.operators if source in flat.ints(op.inputs)]
        if len(writers) != 1 or readers != writers or flat.kind_of(model, writers[0]) != "DYNAMIC_UPDATE_SLICE":
            continue
        index = flat.ints(writers[0].inputs)[2]
        places = [known[index].tolist() for known in rounds if index in known]
        height = flat.shape_of(body.tensors[source])[0]
        row = flat.shape_of(body.tensors[flat.ints(writers[0].inputs)[1]])
        whole = (1, *flat.shape_of(body.tensors[source])[1:])
        if row == whole and sorted(p[0] for p in places) == list(range(height)) and not any(any(p[1:]) for p in places):
            found.add(position)
    return found


def _joined(graft: Graft, rows: list[int]) -> int:
    """[1, …] each, one after the other: [rows, …]. By PACK, since CONCATENATION takes ten in TensorFlow Lite Micro."""
    schema = load_schema()
    shape = flat.shape_of(graft.tensors[rows[0]])
    whole = (len(rows), *shape[1:])
    packed_rows = graft.add(
        "PACK", rows, graft.activation((len(rows), *shape)), schema.PackOptionsT(valuesCount=len(rows), axis=0)
    )
    target = graft.constant(np.array(whole, np.int32))
    return graft.add(
        "RESHAPE", [packed_rows, target], graft.activation(whole), schema.ReshapeOptionsT(newShape=list(whole))
    )


def _unroll_lstm(work: _Work, lstm: LstmOp) -> list[OperatorT]:
    """Hochreiter & Schmidhuber 1997 with the forget gate of Gers 1999, as the op's reference computes it."""
    schema = load_schema()
    graft = Graft(work.model, work.main, flat.layer_of_op(work.main, lstm.op))
    axis = 0 if lstm.time_major else 1
    shape = (lstm.batches, lstm.units)
    gate_options = schema.FullyConnectedOptionsT()
    add, multiply = schema.AddOptionsT(), schema.MulOptionsT()
    hidden = cell = graft.constant(np.zeros(shape, np.float32))
    outputs: list[int] = []
    work.seen[lstm.hidden], work.seen[lstm.cell] = [], []
    for step in range(lstm.steps):
        x = _row(graft, lstm.source, axis, step)
        sums = {}
        for gate, (weights, recurrent, bias) in lstm.gates.items():
            from_input = graft.add("FULLY_CONNECTED", [x, weights, bias], graft.activation(shape), gate_options)
            from_hidden = graft.add("FULLY_CONNECTED", [hidden, recurrent, -1], graft.activation(shape), gate_options)
            sums[gate] = graft.add("ADD", [from_input, from_hidden], graft.activation(shape), add)
        opened = {g: graft.add("LOGISTIC", [sums[g]], graft.activation(shape)) for g in ("input", "forget", "output")}
        news = graft.add("TANH", [sums["cell"]], graft.activation(shape))
        kept = graft.add("MUL", [opened["forget"], cell], graft.activation(shape), multiply)
        added = graft.add("MUL", [opened["input"], news], graft.activation(shape), multiply)
        cell = _clipped(graft, graft.add("ADD", [kept, added], graft.activation(shape), add), lstm.cell_clip)
        shown = graft.add("TANH", [cell], graft.activation(shape))
        hidden = graft.add("MUL", [opened["output"], shown], graft.activation(shape), multiply)
        outputs.append(hidden)
        work.seen[lstm.cell].append(cell)
        work.seen[lstm.hidden].append(hidden)
    graft.add("PACK", outputs, lstm.output, schema.PackOptionsT(valuesCount=len(outputs), axis=axis))
    return graft.made


def _clipped(graft: Graft, values: int, limit: float) -> int:
    if limit <= 0:
        return values
    schema, shape = load_schema(), flat.shape_of(graft.tensors[values])
    for kind, bound in (("MINIMUM", limit), ("MAXIMUM", -limit)):
        end = graft.constant(np.array(bound, np.float32))
        values = graft.add(kind, [values, end], graft.activation(shape), schema.MaximumMinimumOptionsT())
    return values


def drop_zeros(model: ModelT) -> None:
    """Leave out of an unrolled model, in place, what a first round computes with states that are still zero.

    Products with zeros are zeros, sums with zeros what is added to them. No scale fits a tensor of zeros.
    """
    main = model.subgraphs[0]
    instead: dict[int, int] = {}
    kept: list[OperatorT] = []
    for op in main.operators:
        _read_instead(op, instead)
        kind, inputs, outputs = flat.kind_of(model, op), flat.ints(op.inputs), flat.ints(op.outputs)
        zeros = [i for i in inputs if i >= 0 and kind in _LINEAR and _is_zero(model, main, i)]
        other = next((i for i in inputs if i not in zeros), None)
        shape = flat.shape_of(main.tensors[outputs[0]]) if outputs else ()
        fused = kind != "FULLY_CONNECTED" and kind in _LINEAR and op.builtinOptions.fusedActivationFunction
        unbiased = kind == "FULLY_CONNECTED" and inputs[0] in zeros and inputs[2:] in ((), (-1,))
        if (kind == "MUL" and zeros and not fused) or unbiased:
            instead[outputs[0]] = Graft(model, main, "zeros").constant(np.zeros(shape, np.float32))
        elif (
            kind == "ADD" and zeros and other is not None and flat.shape_of(main.tensors[other]) == shape and not fused
        ):
            instead[outputs[0]] = other
        else:
            kept.append(op)
    main.operators = kept
    main.outputs = np.array([instead.get(i, i) for i in flat.ints(main.outputs)], np.int32)


_LINEAR = ("MUL", "ADD", "FULLY_CONNECTED")


def _is_zero(model: ModelT, graph: SubGraphT, i: int) -> bool:
    value = flat.constant(model, graph.tensors[i])
    return value is not None and value.dtype == np.float32 and not value.any()
