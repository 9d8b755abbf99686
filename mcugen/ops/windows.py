"""Windows that slide over an NHWC image: what convolutions and pools share."""

from __future__ import annotations

import math
from typing import Any, Protocol

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops.common import Pads, describe, same_or_valid_padding

_MAX_PADDED_ELEMENTS = 1 << 30
"""Kernels compute positions of taps, also outside the image, in int32_t."""


class Windowed(Protocol):
    """The options that place windows on an image."""

    @property
    def pads(self) -> Pads: ...
    @property
    def stride_h(self) -> int: ...
    @property
    def stride_w(self) -> int: ...


class Dilated(Windowed, Protocol):
    """The same of convolutions, whose filters may be dilated."""

    @property
    def dilation_h(self) -> int: ...
    @property
    def dilation_w(self) -> int: ...


def read_pads(raw: Any, image: Tensor, filter_size: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> Pads:
    """Explicit padding from the schema's SAME or VALID.

    Raises:
        ValueError: an image that is not NHWC, a filter or stride below 1, or another kind of padding.
    """
    if raw is None:
        raise ValueError("it has no options")
    if raw.padding not in (0, 1):
        raise ValueError(f"padding kind {raw.padding} does not exist")
    if len(image.shape) != 4:
        raise ValueError(f"its input is {describe(image)}, not an NHWC image")
    if min(raw.strideH, raw.strideW, *filter_size, *dilation) < 1:
        raise ValueError("a stride, dilation or filter size is below 1")
    same = raw.padding == 0
    _, top, bottom = same_or_valid_padding(same, image.shape[1], filter_size[0], raw.strideH, dilation[0])
    _, left, right = same_or_valid_padding(same, image.shape[2], filter_size[1], raw.strideW, dilation[1])
    return Pads(top, bottom, left, right)


def step_params(options: Dilated) -> tuple[tuple[str, int], ...]:
    """How a convolution's windows go over the image, as its kernels take it."""
    return (
        ("stride_h", options.stride_h),
        ("stride_w", options.stride_w),
        ("dilation_h", options.dilation_h),
        ("dilation_w", options.dilation_w),
        ("pad_top", options.pads.top),
        ("pad_left", options.pads.left),
    )


def extent(filter_size: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns that a dilated filter spans."""
    return (filter_size[0] - 1) * dilation[0] + 1, (filter_size[1] - 1) * dilation[1] + 1


def output_size(in_size: int, before: int, after: int, span: int, stride: int) -> int:
    """Number of windows along one axis; `span` is what a window spans, dilation included."""
    return (in_size + before + after - span) // stride + 1


def output_shape_problem(graph: Graph, op: Op, options: Windowed, span: tuple[int, int], channels: int) -> str | None:
    """What is wrong with the output's shape, given what each window spans, or None.

    Pads computed from SAME give the same sizes here as TFLite's own formula, because they are 0 exactly where
    all windows fit without them.
    """
    image, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if min(image.shape) < 1:
        return f"the input {describe(image)} is empty"
    pads = options.pads
    padded = (image.shape[1] + pads.top + pads.bottom) * (image.shape[2] + pads.left + pads.right)
    if padded * image.shape[3] > _MAX_PADDED_ELEMENTS:
        return f"the input {describe(image)} with its padding has {padded} pixels, more than kernels can count"
    height = output_size(image.shape[1], pads.top, pads.bottom, span[0], options.stride_h)
    width = output_size(image.shape[2], pads.left, pads.right, span[1], options.stride_w)
    expected = (image.shape[0], height, width, channels)
    if min(height, width) < 1:
        return f"the filter is larger than the input {describe(image)}, so that there is no output"
    if output.shape != expected:
        return f"the output has shape {list(output.shape)} where the op gives {list(expected)}"
    return None


def reaches_outside(graph: Graph, op: Op, options: Windowed, span: tuple[int, int]) -> bool:
    """Whether any window takes in padding."""
    _, height, width, _ = graph.tensor(op.inputs[0]).shape
    _, rows, columns, _ = graph.output_of(op).shape
    return (
        options.pads.top > 0
        or options.pads.left > 0
        or (rows - 1) * options.stride_h + span[0] > height
        or (columns - 1) * options.stride_w + span[1] > width
    )


def macs_per_window(graph: Graph, op: Op, macs: int) -> int:
    """Multiply-accumulates of an op that needs `macs` of them for every output element."""
    return math.prod(graph.output_of(op).shape) * macs
