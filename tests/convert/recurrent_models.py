"""Float models with recurrent layers, as frameworks' converters write them: a WHILE over the steps. No TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.tflite.schema import pack_model
from tests.convert.float_models import FloatModel, S, dense

Floats = NDArray[np.float32]
STEPS, FEATURES, UNITS = 12, 3, 5


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)), np.float32)


@dataclass
class Weights:
    """Of one layer with so many gates: [gates · units, …], seeded."""

    gates: int
    seed: int = 3
    of_input: Floats = field(init=False)
    of_hidden: Floats = field(init=False)
    bias: Floats = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        rows = self.gates * UNITS
        self.of_input = rng.normal(size=(rows, FEATURES)).astype(np.float32)
        self.of_hidden = (rng.normal(size=(rows, UNITS)) * 0.6).astype(np.float32)
        self.bias = (rng.normal(size=rows) * 0.3).astype(np.float32)


class Loop:
    """A WHILE in the making: `body` and `condition` are subgraphs of `main`'s model.

    The loop counts a variable from 0 to `steps`. Other variables follow by `variable`.
    """

    def __init__(self, main: FloatModel, steps: int, *, start: int = 0, by: int = 1) -> None:
        self.main, self.body, self.condition = main, FloatModel(), FloatModel()
        for part in (self.body, self.condition):
            part.buffers, part.codes = main.buffers, main.codes
        self._starts = [main.constant(np.array(start, np.int32), np.int32)]
        self.count = self.body.input((), "INT32", "count")
        judged = self.condition.input((), "INT32", "count")
        limit = self.condition.constant(np.array(steps, np.int32), np.int32)
        self._answer = self.condition.op("LESS", [judged, limit], (), dtype="BOOL", options=S.LessOptionsT())
        one = self.body.constant(np.array(by, np.int32), np.int32)
        self.next_count = self.body.op("ADD", [self.count, one], (), dtype="INT32", options=S.AddOptionsT())
        self._gives = {self.count: self.next_count}

    def variable(self, start: int) -> int:
        """A variable that begins as a tensor of `main`; its id in the body."""
        shape = tuple(int(d) for d in self.main.tensors[start].shape)
        self._starts.append(start)
        self.condition.input(shape)
        made = self.body.input(shape, name=f"variable{len(self._starts)}")
        self._gives[made] = made
        return made

    def give(self, variable: int, value: int) -> None:
        self._gives[variable] = value

    def until(self, answer: int) -> None:
        """Another condition."""
        self._answer = answer

    def step_of(self, sequence: int) -> int:
        shape = tuple(int(d) for d in self.body.tensors[sequence].shape)
        return int(self.body.op("GATHER", [sequence, self.count], shape[1:], options=S.GatherOptionsT(axis=0)))

    def end(self) -> list[int]:
        """Put the op into `main`; the results, in the order of the variables."""
        options = S.WhileOptionsT(condSubgraphIndex=1, bodySubgraphIndex=2)
        shapes = [tuple(int(d) for d in self.body.tensors[i].shape) for i in self._gives]
        made = self.main.op("WHILE", self._starts, *shapes, options=options, name="layer/while")
        self.main.tensors[made[0]].type = S.TensorType.INT32
        return list(made[1:])

    def build(self, *outputs: int) -> bytes:
        model = self.main.model(list(outputs))
        for part, name, answers in (
            (self.condition, "condition", [self._answer]),
            (self.body, "body", list(self._gives.values())),
        ):
            graph = S.SubGraphT(tensors=part.tensors, operators=part.ops, name=name)
            graph.inputs, graph.outputs = np.array(part.inputs, np.int32), np.array(answers, np.int32)
            model.subgraphs.append(graph)
        return pack_model(model)


def joined_row(body: FloatModel, sequence: int, row: int, number: int, after: int) -> int:
    """A row written into a sequence as Keras' lists become: what is before it, the row, and what is behind."""
    shape = tuple(int(d) for d in body.tensors[sequence].shape)

    def vector(scalar: int, rest: int) -> int:
        one = body.op("RESHAPE", [scalar, body.constant([1], np.int32)], (1,), dtype="INT32")
        others = body.constant([rest] * (len(shape) - 1), np.int32)
        options = S.ConcatenationOptionsT(axis=0)
        return int(body.op("CONCATENATION", [one, others], (len(shape),), dtype="INT32", options=options))

    zeros, rest = body.constant([0] * len(shape), np.int32), body.constant([-1] * len(shape), np.int32)
    piece = (1,) * len(shape)  # converters do not know the pieces' shapes
    before = body.op("SLICE", [sequence, zeros, vector(number, -1)], piece, options=S.SliceOptionsT())
    behind = body.op("SLICE", [sequence, vector(after, 0), rest], piece, options=S.SliceOptionsT())
    options = S.ConcatenationOptionsT(axis=0)
    return int(body.op("CONCATENATION", [before, row, behind], shape, options=options))


