"""Kernel variants for cores with a multiply-accumulate instruction (MLA) but no DSP instructions: Cortex-M3.

Weights are reordered here as mcg_filter_s8_mla.h describes.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mcugen.cores.dsp import kernels as dsp
from mcugen.ops import planes, winograd
from mcugen.ops.base import Constant, KernelCall
from mcugen.ops.params import integer, integers, stage
from mcugen.ops.planes import Axis
from mcugen.ops.requantization import with_doubled_factors
from mcugen.ops.variants import KernelSet, Site, anywhere

_CHANNELS = 4
"""Output channels that the filter kernel computes at a time."""

_ALWAYS = 1152
"""Bytes of scratch that a layer may have even where the arena grows by them: windows of 3x3 taps of 16 channels."""


_WINOGRAD_CODE = 2300
"""Bytes of code, about, that mcg_winograd_s8_mla adds to a model."""

_TAPS = 3
"""Taps of a row of a depthwise filter that are multiplied at a time."""

_READ_BEYOND = 4
"""Bytes that the kernel for depthwise convolutions may load after its scratch, and that count nothing."""

_FILTER_STEPS = ("filter_row_step", "filter_column_step")
"""Parameters that it has no use for, as its weights are in order."""


def add(portable: KernelCall) -> KernelCall | str:
    """mcg_add_s8_dsp, which needs no more than a long product."""
    return _as_mla(dsp.add(portable))


def mul(portable: KernelCall) -> KernelCall | str:
    """mcg_mul_s8_dsp, which needs no more than a long product."""
    return _as_mla(dsp.mul(portable))


def _as_mla(made: KernelCall | str) -> KernelCall | str:
    return replace(made, variant="mla") if isinstance(made, KernelCall) else made


def fully_connected(call: KernelCall) -> KernelCall:
    """FULLY_CONNECTED by mcg_fully_connected_s8_mla."""
    made = _made(call, 1, integer(call, "channels"), integer(call, "depth"), 0)
    return with_doubled_factors(made, expand=False)


def conv_direct(call: KernelCall, site: Site) -> KernelCall | str:
    """CONV_2D whose windows lie in one piece, by mcg_conv_direct_s8_mla, if the scratch fits the budget."""
    values = integers(call)
    depth, channels = values["depth"], values["channels"]
    # Loops that continue each other are one, so that fewer last windows are alone.
    if values["row_step"] == values["columns"] * values["column_step"]:
        values["columns"], values["rows"] = values["columns"] * values["rows"], 1
    made = _made(replace(call, params=tuple(values.items())), 1, channels, depth, _scratch_bytes(depth))
    return _within(site.budget, _raised(_per_channel(made, channels), call))


def conv_2d(call: KernelCall, site: Site) -> KernelCall | str:
    """CONV_2D by mcg_conv_2d_s8_mla, if the scratch fits the budget; where there is room mcg_winograd_s8_mla."""
    depth = math.prod(integer(call, f"filter_{n}") for n in ("height", "width", "channels"))
    channels, groups = integer(call, "output_channels"), integer(call, "groups")
    filters = _per_channel(_made(call, groups, channels, depth, _scratch_bytes(depth)), channels)
    made = _within(site.budget, _raised(filters, call))
    doubled = with_doubled_factors(call)
    if isinstance(made, str) or winograd.problem(doubled):
        return made
    tiles = winograd.by_tiles(replace(doubled, variant="mla"), "mcg_winograd_s8_mla", _WINOGRAD_CODE)
    return replace(made, roomier=tiles)


def depthwise_conv_2d(portable: KernelCall, site: Site) -> KernelCall | str:
    """mcg_depthwise_conv_2d_s8_mla, over stripes of rows as high as scratch allows.

    `portable` is the call of mcg_depthwise_conv_2d_s8, whose `channels` are the input's.
    """
    budget, in_place, depth_multiplier = site.budget, site.in_place, site.depth_multiplier
    height, width = planes.axes(portable, depth_multiplier)
    possible = [(rows, columns) for rows, columns in ((height, width), (width, height)) if columns.has_phases]
    if not possible:
        return "its windows are dilated and more than a column apart"
    call = _per_channel(portable, integer(portable, "channels") * depth_multiplier)
    fast = integer(call, "fast") == 1
    rows, columns = min(possible, key=lambda axes: _depthwise_cost(axes[0], axes[1], fast))
    row_words = columns.taken_by_phase

    def scratch(stripe: int) -> int:
        return 4 * row_words * rows.taken(stripe) + 16 * rows.taps * -(-columns.taps // _TAPS) + _READ_BEYOND

    room = min(budget, scratch(planes.enough_rows(rows, columns)))
    # Phases read what others have written.
    overwrites = columns.dilation == 1 and (in_place == "always" or (in_place == "turned" and rows is width))
    stripe, overwrites = planes.in_stripes(portable, rows, scratch, depth_multiplier, room, overwrites)
    weights, *others = call.constants
    taps = weights.values.reshape(height.taps, width.taps, -1).transpose(2, 0, 1)
    turned = taps if rows is height else taps.transpose(0, 2, 1)
    note = f"[{taps.shape[0]},{rows.taps},{columns.taps}], channels first"
    params = (
        *(item for item in planes.geometry(portable, rows, columns, depth_multiplier) if item[0] not in _FILTER_STEPS),
        ("row_words", row_words),
        ("stripe_rows", stripe),
        *stage(call),
    )
    made = replace(
        call,
        kernel="mcg_depthwise_conv_2d_s8_mla",
        params=params,
        constants=(Constant("weights", np.ascontiguousarray(turned), note), *others),
        scratch_bytes=scratch(stripe),
        inplace=(0,) if overwrites else (),
        variant="mla",
    )
    return made if overwrites else _within(budget, made, "a row of windows takes")


def _depthwise_cost(rows: Axis, columns: Axis, fast: bool) -> int:
    """Rough instructions per channel with these as rows and columns: windows go in fours, then in twos."""
    steps = rows.taps * -(-columns.taps // _TAPS)
    if not fast or columns.stride > 2:
        return rows.outputs * columns.outputs * (20 + 13 * steps)
    phases = min(columns.dilation, columns.outputs)
    fours, rest = divmod(-(-columns.outputs // phases), 4)
    return phases * rows.outputs * (16 + fours * (44 + 16 * steps) + -(-rest // 2) * (30 + 10 * steps))


def _within(budget: int, made: KernelCall, what: str = "two widened windows take") -> KernelCall | str:
    room = max(budget, _ALWAYS)
    if made.scratch_bytes > room:
        return f"{what} {made.scratch_bytes} bytes of scratch, there is room for {room}"
    return made


def _per_channel(call: KernelCall, channels: int) -> KernelCall:
    """The call with a multiplier and shift for every channel, also where all are the same."""
    call = with_doubled_factors(call)
    weights, bias, *scales = call.constants
    tables = [replace(table, values=np.broadcast_to(table.values, channels).copy()) for table in scales]
    params = tuple(item for item in call.params if item[0] != "per_channel")
    return replace(call, params=params, constants=(weights, bias, *tables))


def _raised(made: KernelCall, call: KernelCall) -> KernelCall:
    """The call with biases for inputs that are one more than they should be, modulo 2^32.

    Args:
        call: the one with the model's weights and biases.
    """
    weights, bias, *others = made.constants
    rows = call.constants[0].values.reshape(len(bias.values), -1).astype(np.int64)
    raised = (bias.values.astype(np.int64) - rows.sum(axis=1)).astype(np.int32)
    note = f"{bias.note}, less the sum of the channel's weights".removeprefix(", ")
    return replace(made, constants=(weights, replace(bias, values=raised, note=note), *others))


def _scratch_bytes(depth: int) -> int:
    """Two windows side by side in 32 bits, of a multiple of four inputs."""
    return 4 * (-(-depth // 4) * 4)


def _made(call: KernelCall, groups: int, channels: int, depth: int, scratch_bytes: int) -> KernelCall:
    weights = _in_fours(call.constants[0].values.reshape(groups, channels // groups, depth))
    return replace(
        call,
        kernel=f"{call.kernel}_mla",
        constants=(Constant("weights", weights, f"[{channels},{depth}], four channels at a time"), *call.constants[1:]),
        scratch_bytes=scratch_bytes,
        variant="mla",
    )


def _in_fours(rows: NDArray[np.int8]) -> NDArray[np.int8]:
    """Weights [groups, channels, depth]: in each group [depth, 4] of every four channels, then the other channels."""
    _, channels, depth = rows.shape
    whole = channels // _CHANNELS * _CHANNELS
    parts: list[NDArray[np.int8]] = []
    for group in rows:
        parts += [group[first : first + _CHANNELS].T.ravel() for first in range(0, whole, _CHANNELS)]
        parts.append(group[whole:].ravel())
    if depth % 4:
        parts.append(np.zeros(3 * _CHANNELS, np.int8))
    return np.concatenate(parts)


KERNELS = KernelSet(
    "mla",
    {
        "mcg_add_s8": anywhere(add),
        "mcg_mul_s8": anywhere(mul),
        "mcg_fully_connected_s8": anywhere(fully_connected),
        "mcg_conv_direct_s8": conv_direct,
        "mcg_conv_2d_s8": conv_2d,
        "mcg_depthwise_conv_2d_s8": depthwise_conv_2d,
    },
    complete=False,
)
"""Kernels without products have nothing to gain from multiply-accumulate instructions."""
