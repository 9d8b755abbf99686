"""Cross-layer equalization: channels of very different size share the eight bits of a tensor fairly.

After M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (ICCV 2019),
section 4.1: between two layers with a piecewise linear activation, output channel c of the first may be divided by
any s > 0, and the second layer's weights for it multiplied by s. With r₁ and r₂, the largest weights of the channel
on both sides, s = √(r₁ / r₂) makes both equal.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.quantizer import bias_of, weights_of
from mcugen.tflite import fields as flat
from mcugen.tflite.int8_rules import RULES
from mcugen.tflite.schema import load_schema
from mcugen.tflite.schema_types import ModelT, OperatorT

_ROUNDS = 40
_SETTLED = 1e-3
_MOST = 2.0**24
"""The largest factor between two channels; beyond it float32 itself would lose them."""
_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_CHANNELWISE = ("MAX_POOL_2D", "AVERAGE_POOL_2D", "RELU", "LEAKY_RELU", "PAD", "MEAN", "RESHAPE")


@dataclass(frozen=True)
class _Pair:
    """Two layers by the tensors of their constants. `bias` is None where the first has none."""

    channels: int
    first: int
    first_axis: int
    bias: int | None
    second: int
    second_kind: str


def equalize(model: ModelT, fixed: Collection[int] = ()) -> int:
    """Equalize a float model (`ModelT`) in place.

    The results stay the same but for float32's rounding.

    Args:
        fixed: tensors whose range must not change.

    Returns:
        How many pairs of layers were equalized.
    """
    pairs = list(_pairs(model, fixed))
    for _ in range(_ROUNDS):
        if max((_balance(model, pair) for pair in pairs), default=0.0) < _SETTLED:
            break
    return len(pairs)


def _pairs(model: ModelT, fixed: Collection[int]) -> Iterator[_Pair]:
    main = model.subgraphs[0]
    readers: dict[int, list[OperatorT]] = {}
    for op in main.operators:
        for i in flat.ints(op.inputs):
            readers.setdefault(i, []).append(op)
    kept = {*flat.ints(main.outputs), *fixed}
    for op in main.operators:
        kind = flat.kind_of(model, op)
        if kind not in _WEIGHTED or not _is_linear(op):
            continue
        weights, bias = weights_of(model, op, RULES[kind]), bias_of(op, RULES[kind])
        constants = [i for i in (weights, bias) if i is not None]
        if weights is None or any(_shared(model, i, readers) for i in constants):
            continue
        axis = 3 if kind == "DEPTHWISE_CONV_2D" else 0
        channels = flat.shape_of(main.tensors[weights])[axis]
        second = _next_layer(model, flat.ints(op.outputs)[0], channels, readers, kept)
        if second is None:
            continue
        after = weights_of(model, second, RULES[flat.kind_of(model, second)])
        if after is not None and not _shared(model, after, readers):
            yield _Pair(channels, weights, axis, bias, after, flat.kind_of(model, second))


def _next_layer(
    model: ModelT, i: int, channels: int, readers: dict[int, list[OperatorT]], kept: set[int]
) -> OperatorT | None:
    """The layer that alone reads tensor `i`, perhaps behind ops that keep channels apart and scale with them."""
    main = model.subgraphs[0]
    while i not in kept and len(readers.get(i, [])) == 1:
        op = readers[i][0]
        kind, shape = flat.kind_of(model, op), flat.shape_of(main.tensors[i])
        if flat.ints(op.inputs)[0] != i:
            return None
        if kind in _WEIGHTED:
            depth = flat.shape_of(main.tensors[flat.ints(op.inputs)[1]])
            if kind == "FULLY_CONNECTED":
                return op if depth[1] % channels == 0 else None
            grouped = kind == "CONV_2D" and depth[3] != channels
            return op if shape[-1] == channels and not grouped else None
        if kind not in _CHANNELWISE or not _is_linear(op):
            return None
        if kind != "RESHAPE" and (not shape or shape[-1] != channels):
            return None
        if kind in ("PAD", "MEAN") and _touches_channels(model, op, kind, len(shape)):
            return None
        i = flat.ints(op.outputs)[0]
    return None


def _touches_channels(model: ModelT, op: OperatorT, kind: str, rank: int) -> bool:
    """Whether a PAD or MEAN works along the last axis, or nobody knows."""
    values = flat.constant(model, model.subgraphs[0].tensors[flat.ints(op.inputs)[1]])
    if values is None:
        return True
    if kind == "PAD":
        return bool(values.reshape(-1, 2)[-1].any())
    return (rank - 1) in {int(axis) % rank for axis in values.reshape(-1)}


def _is_linear(op: OperatorT) -> bool:
    """Without a fused activation other than ReLU: what scales with its input."""
    activations = load_schema().ActivationFunctionType
    fused = getattr(op.builtinOptions, "fusedActivationFunction", activations.NONE)
    return fused in (activations.NONE, activations.RELU)


def _shared(model: ModelT, i: int, readers: dict[int, list[OperatorT]]) -> bool:
    """Whether somebody else reads the constant, or its buffer."""
    main = model.subgraphs[0]
    buffer = main.tensors[i].buffer
    return len(readers[i]) > 1 or sum(t.buffer == buffer for t in main.tensors) > 1


def _balance(model: ModelT, pair: _Pair) -> float:
    """Equalize one pair; the largest |ln s|."""
    first, second = _floats(model, pair.first), _floats(model, pair.second)
    columns = _by_channel(second, pair)
    before = np.abs(np.moveaxis(first, pair.first_axis, 0)).reshape(pair.channels, -1).max(axis=1)
    after = np.abs(columns).max(axis=(0, 2))
    alive = (before > 0) & (after > 0)
    factors = np.ones(pair.channels)
    factors[alive] = np.sqrt(before[alive] / after[alive])
    factors[alive] /= np.exp(np.log(factors[alive]).mean()) if alive.any() else 1.0
    factors = np.clip(factors, 1 / _MOST, _MOST)
    shape = [1] * first.ndim
    shape[pair.first_axis] = -1
    _store(model, pair.first, first / factors.reshape(shape))
    if pair.bias is not None:
        bias = _floats(model, pair.bias)
        _store(model, pair.bias, bias / factors.reshape(bias.shape))
    _store(model, pair.second, (columns * factors[:, None]).reshape(second.shape))
    return float(np.abs(np.log(factors)).max())


def _by_channel(weights: NDArray[np.float64], pair: _Pair) -> NDArray[np.float64]:
    """The second layer's weights as (others, input channel, what follows a channel in memory)."""
    if pair.second_kind == "DEPTHWISE_CONV_2D":  # of a multiplier m, outputs c·m … c·m + m − 1 read channel c
        return weights.reshape(math.prod(weights.shape[:3]), pair.channels, -1)
    return weights.reshape(-1, pair.channels, 1)


def _floats(model: ModelT, i: int) -> NDArray[np.float64]:
    values = flat.constant(model, model.subgraphs[0].tensors[i])
    assert values is not None, i
    return values.astype(np.float64)


def _store(model: ModelT, i: int, values: NDArray[np.float64]) -> None:
    data = values.astype("<f4").tobytes()
    model.buffers[model.subgraphs[0].tensors[i].buffer].data = np.frombuffer(data, np.uint8)