Cell = Callable[[Loop, int], int]
"""Adds a layer's body for the step's input [1, features]; its new hidden state [1, units]."""


def gate_sums(body: FloatModel, x: int, hidden: int, weights: Weights, way: str) -> list[int]:
    """The sums of all gates: from one matrix that is split ("joined"), or from a matrix for each ("apart").

    "added" splits the sums before biases are added.
    """
    shape = (1, UNITS)
    if way == "apart":
        sums = []
        for n in range(weights.gates):
            rows = slice(n * UNITS, (n + 1) * UNITS)
            first = dense(body, x, weights.of_input[rows], weights.bias[rows])
            second = dense(body, hidden, weights.of_hidden[rows])
            sums.append(int(body.op("ADD", [first, second], shape, options=S.AddOptionsT())))
        return sums
    whole = (1, weights.gates * UNITS)
    first, second = dense(body, x, weights.of_input), dense(body, hidden, weights.of_hidden)
    total = body.op("ADD", [second, first], whole, options=S.AddOptionsT())
    if way != "added":
        total = body.op("ADD", [total, body.constant(weights.bias)], whole, options=S.AddOptionsT())
    axis = body.constant(np.array(1, np.int32), np.int32)
    options = S.SplitOptionsT(numSplits=weights.gates)
    parts = list(body.op("SPLIT", [axis, total], *[shape] * weights.gates, options=options))
    if way != "added":
        return parts
    biases = [body.constant(bias[None]) for bias in np.split(weights.bias, weights.gates)]
    return [
        int(body.op("ADD", [part, bias], shape, options=S.AddOptionsT()))
        for part, bias in zip(parts, biases, strict=True)
    ]


def lstm_cell(
    loop: Loop,
    x: int,
    hidden: int,
    cell: int,
    weights: Weights,
    *,
    way: str = "joined",
    shown: str = "TANH",
    swap: bool = False,
) -> int:
    """Keras' order of gates: input, forget, cell, output. `swap` changes the factors of all products."""
    body, shape = loop.body, (1, UNITS)

    def product(a: int, b: int) -> int:
        return int(body.op("MUL", [b, a] if swap else [a, b], shape, options=S.MulOptionsT()))

    def activation(kind: str, a: int) -> int:
        return int(body.op(kind, [a], shape))

    i, f, g, o = gate_sums(body, x, hidden, weights, way)
    kept = product(activation("LOGISTIC", f), cell)
    added = product(activation("LOGISTIC", i), activation("TANH", g))
    new_cell = int(body.op("ADD", [added, kept] if swap else [kept, added], shape, options=S.AddOptionsT()))
    new_hidden = product(activation("LOGISTIC", o), activation(shown, new_cell))
    loop.give(cell, new_cell)
    loop.give(hidden, new_hidden)
    return new_hidden


def gru_cell(loop: Loop, x: int, hidden: int, weights: Weights) -> int:
    """h ← z · h + (1 − z) · tanh(W x + r · (R h)), reset after the product, without bias on the state."""
    body, shape = loop.body, (1, UNITS)
    size = slice(0, 2 * UNITS)
    gates = Weights(2, weights.seed)
    gates.of_input, gates.of_hidden, gates.bias = weights.of_input[size], weights.of_hidden[size], weights.bias[size]
    z, r = (int(body.op("LOGISTIC", [s], shape)) for s in gate_sums(body, x, hidden, gates, "joined"))
    last = slice(2 * UNITS, 3 * UNITS)
    from_hidden = dense(body, hidden, weights.of_hidden[last])
    from_input = dense(body, x, weights.of_input[last], weights.bias[last])
    reset = body.op("MUL", [r, from_hidden], shape, options=S.MulOptionsT())
    total = body.op("ADD", [from_input, reset], shape, options=S.AddOptionsT())
    fresh = body.op("TANH", [total], shape)
    rest = body.op("SUB", [body.constant(np.array(1, np.float32)), z], shape, options=S.SubOptionsT())
    kept = body.op("MUL", [z, hidden], shape, options=S.MulOptionsT())
    added = body.op("MUL", [rest, fresh], shape, options=S.MulOptionsT())
    new = int(body.op("ADD", [kept, added], shape, options=S.AddOptionsT()))
    loop.give(hidden, new)
    return new


