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
    if integer(call, "fast") != 1:
        return "its outputs are clamped or scaled up"
    rows = call.constants[0].values.reshape(len(call.constants[1].values), -1).astype(np.int64)
    bias, multiplier, shift = (constant.values.astype(np.int64) for constant in call.constants[1:])
    channels, depth = rows.shape
    if channels < 2:
        return "it has one channel"
    first, second = _pairs(channels)
    lanes = rows[first] + 256 * rows[second]
    if lanes.min() < -(1 << 15):  # they never exceed 127 + 256 * 127
        return "two weights do not fit into 16 bits"
    if _largest_sum(rows[second], bias[second]) >= _SECOND_LIMIT:
        return "sums of products do not fit into 24 bits"
    words = -(-depth // 4)
    padded = np.zeros((len(first), words, 4), np.int64)
    padded.reshape(len(first), -1)[:, :depth] = lanes
    in_turn = padded[:, :, (0, 2, 1, 3)].astype("<i2").reshape(-1).view("<i4").astype(np.int32)
    factors = np.stack(
        [
            bias[first],
            bias[first] + 256 * bias[second],
            multiplier[first],
            multiplier[second],
            shift[first] + 256 * shift[second],
        ],
        axis=1,
    )
    return (
        Constant("weights", in_turn, f"[{len(first)},{words},2], lanes of two channels"),
        Constant("factors", factors.astype("<u8").astype("<u4").view("<i4"), f"[{len(first)},{factors.shape[1]}]"),
    )


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
