"""Weights of two channels in one 16-bit lane, so that one product serves both (mcg_filter_pairs_s8_dsp.h)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcugen.ops.base import Constant, KernelCall
from mcugen.ops.params import integer

_SECOND_LIMIT = 1 << 23
"""The sum of a lane's second channel is below this in magnitude: 8 of its 32 bits belong to the first."""


def in_lanes(call: KernelCall) -> tuple[Constant, Constant] | str:
    """Weights and factors of a call as `mcg_pairs` has them, or why that cannot be, in one clause.

    Args:
        call: one `with_doubled_factors`, expanded, whose weights are [channels, …].
    """
    channels = len(call.constants[1].values)
    if channels < 2:
        return "it has one channel"
    first, second = _pairs(channels)
    lanes = _lanes(call, first, second)
    if isinstance(lanes, str):
        return lanes
    bias, multiplier, shift = (constant.values.astype(np.int64) for constant in call.constants[1:])
    columns = (
        bias[first],
        bias[first] + 256 * bias[second],
        multiplier[first],
        multiplier[second],
        shift[first] + 256 * shift[second],
    )
    return (
        Constant("weights", _words(lanes), f"[{len(first)},{lanes.shape[1] // 4},2], lanes of two channels"),
        Constant("factors", _int32(np.stack(columns, axis=1)), f"[{len(first)},{len(columns)}]"),
    )


def fours_in_lanes(call: KernelCall) -> tuple[Constant, Constant, Constant] | str:
    """Weights, bias and factors as mcg_fully_connected_pairs_s8_dsp has them, or why that cannot be, in one clause.

    Args:
        call: one `with_doubled_factors` whose weights are [channels, depth].
    """
    bias, multiplier, shift = (constant.values.astype(np.int64) for constant in call.constants[1:])
    channels = len(bias)
    if channels < 4:
        return "it has few channels"
    fours = np.array([*range(0, channels - 3, 4), *([channels - 4] if channels % 4 else [])])
    first = np.stack([fours, fours + 2], axis=1).reshape(-1)
    lanes = _lanes(call, first, first + 1)
    if isinstance(lanes, str):
        return lanes
    words = lanes.shape[1] // 4
    by_word = _words(lanes).reshape(len(fours), 2, words, 2).transpose(0, 2, 1, 3)
    begin = np.stack([bias[first], bias[first] + 256 * bias[first + 1]], axis=1).reshape(len(fours), 4)
    entries = fours[:, None] + np.arange(4) if len(multiplier) > 1 else np.zeros((1, 4), np.int64)
    shifts = (shift[entries] << np.arange(0, 32, 8)).sum(axis=1, keepdims=True)
    factors = np.concatenate([multiplier[entries], shifts], axis=1)
    return (
        Constant("weights", np.ascontiguousarray(by_word), f"[{len(fours)},{words},4], lanes of two channels"),
        Constant("bias", _int32(begin), f"[{len(fours)},4], of the sums in lanes"),
        Constant("factors", _int32(factors), f"[{len(factors)},{factors.shape[1]}]"),
    )


def _lanes(call: KernelCall, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64] | str:
    """The lanes of pairs of channels as [pairs, depth in whole words], or why they or their sums do not fit."""
    if integer(call, "fast") != 1:
        return "its outputs are clamped or scaled up"
    bias = call.constants[1].values.astype(np.int64)
    rows = call.constants[0].values.reshape(len(bias), -1).astype(np.int64)
    lanes = rows[first] + 256 * rows[second]
    if lanes.min() < -(1 << 15):  # they never exceed 127 + 256 * 127
        return "two weights do not fit into 16 bits"
    if _largest_sum(rows[second], bias[second]) >= _SECOND_LIMIT:
        return "sums of products do not fit into 24 bits"
    return np.pad(lanes, ((0, 0), (0, -rows.shape[1] % 4)))


def _words(lanes: NDArray[np.int64]) -> NDArray[np.int32]:
    """Two lanes each, those of bytes 0 and 2 of four before those of bytes 1 and 3."""
    in_turn = lanes.reshape(-1, 4)[:, (0, 2, 1, 3)]
    return in_turn.astype("<i2").reshape(-1).view("<i4").astype(np.int32)


def _int32(values: NDArray[np.int64]) -> NDArray[np.int32]:
    """Modulo 2^32."""
    return (values & 0xFFFFFFFF).astype(np.uint32).view(np.int32)


def _pairs(channels: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and second channels of all pairs; of an odd number the last two are a pair as well."""
    first = np.arange(0, channels - 1, 2)
    if channels % 2:
        first = np.append(first, channels - 2)
    return first, first + 1


def _largest_sum(rows: NDArray[np.int64], bias: NDArray[np.int64]) -> int:
    """The largest magnitude of any channel's bias and products with whatever inputs."""
    positive, negative = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
    highest = bias + 127 * positive - 128 * negative
    lowest = bias - 128 * positive + 127 * negative
    return int(max(highest.max(), -lowest.min()))