def simple_cell(loop: Loop, x: int, hidden: int, weights: Weights) -> int:
    (total,) = gate_sums(loop.body, x, hidden, weights, "apart")
    new = int(loop.body.op("TANH", [total], (1, UNITS)))
    loop.give(hidden, new)
    return new


def recurrent(kind: str, *, sequences: bool = False, start: float = 0.0, head: bool = True, **twists: Any) -> bytes:
    """x [1, steps, features] → an LSTM, GRU or simple layer → its last state or all → softmax over 4.

    Args:
        sequences: the layer gives all its states.
        start: value of the states at the beginning.
        head: False ends with what the layer gives.
        twists: of `lstm_cell`.
    """
    main = FloatModel()
    x = main.input((1, STEPS, FEATURES))
    order = main.constant([STEPS, 1, FEATURES], np.int32)
    rows = main.op("RESHAPE", [x, order], (STEPS, 1, FEATURES), options=S.ReshapeOptionsT())
    loop = Loop(main, STEPS)
    state = main.constant(np.full((1, UNITS), start, np.float32))
    gathers = main.constant(np.zeros((STEPS if sequences else 1, 1, UNITS), np.float32))
    gathered, hidden = loop.variable(gathers), loop.variable(state)
    cell = loop.variable(state) if kind == "lstm" else -1
    step = loop.step_of(loop.variable(rows))
    weights = Weights({"lstm": 4, "gru": 3, "simple": 1}[kind])
    if kind == "lstm":
        new = lstm_cell(loop, step, hidden, cell, weights, **twists)
    else:
        new = {"gru": gru_cell, "simple": simple_cell}[kind](loop, step, hidden, weights)
    row = loop.body.op("RESHAPE", [new, loop.body.constant([1, 1, UNITS], np.int32)], (1, 1, UNITS))
    loop.give(gathered, joined_row(loop.body, gathered, row, loop.count, loop.next_count) if sequences else row)
    results = loop.end()
    count = STEPS if sequences else 1
    flat = main.op("RESHAPE", [results[0], main.constant([1, count * UNITS], np.int32)], (1, count * UNITS))
    if not head:
        return loop.build(flat)
    logits = dense(main, flat, np.random.default_rng(9).normal(size=(4, count * UNITS)))
    return loop.build(main.op("SOFTMAX", [logits], (1, 4), options=S.SoftmaxOptionsT(beta=1.0)))


def states(kind: str, x: Floats, start: float = 0.0) -> Floats:
    """What the layer gives for x [steps, features], all its states [steps, units], by its definition."""
    weights = Weights({"lstm": 4, "gru": 3, "simple": 1}[kind])
    hidden = cell = np.full(UNITS, start, np.float32)
    found = []
    for step in x:
        of_input = np.split(weights.of_input @ step + weights.bias, weights.gates)
        of_hidden = np.split(weights.of_hidden @ hidden, weights.gates)
        if kind == "lstm":
            i, f, g, o = (a + b for a, b in zip(of_input, of_hidden, strict=True))
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
            hidden = sigmoid(o) * np.tanh(cell)
        elif kind == "gru":
            z, r = (sigmoid(a + b) for a, b in zip(of_input[:2], of_hidden[:2], strict=True))
            hidden = z * hidden + (1 - z) * np.tanh(of_input[2] + r * of_hidden[2])
        else:
            hidden = np.tanh(of_input[0] + of_hidden[0])
        found.append(hidden)
    return np.array(found, np.float32)


def inputs(count: int, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, STEPS, FEATURES)).astype(np.float32)
