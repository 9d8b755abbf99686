"""Winograd's F(2×2, 3×3) in integers: which convolutions it may compute, and how many tiles at a time."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from mcugen.ops.base import KernelCall, ParamValue
from mcugen.ops.params import integer

_TILES = 4
"""Tiles that are multiplied at a time, MCG_TILES in the kernels."""

_STRIPES = (16, 12, 8, 4)
"""Tiles to transform at a time: filters are transformed once for each stripe, which is little next to its products."""

_FEWEST_CHANNELS = 8
"""Of the input: with fewer, transforms cost more than products are saved."""

_SUM_LIMIT = 1 << 29
"""Sums of products are below this in magnitude: four times that is what the kernels make, in 32 bits."""


def problem(call: KernelCall) -> str | None:
    """Why a convolution cannot be computed by tiles, or is not faster so, in one clause; None where it is.

    Args:
        call: a call of mcg_conv_2d_s8 with doubled factors.
    """
    get = functools.partial(integer, call)
    ones = ("groups", "stride_h", "stride_w", "dilation_h", "dilation_w")
    if (get("filter_height"), get("filter_width")) != (3, 3) or any(get(name) != 1 for name in ones):
        return "its windows are not 3×3 with stride 1"
    if get("input_channels") < _FEWEST_CHANNELS or get("output_channels") < 2:
        return "it has few channels"
    if get("fast") != 1:
        return "its outputs are clamped or scaled up"
    if get("output_height") * get("output_width") < 4 * _TILES:
        return "its image is small"
    weights = call.constants[0].values
    if 128 * int(np.abs(weights.astype(np.int64)).sum(axis=(1, 2, 3)).max()) >= _SUM_LIMIT:
        return "four times its sums of products do not fit into 32 bits"
    return None


def params(call: KernelCall, stripe_tiles: int) -> tuple[tuple[str, ParamValue], ...]:
    """Parameters of the kernels, from those of mcg_conv_2d_s8."""
    names = (
        *("batches", "input_height", "input_width", "input_channels"),
        *("output_height", "output_width", "output_channels"),
        *("pad_top", "pad_left", "input_zero_point", "output_zero_point"),
    )
    return (*((name, integer(call, name)) for name in names), ("stripe_tiles", stripe_tiles))


def by_tiles(call: KernelCall, kernel: str, code_bytes: int) -> tuple[KernelCall, ...]:
    """The call by tiles, in stripes that take ever less scratch.

    Args:
        call: a call of mcg_conv_2d_s8 with doubled factors, one for each channel, that has no `problem`.
        kernel: the kernel that makes it.
        code_bytes: its code.
    """
    tiles = -(-integer(call, "output_height") // 2) * -(-integer(call, "output_width") // 2)
    channels = 8 * -(-integer(call, "input_channels") // 8)
    stripes = sorted({min(stripe, -(-tiles // _TILES) * _TILES) for stripe in _STRIPES}, reverse=True)
    return tuple(
        replace(
            call,
            kernel=kernel,
            params=params(call, stripe),
            scratch_bytes=stripe * (32 * channels + 12) + 64 * channels + 512,
            code_bytes=code_bytes,
        )
        for stripe in stripes
    )
