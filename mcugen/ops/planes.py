"""Depthwise convolutions that work on planes: what their DSP and MLA variants share.

A plane holds one channel of some rows of the image, widened, with its padding. Its rows and columns are the image's,
or the image's columns and rows: whichever is cheaper.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mcugen.ops.base import KernelCall, ParamValue
from mcugen.ops.params import integer

InPlace = Literal["never", "turned", "always"]
"""Whether the output may take the input's memory, at the price of scratch for the whole image.

"turned": only where the planes' rows are the image's columns. Rows in order may follow behind their input instead,
which takes less and leaves the planner more room.
"""


@dataclass(frozen=True)
class Axis:
    """One axis of a depthwise convolution. `steps` are bytes between neighbours in input, output and filter."""

    inputs: int
    outputs: int
    taps: int
    stride: int
    dilation: int
    pad: int
    steps: tuple[int, int, int]

    def taken(self, outputs: int) -> int:
        """Inputs, padding included, that so many outputs take."""
        return (outputs - 1) * self.stride + (self.taps - 1) * self.dilation + 1

    @property
    def has_phases(self) -> bool:
        """Whether the inputs that windows share with each other are equally far apart, as kernels want columns."""
        return self.stride == 1 or self.dilation == 1

    @property
    def taken_by_phase(self) -> int:
        """Inputs, padding included, that all outputs of a phase take: those whose windows share inputs."""
        return (-(-self.outputs // self.dilation) - 1) * self.stride + self.taps


def axes(portable: KernelCall, depth_multiplier: int) -> tuple[Axis, Axis]:
    """Rows and columns of a call of mcg_depthwise_conv_2d_s8, whose `channels` are the input's."""
    get = functools.partial(integer, portable)
    channels, made = get("channels"), get("channels") * depth_multiplier
    row_steps = (get("input_width") * channels, get("output_width") * made, get("filter_width") * made)
    return (
        _axis(portable, "height", "top", row_steps),
        _axis(portable, "width", "left", (channels, made, made)),
    )


def _axis(call: KernelCall, name: str, side: str, steps: tuple[int, int, int]) -> Axis:
    initial = name[0]
    return Axis(
        inputs=integer(call, f"input_{name}"),
        outputs=integer(call, f"output_{name}"),
        taps=integer(call, f"filter_{name}"),
        stride=integer(call, f"stride_{initial}"),
        dilation=integer(call, f"dilation_{initial}") if integer(call, f"filter_{name}") > 1 else 1,
        pad=integer(call, f"pad_{side}"),
        steps=steps,
    )


def in_stripes(
    portable: KernelCall,
    rows: Axis,
    scratch: Callable[[int], int],
    depth_multiplier: int,
    budget: int,
    overwrites: bool,
) -> tuple[int, bool]:
    """Rows of output to make at a time, and whether the output takes the input's memory.

    Args:
        portable: the call of mcg_depthwise_conv_2d_s8.
        rows: the axis along which stripes follow each other.
        scratch: bytes of scratch for so many rows of output.
        depth_multiplier: channels of the output for each of the input.
        budget: bytes of scratch that the op should keep to; one row may need more.
        overwrites: whether the output should take the input's memory if it can, all of each channel being read before
            any of it is written where one stripe is the whole image.
    """
    get = functools.partial(integer, portable)
    same_size = (get("input_height"), get("input_width")) == (get("output_height"), get("output_width"))
    alone = depth_multiplier == 1 and get("batches") == 1
    output_bytes = get("output_height") * get("output_width") * get("channels") * depth_multiplier
    if overwrites and same_size and alone and scratch(rows.outputs) <= budget + output_bytes:
        return rows.outputs, True
    return max((n for n in range(1, rows.outputs + 1) if scratch(n) <= budget), default=1), False


def enough_rows(rows: Axis, columns: Axis) -> int:
    """Rows of output from which on more of them at a time are hardly faster.

    Stripes read the rows again that their windows share, which is little next to the products if there are four times
    as many others; and they begin anew with every channel, which is little next to 64 windows.
    """
    shared = max(0, (rows.taps - 1) * rows.dilation + 1 - rows.stride)
    enough = max(4 * -(-shared // rows.stride), -(-64 // columns.outputs))
    # Stripes of the same height, none of them much lower.
    return -(-rows.outputs // max(1, rows.outputs // enough))


def geometry(
    portable: KernelCall, rows: Axis, columns: Axis, depth_multiplier: int
) -> tuple[tuple[str, ParamValue], ...]:
    """The parameters that both kernels begin with."""
    get = functools.partial(integer, portable)
    pairs = (("row", rows), ("column", columns))
    made = get("channels") * depth_multiplier
    return (
        ("batches", get("batches")),
        ("input_bytes", get("input_height") * get("input_width") * get("channels")),
        *((f"input_{name}s", axis.inputs) for name, axis in pairs),
        *((f"input_{name}_step", axis.steps[0]) for name, axis in pairs),
        ("output_bytes", get("output_height") * get("output_width") * made),
        *((f"output_{name}s", axis.outputs) for name, axis in pairs),
        *((f"output_{name}_step", axis.steps[1]) for name, axis in pairs),
        *((f"filter_{name}s", axis.taps) for name, axis in pairs),
        *((f"filter_{name}_step", axis.steps[2]) for name, axis in pairs),
        *((f"{name}_stride", axis.stride) for name, axis in pairs),
        *((f"{name}_dilation", axis.dilation) for name, axis in pairs),
        *((f"pad_{name}s", axis.pad) for name, axis in pairs),
        ("channels", get("channels")),
        ("depth_multiplier", depth_multiplier),
        ("input_zero_point", get("input_zero_point")),
    )
