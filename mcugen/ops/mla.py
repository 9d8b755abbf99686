"""Kernel variants for cores with a multiply-accumulate instruction (MLA) but no DSP instructions: Cortex-M3.

Weights are reordered here as mcg_filter_s8_mla.h describes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mcugen.ops.base import Constant, KernelCall
from mcugen.ops.requantization import with_doubled_factors

_CHANNELS = 4
"""Output channels that the filter kernel computes at a time."""

_ALWAYS = 1152
"""Bytes of scratch that a layer may have even where the arena grows by them: windows of 3x3 taps of 16 channels."""


def fully_connected(call: KernelCall) -> KernelCall:
    """FULLY_CONNECTED by mcg_fully_connected_s8_mla."""
    values = dict(call.params)
    made = _made(call, 1, _integer(values["channels"]), _integer(values["depth"]), 0)
    return with_doubled_factors(made, expand=False)


def conv_direct(call: KernelCall, budget: int) -> KernelCall | str:
    """CONV_2D whose windows lie in one piece, by mcg_conv_direct_s8_mla, if `budget` bytes of scratch are enough."""
    values = {name: _integer(value) for name, value in call.params}
    depth, channels = values["depth"], values["channels"]
    # Loops that continue each other are one, so that fewer last windows are alone.
    if values["row_step"] == values["columns"] * values["column_step"]:
        values["columns"], values["rows"] = values["columns"] * values["rows"], 1
    made = _made(replace(call, params=tuple(values.items())), 1, channels, depth, _scratch_bytes(depth))
    return _within(budget, _per_channel(made, channels))


def conv_2d(call: KernelCall, budget: int) -> KernelCall | str:
    """CONV_2D by mcg_conv_2d_s8_mla, if `budget` bytes of scratch are enough."""
    values = dict(call.params)
    depth = int(np.prod([_integer(values[name]) for name in ("filter_height", "filter_width", "filter_channels")]))
    channels, groups = _integer(values["output_channels"]), _integer(values["groups"])
    return _within(budget, _per_channel(_made(call, groups, channels, depth, _scratch_bytes(depth)), channels))


def _within(budget: int, made: KernelCall) -> KernelCall | str:
    room = max(budget, _ALWAYS)
    if made.scratch_bytes > room:
        return f"two widened windows take {made.scratch_bytes} bytes of scratch, there is room for {room}"
    return made


def _per_channel(call: KernelCall, channels: int) -> KernelCall:
    """The call with a multiplier and shift for every channel, also where all are the same."""
    call = with_doubled_factors(call)
    weights, bias, *scales = call.constants
    tables = [replace(table, values=np.broadcast_to(table.values, channels).copy()) for table in scales]
    params = tuple(item for item in call.params if item[0] != "per_channel")
    return replace(call, params=params, constants=(weights, bias, *tables))


def _scratch_bytes(depth: int) -> int:
    """Two windows in 32 bits, of a multiple of four inputs."""
    return 8 * (-(-depth // 4) * 4)


def _integer(value: object) -> int:
    assert isinstance(value, int)
    return value


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
