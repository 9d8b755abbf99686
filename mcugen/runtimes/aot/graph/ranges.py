"""Interval arithmetic over channels: between which limits every channel of every tensor stays, whatever the input.

A channel is a slice along a tensor's last axis. The limits are safe, not tight: a channel whose two limits are equal
always holds that value, in every element.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcugen import ops
from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.numerics.fixed_point import requantize
from mcugen.numerics.quantized import INT8_MAX, INT8_MIN, activation_range, quantize_multiplier
from mcugen.ops import windows, with_weights
from mcugen.ops.rows import mean

POOLS = frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D"})
RESHAPES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})


@dataclass(frozen=True, eq=False)
class Limits:
    """Lowest and highest value of every channel, both int64[channels]."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Which channels never change."""
        fixed: NDArray[np.bool_] = self.low == self.high
        return fixed

    def tiled(self, channels: int) -> Limits:
        """The limits repeated until there are `channels` of them."""
        times = channels // len(self.low)
        return Limits(np.tile(self.low, times), np.tile(self.high, times))


def has_channels(tensor: Tensor) -> bool:
    """Whether limits say anything about a tensor: int8 with a last axis."""
    return tensor.dtype is DType.INT8 and len(tensor.shape) > 0 and tensor.elements > 0


def is_sound(graph: Graph, op: Op) -> bool:
    """Whether the op is supported as it stands and computes with int8, so that its tensors may be reasoned about."""
    spec = ops.spec_of(graph, op)
    return (
        spec is not None and "int8" in spec.types and not any(constraint(graph, op) for constraint in spec.constraints)
    )


def channel_limits(graph: Graph, *, made_up: bool = False) -> dict[int, Limits]:
    """Limits of every int8 tensor, by its id; the whole of int8 where nothing better is known.

    `made_up`: scales are made up, so that only what is the same for all scales is known.
    """
    limits = {i: _of_tensor(tensor) for i, tensor in graph.tensors.items() if has_channels(tensor)}
    for op in graph.ops:
        output = op.outputs[0] if len(op.outputs) == 1 else -1
        if output in limits and is_sound(graph, op):
            found = _of_op(graph, op, limits)
            if found is not None and made_up:
                found = _where(_fixed_by_weights(graph, op, limits), found)
            if found is not None:
                limits[output] = found
    return limits


def _of_tensor(tensor: Tensor) -> Limits:
    channels = tensor.shape[-1]
    if tensor.data is None:
        return Limits(np.full(channels, INT8_MIN, np.int64), np.full(channels, INT8_MAX, np.int64))
    rows = tensor.data.reshape(-1, channels).astype(np.int64)
    return Limits(rows.min(axis=0), rows.max(axis=0))


def _of_op(graph: Graph, op: Op, limits: dict[int, Limits]) -> Limits | None:
    if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return _weighted(graph, op, limits[op.inputs[0]])
    if op.kind in POOLS:
        # Averages and maxima lie between the limits, an average of equal values is that value.
        output = graph.output_of(op)
        assert output.quant is not None
        low, high = activation_range(op.options.activation, output.quant)
        source = limits[op.inputs[0]]
        return Limits(source.low.clip(low, high), source.high.clip(low, high))
    if op.kind == "MEAN":
        return _mean(graph, op, limits[op.inputs[0]])
    channels = graph.output_of(op).shape[-1]
    if op.kind in RESHAPES and channels % len(limits[op.inputs[0]].low) == 0:
        return limits[op.inputs[0]].tiled(channels)
    if op.kind == "CONCATENATION":
        parts = [limits[i] for i in op.inputs]
        if op.options.axis in (-1, len(graph.output_of(op).shape) - 1):
            return Limits(np.concatenate([p.low for p in parts]), np.concatenate([p.high for p in parts]))
        return Limits(np.min([p.low for p in parts], axis=0), np.max([p.high for p in parts], axis=0))
    return None


def _fixed_by_weights(graph: Graph, op: Op, limits: dict[int, Limits]) -> NDArray[np.bool_]:
    """Channels of an op's output that are constant because its inputs are, or their weights zero: whatever its scale
    and its clamp."""
    channels = graph.output_of(op).shape[-1]
    if op.kind == "CONCATENATION":
        moved = _of_op(graph, op, limits)  # nothing is clamped
        return moved.constant if moved is not None else np.zeros(channels, np.bool_)
    source = limits[op.inputs[0]]
    if op.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return np.tile(source.constant, channels // len(source.low))
    if takes_padding(graph, op):  # whether a constant is the zero point, as padding is, is a matter of its scale
        source = _where(np.zeros(len(source.low), np.bool_), source)
    sums = _accumulators(graph, op, source)
    fixed: NDArray[np.bool_] = np.zeros(channels, np.bool_) if sums is None else sums[0] == sums[1]
    return fixed


def _where(known: NDArray[np.bool_], limits: Limits) -> Limits:
    """The limits of these channels, the whole of int8 of the others."""
    return Limits(np.where(known, limits.low, INT8_MIN), np.where(known, limits.high, INT8_MAX))


def keeps_channels(graph: Graph, op: Op) -> bool:
    """Whether a MEAN averages every channel by itself, into the same channel of the output."""
    source, axes = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1]).data
    rank = len(source.shape)
    last_is_kept = axes is not None and all(int(axis) % rank != rank - 1 for axis in axes.reshape(-1))
    return last_is_kept and graph.output_of(op).shape[-1:] == source.shape[-1:]


