"""Ops that keep a state between inferences, and ops that run subgraphs."""

from __future__ import annotations

import numpy as np

from mcugen.errors import ModelError
from mcugen.reference.activations import logistic_f32, sigmoid_16, tanh_16
from mcugen.reference.arithmetic import Ints, factor, saturated, scale_by, scale_wide_by, wrap
from mcugen.reference.node import Array, Node, op

# ---- SVDF


def _activated_f32(values: Array, activation: int) -> Array:
    """Like no other op it has no clamp without an activation, and makes numbers of NaN."""
    if activation == 4:
        return np.tanh(values).astype(np.float32)
    if activation == 5:
        return np.signbit(values).astype(np.float32)
    low, high = {1: (0.0, np.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}.get(activation, (None, None))
    if low is None or high is None:
        return values
    below = np.where(values < high, values, np.float32(high))
    return np.where(below > low, below, np.float32(low)).astype(np.float32)


@op("SVDF")
def svdf(node: Node) -> Array:
    """Every filter's newest feature joins its memory, which is weighed over time; a unit has `rank` filters."""
    source, features, times, state = node.value(0), node.value(1), node.value(2), node.states[4]
    batches, (filters, memory) = len(source), times.shape
    rank = int(node.option("rank"))
    kept = state.reshape(batches, filters, memory)
    kept[:, :, :-1] = kept[:, :, 1:].copy()
    if node.is_float:
        newest = np.zeros((batches, filters), np.float32)
        for k in range(source.shape[1]):
            newest += source[:, k, None] * features[None, :, k]
        kept[:, :, -1] = newest
        weighed = np.zeros((batches, filters), np.float32)
        for k in range(memory):
            weighed += kept[:, :, k] * times[None, :, k]
        bias = node.optional(3)
        units = np.zeros((batches, filters // rank), np.float32) + (0 if bias is None else bias)
        for k in range(rank):
            units = units + weighed.reshape(batches, -1, rank)[:, :, k]
        return _activated_f32(units.astype(np.float32), int(node.option("fusedActivationFunction")))
    sums = node.centred(0) @ features.astype(np.int64).T
    scales = node.tensor(0).scale * node.tensor(1).scale, node.tensor(2).scale
    scaled = scale_by(wrap(sums), *factor(scales[0] / node.tensor(4).scale))
    low, high = (int(n) for n in (np.iinfo(state.dtype).min, np.iinfo(state.dtype).max))
    zero = node.tensor(4).zero_point
    kept[:, :, -1] = wrap(np.clip(scaled, low, high) + zero, 8 * state.dtype.itemsize).astype(state.dtype)
    products = (kept.astype(np.int64) - zero) * times.astype(np.int64)
    total = products.sum(axis=2).reshape(batches, -1, rank).sum(axis=2) + node.value(3).astype(np.int64)
    result = scale_by(wrap(total), *factor(node.tensor(4).scale * scales[1] / node.output.scale))
    return saturated(result + node.output.zero_point, np.dtype(np.int8))


# ---- LSTM

_INPUT, _FORGET, _CELL, _OUTPUT = range(4)
_HIDDEN_STATE, _CELL_STATE = 18, 19


def _time_first(values: Array, node: Node) -> Array:
    return values if node.option("timeMajor") else np.swapaxes(values, 0, 1)


@op("UNIDIRECTIONAL_SEQUENCE_LSTM")
def lstm(node: Node) -> Array:
    """Weights of the input are operands 1 to 4, of the hidden state 5 to 8, biases 12 to 15."""
    if any(node.optional(n) is not None for n in (9, 10, 11, 16, 17)):
        raise ModelError("UNIDIRECTIONAL_SEQUENCE_LSTM: peepholes and projection are not supported")
    hidden, cell = node.states[_HIDDEN_STATE], node.states[_CELL_STATE]
    source = _time_first(node.value(0), node)
    step = _step_f32 if node.is_float else _step
    units = len(node.value(2))
    h, c = hidden.reshape(-1, units).copy(), cell.reshape(-1, units).copy()
    made = []
    for x in source:
        h, c = step(node, x, h, c)
        made.append(h)
    hidden[...], cell[...] = h.reshape(hidden.shape), c.reshape(cell.shape)
    return _time_first(np.stack(made), node)


def _step_f32(node: Node, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    most = np.finfo(np.float32).max

    def products(values: Array, weights: Array) -> Array:
        total = np.zeros((len(values), len(weights)), np.float32)
        for k in range(weights.shape[1]):
            total += values[:, k, None] * weights[None, :, k]
        return total

    def gate(n: int) -> Array:
        from_input = np.clip(products(x, node.value(1 + n)) + node.value(12 + n), -most, most)
        return from_input + np.clip(products(h, node.value(5 + n)), -most, most)

    c = logistic_f32(gate(_FORGET)) * c + logistic_f32(gate(_INPUT)) * np.tanh(gate(_CELL))
    clip = np.float32(node.option("cellClip"))
    if clip > 0:
        below = np.where(c < clip, c, clip)
        c = np.where(below < -clip, -clip, below)
    return (np.tanh(c) * logistic_f32(gate(_OUTPUT))).astype(np.float32), c.astype(np.float32)


def _step(node: Node, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    source, hidden, cell = node.tensor(0), node.tensor(_HIDDEN_STATE), node.tensor(_CELL_STATE)
    by = scale_by if x.dtype == np.int8 else scale_wide_by
    short = np.dtype(np.int16)

    def part(values: Ints, weights: int, scale: float, bias: int | None) -> Ints:
        sums = values @ node.value(weights).astype(np.int64).T
        if bias is not None:
            sums = sums + node.value(bias).astype(np.int64)
        sums = wrap(sums) if by is scale_by else sums
        scaled = by(sums, *factor(scale * node.tensor(weights).scale / 2.0**-12))
        return saturated(scaled, short).astype(np.int64)

    def gate(n: int) -> Ints:
        from_input = part(x.astype(np.int64) - source.zero_point, 1 + n, source.scale, 12 + n)
        from_hidden = part(h.astype(np.int64) - hidden.zero_point, 5 + n, hidden.scale, None)
        return saturated(from_input + from_hidden, short).astype(np.int64)

    def sigmoid(values: Ints) -> Ints:
        return np.clip(sigmoid_16(values, 3, 0), -32768, 32767)

    remembered = saturated(
        scale_by(sigmoid(gate(_FORGET)) * c.astype(np.int64), *factor(2.0**-15 * cell.scale / cell.scale)), short
    )
    added = saturated(
        scale_by(
            sigmoid(gate(_INPUT)) * np.clip(tanh_16(gate(_CELL), 3, 0), -32768, 32767), *factor(2.0**-30 / cell.scale)
        ),
        short,
    )
    c = saturated(remembered.astype(np.int64) + added, short)
    clip = float(np.float32(node.option("cellClip")))
    if clip > 0:
        most = int(min(max(clip / cell.scale, -32768.0), 32767.0))
        c = np.clip(c, -most, most).astype(np.int16)
    squashed = np.clip(tanh_16(c.astype(np.int64), *_cell_factor(cell.scale)), -32768, 32767)
    value = scale_by(squashed * sigmoid(gate(_OUTPUT)), *factor(2.0**-30 / hidden.scale))
    return saturated(value + hidden.zero_point, h.dtype), c


def _cell_factor(scale: float) -> tuple[int, int]:
    """Of the cell, for its tanh: 3 · 2^n of a scale 2^(n − 12), from n = 0 on; below, 3 and a shift to the right."""
    power = round(float(np.log2(np.float32(scale)))) + 12
    return (3 << power, 0) if power >= 0 else (3, -power)


# ---- resource variables and control flow


@op("VAR_HANDLE")
def var_handle(node: Node) -> Array:
    """A handle is the variable's name; equal names are one variable, in whichever subgraph."""
    handle = np.empty((), object)
    handle[()] = (node.option("container", None) or b"", node.option("sharedName", None) or b"")
    return handle


@op("READ_VARIABLE")
def read_variable(node: Node) -> Array:
    """Before anything was assigned: bytes are the zero point, other numbers 0."""
    output = node.output
    found = node.variables.get(node.value(0).item())
    if found is not None:
        return found
    zero = output.zero_point if output.dtype.itemsize == 1 and output.quant is not None else 0
    return np.full(output.shape, zero, output.dtype.numpy)


@op("ASSIGN_VARIABLE")
def assign_variable(node: Node) -> list[Array]:
    node.variables[node.value(0).item()] = node.value(1).copy()
    return []


@op("CALL_ONCE")
def call_once(node: Node) -> list[Array]:
    """Runs when a model starts, which the interpreter sees to."""
    return []


@op("IF")
def if_(node: Node) -> list[Array]:
    taken = node.option("thenSubgraphIndex") if node.value(0).reshape(-1)[0] else node.option("elseSubgraphIndex")
    return node.call(int(taken), [v for v in node.values[1:] if v is not None])


@op("WHILE")
def while_(node: Node) -> list[Array]:
    values = [v for v in node.values if v is not None]
    while node.call(int(node.option("condSubgraphIndex")), values)[0].reshape(-1)[0]:
        values = node.call(int(node.option("bodySubgraphIndex")), values)
    return values
