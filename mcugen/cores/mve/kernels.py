"""Kernel variants for cores with MVE (Helium): how each is made from the portable call.

Weights are reordered here as the kernels' headers describe.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.ops.base import Constant, KernelCall, ParamValue
from mcugen.ops.params import integer, integers
from mcugen.ops.variants import KernelSet, Site, anywhere

_LANES = 16
"""int8 lanes of a vector."""

_CHANNELS = 4
"""Output channels that the filter kernel computes at a time."""

_MAX_FILTERS = 8
"""Filters per input channel of the depthwise kernel, which divides by their number in eight bits."""

_GATHERED_BYTES = 1152
_MAX_WINDOWS = 16
"""A convolution takes as many windows at a time as fit into so many bytes, but at least two. More than sixteen gain
nothing where windows do not share columns: parameters are loaded once for all."""

_AXES = (
    ("input_height", "input_width"),
    ("filter_height", "filter_width"),
    ("output_height", "output_width"),
    ("stride_h", "stride_w"),
    ("dilation_h", "dilation_w"),
    ("pad_top", "pad_left"),
)
"""Parameters of a convolution along the height of the image, and those along its width."""

_BYTES = np.arange(-128, 128, dtype=np.int64)
"""All values of an operand."""

_MAX_AVERAGED = 4096
"""Elements of a window of which the average is exact by multiplication in 32 bits."""

_BY_LANE = "by group of 16 channels: 0, 4, 8, 12, then 1, 5 and so on"

_DEPTHWISE_FIELDS = (
    "batches",
    "input_height",
    "input_width",
    "input_channels",
    "filter_height",
    "filter_width",
    "output_height",
    "output_width",
    "filters",
    "together",
    "columns",
    "stride_h",
    "stride_w",
    "dilation_h",
    "dilation_w",
    "pad_top",
    "pad_left",
    "kept_rows",
    "input_zero_point",
    "scale_down",
    "output_zero_point",
    "output_min",
    "output_max",
)


def fully_connected(call: KernelCall) -> KernelCall:
    """FULLY_CONNECTED by mcg_fully_connected_s8_mve."""
    values = integers(call)
    weights = _in_fours(call.constants[0], values["channels"], values["depth"])
    return _made(call, f"{call.kernel}_mve", call.params, weights)


def conv_direct(call: KernelCall) -> KernelCall:
    """CONV_2D whose windows need no gathering, by mcg_conv_direct_s8_mve: loops that continue each other are one."""
    values = integers(call)
    if values["row_step"] == values["columns"] * values["column_step"]:
        values["columns"] *= values["rows"]
        values["rows"] = 1
    if values["rows"] == 1 and values["batch_step"] == values["columns"] * values["column_step"]:
        values["columns"] *= values["batches"]
        values["batches"] = 1
    depth, channels = values["depth"], values["channels"]
    batch = min(_evenly(values["columns"], min(_MAX_WINDOWS, _GATHERED_BYTES // depth)), values["columns"])
    at = list(values).index("per_channel")
    params = (*list(values.items())[:at], ("batch", batch), *list(values.items())[at:])
    return _made(call, f"{call.kernel}_mve", params, _in_fours(call.constants[0], channels, depth), batch * depth)


def conv_2d(call: KernelCall) -> KernelCall:
    """CONV_2D: by the depthwise kernel where groups have one input channel, else by mcg_conv_2d_s8_mve.

    The latter gathers several windows at a time, or the columns of the image that they share.
    """
    values = integers(call)
    taps = values["filter_height"] * values["filter_width"]
    channels = values["output_channels"]
    depth = taps * values["filter_channels"]
    if values["filter_channels"] == 1 and values["groups"] > 1:
        rows = call.constants[0].values.reshape(channels, taps).T
        made = _depthwise(call, values, rows, channels // values["groups"])
        if isinstance(made, KernelCall):
            return made
    if values["input_width"] == values["filter_width"] == values["output_width"] == 1:
        # One column is the same as one row, of which several windows can be made together.
        for along, across in _AXES:
            values[along], values[across] = values[across], values[along]
    shared = _shares_columns(values)
    batch = _gathered_windows(values, shared)
    size = _gathered_bytes(values, shared, batch)
    at = list(values).index("per_channel")
    params = (*list(values.items())[:at], ("batch", batch), ("shared", int(shared)), *list(values.items())[at:])
    shape = (channels, values["filter_height"], values["filter_width"], values["filter_channels"])
    rows = call.constants[0].values.reshape(shape)
    ordered = replace(call.constants[0], values=rows.transpose(0, 2, 1, 3) if shared else rows)
    weights = _in_fours(ordered, channels, depth, values["groups"])
    return _made(call, f"{call.kernel}_mve", params, weights, size)


def _gathered_bytes(values: Mapping[str, int], shared: bool, windows: int) -> int:
    """Scratch for so many windows next to each other, with shared columns or not."""
    width = values["filter_width"]
    columns = (windows - 1) * values["stride_w"] + width if shared else windows * width
    return columns * values["filter_height"] * values["filter_channels"]


def _gathered_windows(values: Mapping[str, int], shared: bool) -> int:
    """Windows at a time: of one row if they share columns."""
    limit = values["output_width"]
    if not shared:
        limit = min(_MAX_WINDOWS, limit * values["output_height"])
    most = max(n for n in range(1, limit + 1) if n <= 2 or _gathered_bytes(values, shared, n) <= _GATHERED_BYTES)
    return min(_evenly(limit, most), limit)


def _shares_columns(values: Mapping[str, int]) -> bool:
    """Whether gathering columns costs fewer instructions per window than gathering windows, as far as both can be.

    Every piece costs six per vector, a window of its own about 45 more; a row with an odd number of windows has one
    that goes alone through the filters.
    """
    if values["dilation_w"] > 1 or values["stride_w"] >= values["filter_width"]:
        return False
    height, channels, row = values["filter_height"], values["filter_channels"], values["output_width"]
    windows = _gathered_windows(values, True)
    columns = (windows - 1) * values["stride_w"] + values["filter_width"]
    pieces = columns / windows * height * _vectors(channels)
    alone = row % 2 * 30 / row * values["output_channels"] / values["groups"] / _CHANNELS
    in_one_piece = channels == values["input_channels"]
    own_pieces = height * (_vectors(values["filter_width"] * channels) if in_one_piece else values["filter_width"])
    return 6 * pieces + alone < 6 * own_pieces + 45


def _vectors(count: int) -> int:
    return -(-count // _LANES)


def _evenly(count: int, most: int) -> int:
    """How many of `count` at a time, at most `most`, so that there are few times and those alike: an even number."""
    times = -(-count // max(2, most & ~1))
    return (-(-count // times) + 1) & ~1


def depthwise_conv_2d(call: KernelCall, site: Site) -> KernelCall | str:
    """DEPTHWISE_CONV_2D with one filter per channel, by mcg_depthwise_conv_2d_s8_mve."""
    if site.depth_multiplier > 1:
        return "several filters per channel are a grouped convolution"
    values = integers(call)
    values["input_channels"] = values["channels"]
    taps = values["filter_height"] * values["filter_width"]
    return _depthwise(call, values, call.constants[0].values.reshape(taps, -1), 1)


def _depthwise(call: KernelCall, values: dict[str, int], rows: NDArray[np.int8], filters: int) -> KernelCall | str:
    """The depthwise kernel, with weights [taps, output channels] and some filters per input channel."""
    if filters > _MAX_FILTERS:
        return f"it takes up to {_MAX_FILTERS} filters per channel, these are {filters}"
    if _overflows(rows):
        return _OVERFLOW
    taps, channels = rows.shape
    together = _LANES // channels if filters == 1 and values["stride_w"] == 1 and _LANES % channels == 0 else 1
    width, height = values["filter_width"], values["filter_height"]
    extent_w = (width - 1) * values["dilation_w"] + 1
    # Rows without gaps between them are kept for the next rows of windows; others are copied piece by piece.
    keeps = height > 1 and values["dilation_h"] == 1
    pixel = height * values["input_channels"]
    columns = max(1, min(values["output_width"], (_GATHERED_BYTES // pixel - extent_w) // values["stride_w"] + 1))
    columns = values["output_width"] if keeps else columns
    kept = pixel * ((columns - 1) * values["stride_w"] + extent_w)
    values = {**values, "filters": filters, "together": together, "columns": columns, "kept_rows": height * keeps}
    params = tuple((name, values[name]) for name in _DEPTHWISE_FIELDS)
    # What is loaded beyond the last pixel counts nothing.
    return _by_sixteen(
        replace(call, kernel="mcg_depthwise_conv_2d_s8_mve", params=params, scratch_bytes=4 * taps + kept + _LANES),
        rows,
        _lanes(channels, filters, together),
    )


def depthwise_single(call: KernelCall) -> KernelCall | str:
    """mcg_depthwise_single_s8_mve."""
    values = integers(call)
    taps, channels = values["taps"], values["channels"]
    rows = call.constants[0].values.reshape(taps, channels)
    if channels < _LANES:
        return f"{channels} channels do not fill a vector"
    if _overflows(rows):
        return _OVERFLOW
    params = tuple(item for item in call.params if item[0] != "per_channel")
    return _by_sixteen(
        replace(call, kernel="mcg_depthwise_single_s8_mve", params=params, scratch_bytes=4 * taps),
        rows,
        _lanes(channels, 1, 1),
    )


_OVERFLOW = "two weights of one channel are -128, and such products overflow 16 bits when added"


def _overflows(rows: NDArray[np.int8]) -> bool:
    return bool(((rows == -128).sum(axis=0) > 1).any())


def _by_sixteen(call: KernelCall, rows: NDArray[np.int8], lanes: NDArray[np.intp]) -> KernelCall:
    """The call with its tables, and weights [taps, channels], in groups of sixteen lanes."""
    taps, channels = rows.shape
    weights = Constant(
        "weights",
        np.where(lanes >= 0, rows[:, lanes], 0).reshape(taps, -1, _LANES).transpose(1, 0, 2).astype(np.int8),
        f"[{len(lanes) // _LANES},{taps},{_LANES}] of {channels} channels",
    )
    tables = [replace(table, values=_by_lane(table.values, lanes), note=_BY_LANE) for table in call.constants[1:]]
    return replace(call, constants=(weights, *tables), variant="mve")


def _lanes(channels: int, filters: int, together: int) -> NDArray[np.intp]:
    """The channel of every lane of every group, -1 where a lane has none."""
    if together > 1:
        return np.tile(np.arange(channels), together)
    lanes = np.arange(-(-channels // _LANES) * _LANES)
    if filters == 1 and channels >= _LANES:
        lanes[-_LANES:] = np.arange(channels - _LANES, channels)
    return np.where(lanes < channels, lanes, -1)


def _by_lane(table: NDArray[Any], lanes: NDArray[np.intp]) -> NDArray[Any]:
    """A table of one entry per channel, or for all, as one per lane, in the order of `_BY_LANE`."""
    entries = table[lanes] if table.size > 1 else np.full(lanes.shape, table[0])
    by_lane: NDArray[Any] = np.where(lanes >= 0, entries, 0).astype(table.dtype)
    reordered: NDArray[Any] = by_lane.reshape(-1, 4, 4).transpose(0, 2, 1).ravel()
    return reordered


def add(call: KernelCall) -> KernelCall | str:
    """ADD and SUB by mcg_add_s8_mve, which is told where it need not look for ties."""
    get = functools.partial(integer, call)
    first, ties1 = _rescaled((_BYTES - get("zero_point1")) << 20, get("multiplier1"), get("shift1"))
    second, ties2 = _rescaled((_BYTES - get("zero_point2")) << 20, get("multiplier2"), get("shift2"))
    sums = first[:, None] + (-second if get("subtract") else second)
    _, ties = _rescaled(sums, get("multiplier"), get("shift"))
    return _eights(call, (("ties1", int(ties1)), ("ties2", int(ties2)), ("ties", int(ties))))


def mul(call: KernelCall) -> KernelCall | str:
    """MUL by mcg_mul_s8_mve, likewise."""
    get = functools.partial(integer, call)
    products = np.outer(_BYTES - get("zero_point1"), _BYTES - get("zero_point2"))
    _, ties = _rescaled(products, get("multiplier"), get("shift"))
    return _eights(call, (("ties", int(ties)),))


def extremum(call: KernelCall) -> KernelCall | str:
    """MAXIMUM and MINIMUM by mcg_extremum_s8_mve."""
    return _eights(call)


def mean(call: KernelCall) -> KernelCall | str:
    """MEAN and SUM by mcg_mean_s8_mve."""
    strides = dict(call.params)["kept_stride"]
    assert isinstance(strides, tuple)
    return _same_work(call) if strides[-1] == 1 else "the last axis is reduced"


def _eights(call: KernelCall, added: tuple[tuple[str, int], ...] = ()) -> KernelCall | str:
    """An element-wise kernel of two operands that takes eight elements at a time."""
    strides = [value for name, value in call.params if name in ("stride1", "stride2")]
    if any(not isinstance(steps, tuple) or steps[-1] not in (0, 1) for steps in strides):
        return "an operand's last axis is not in one piece"
    return replace(_same_work(call), params=(*call.params, *added))


def _rescaled(values: NDArray[np.int64], multiplier: int, shift: int) -> tuple[NDArray[np.int64], bool]:
    """mcg_rescale() of values, and whether a negative one meets a tie on its way to the right."""
    products = ((values << max(shift, 0)) * multiplier + (1 << 30)) >> 31
    if shift >= 0:
        return products, False
    half = 1 << (-shift - 1)
    negatives = products < 0
    ties = negatives & ((products & (2 * half - 1)) == half)
    return (products + half - negatives) >> -shift, bool(ties.any())


def average_pool_2d(call: KernelCall) -> KernelCall | str:
    """AVERAGE_POOL_2D by mcg_average_pool_2d_s8_mve."""
    values = integers(call)
    elements = values["filter_height"] * values["filter_width"]
    if elements > _MAX_AVERAGED:
        return f"it averages up to {_MAX_AVERAGED} elements, these windows have {elements}"
    return _same_work(call)


def max_pool_2d(call: KernelCall) -> KernelCall:
    """MAX_POOL_2D by mcg_max_pool_2d_s8_mve."""
    return _same_work(call)


def _same_work(call: KernelCall) -> KernelCall:
    """The MVE kernel that takes the same parameters and constants."""
    return replace(call, kernel=f"{call.kernel}_mve", variant="mve")


def _made(
    call: KernelCall,
    kernel: str,
    params: tuple[tuple[str, ParamValue], ...],
    weights: Constant,
    scratch_bytes: int = 0,
) -> KernelCall:
    return replace(
        call,
        kernel=kernel,
        params=params,
        constants=(weights, *call.constants[1:]),
        scratch_bytes=scratch_bytes,
        variant="mve",
    )


def _in_fours(weights: Constant, channels: int, depth: int, groups: int = 1) -> Constant:
    """Weights [channels, depth] in the order of mcg_filter_s8_mve.h, each group of channels by itself."""
    parts: list[NDArray[np.int8]] = []
    blocks, rest = divmod(depth, _LANES)
    for rows in np.split(weights.values.reshape(channels, depth), groups):
        whole = len(rows) // _CHANNELS * _CHANNELS
        for first in range(0, whole, _CHANNELS):
            four = rows[first : first + _CHANNELS]
            parts.append(four[:, :rest].ravel())
            parts.append(four[:, rest:].reshape(_CHANNELS, blocks, _LANES).transpose(1, 0, 2).ravel())
        parts.append(rows[whole:].ravel())
    if rest:
        parts.append(np.zeros(_LANES - rest, np.int8))
    return Constant("weights", np.concatenate(parts), f"[{channels},{depth}], four channels at a time")


KERNELS = KernelSet(
    "mve",
    {
        "mcg_add_s8": anywhere(add),
        "mcg_mul_s8": anywhere(mul),
        "mcg_extremum_s8": anywhere(extremum),
        "mcg_mean_s8": anywhere(mean),
        "mcg_average_pool_2d_s8": anywhere(average_pool_2d),
        "mcg_max_pool_2d_s8": anywhere(max_pool_2d),
        "mcg_fully_connected_s8": anywhere(fully_connected),
        "mcg_conv_direct_s8": anywhere(conv_direct),
        "mcg_conv_2d_s8": anywhere(conv_2d),
        "mcg_depthwise_conv_2d_s8": depthwise_conv_2d,
        "mcg_depthwise_single_s8": anywhere(depthwise_single),
    },
    outruns=("mcg_depthwise_single_s8",),
)