def _mean(graph: Graph, op: Op, source: Limits) -> Limits | None:
    """Limits of a MEAN over whole channels: it never falls as its elements rise."""
    if not keeps_channels(graph, op):
        return None
    tensor, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    count = mean.reduced_count(graph, op)
    factor = mean.multiplier_and_shift(graph, op)

    def to_output(values: NDArray[np.int64]) -> NDArray[np.int64]:
        sums = [requantize(int(value - tensor.zero_point) * count, *factor) for value in values]
        return (np.array(sums, np.int64) + output.zero_point).clip(INT8_MIN, INT8_MAX)

    return Limits(to_output(source.low), to_output(source.high))


def centred_weights(graph: Graph, op: Op) -> NDArray[np.int64]:
    """The weights without their zero point, as [output channels, taps, input channels].

    Of a depthwise convolution: [output channels, taps, 1], each channel for its own input channel.
    """
    tensor = graph.tensor(op.inputs[1])
    weights = with_weights.weights_of(graph, op).astype(np.int64) - (
        tensor.zero_point if op.kind == "FULLY_CONNECTED" else 0
    )
    if op.kind == "DEPTHWISE_CONV_2D":
        rows: NDArray[np.int64] = weights.reshape(-1, weights.shape[3]).T
        return rows[:, :, None]
    if op.kind == "FULLY_CONNECTED":
        return weights[:, None, :]
    return weights.reshape(weights.shape[0], -1, weights.shape[3])


def takes_padding(graph: Graph, op: Op) -> bool:
    """Whether a convolution's windows reach outside the image, where the input counts as its zero point."""
    if op.kind == "FULLY_CONNECTED":
        return False
    _, height, width, _ = graph.tensor(op.inputs[1]).shape
    options = op.options
    span = windows.extent((height, width), (options.dilation_h, options.dilation_w))
    return windows.reaches_outside(graph, op, options, span)


def _weighted(graph: Graph, op: Op, source: Limits) -> Limits | None:
    """Limits through the accumulators; requantization never falls as they rise, so their limits are enough."""
    sums = _accumulators(graph, op, source)
    return None if sums is None else _requantized(graph, op, *sums)


def _accumulators(graph: Graph, op: Op, source: Limits) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """The lowest and highest sum of every output channel, bias included; None where nothing can be said."""
    weights = centred_weights(graph, op)
    channels, _, depth = weights.shape
    zero = graph.tensor(op.inputs[0]).zero_point
    low, high = source.low - zero, source.high - zero
    if takes_padding(graph, op):
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    rising, falling = weights.clip(min=0).sum(axis=1), weights.clip(max=0).sum(axis=1)
    if op.kind == "DEPTHWISE_CONV_2D":
        each = np.arange(channels) // op.options.depth_multiplier
        low_sum = rising[:, 0] * low[each] + falling[:, 0] * high[each]
        high_sum = rising[:, 0] * high[each] + falling[:, 0] * low[each]
    elif depth % len(low) == 0:
        times = depth // len(low)
        low, high = np.tile(low, times), np.tile(high, times)
        low_sum, high_sum = rising @ low + falling @ high, rising @ high + falling @ low
    else:
        return None  # groups, or rows that are not whole pixels
    bias = with_weights.bias_of(graph, op, channels)
    return bias + low_sum, bias + high_sum


def _requantized(graph: Graph, op: Op, low: NDArray[np.int64], high: NDArray[np.int64]) -> Limits | None:
    output = graph.output_of(op)
    assert output.quant is not None
    least, most = activation_range(op.options.activation, output.quant)
    scales = with_weights.effective_scales(graph, op)
    factors = [quantize_multiplier(scale) for scale in scales] * (len(low) if len(scales) == 1 else 1)

    def to_output(accumulators: NDArray[np.int64]) -> NDArray[np.int64]:
        values = [requantize(int(a), *factor) for a, factor in zip(accumulators, factors, strict=True)]
        return (np.array(values, np.int64) + output.zero_point).clip(least, most)

    try:
        return Limits(to_output(low), to_output(high))
    except OverflowError:
        return None  # the reference's own arithmetic overflows for some input: nothing can be said
