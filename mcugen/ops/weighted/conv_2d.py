"""CONV_2D: int8, any stride, dilation, padding and number of groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops import memory, windows, with_weights
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.common import Pads, describe, fused_activation_name
from mcugen.ops.variants import Site, fastest


@dataclass(frozen=True)
class Conv2DOptions:
    """Padding is explicit, so that a PAD before the op can be added to it.

    `int32_sums` says how int16 activations are summed up where there is no bias to say it.
    """

    pads: Pads
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    activation: str
    int32_sums: bool = False


def parse(raw: Any, inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> Conv2DOptions:
    image, weights = inputs[0], inputs[1]
    if image is None or weights is None or len(weights.shape) != 4:
        raise ValueError("its filter does not have four dimensions")
    if raw is None:
        raise ValueError("it has no options")
    dilation = (raw.dilationHFactor, raw.dilationWFactor)
    return Conv2DOptions(
        pads=windows.read_pads(raw, image, (weights.shape[1], weights.shape[2]), dilation),
        stride_h=raw.strideH,
        stride_w=raw.strideW,
        dilation_h=dilation[0],
        dilation_w=dilation[1],
        activation=fused_activation_name(raw.fusedActivationFunction),
        int32_sums=with_weights.asks_for_int32_sums(raw),
    )


def filter_scales(graph: Graph, op: Op) -> str | None:
    """The filter is quantized per tensor or per output channel, with zero point 0."""
    return with_weights.channel_scales_problem(graph.tensor(op.inputs[1]), axis=0)


def shapes_fit(graph: Graph, op: Op) -> str | None:
    """Input and output are NHWC, the filter OHWI; its input channels divide the input's (groups)."""
    image, weights = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1])
    if len(image.shape) != 4 or len(weights.shape) != 4 or min(weights.shape) < 1:
        return f"the input is {describe(image)}, the filter {describe(weights)}"
    channels, _, _, filter_channels = weights.shape
    if image.shape[3] % filter_channels or channels % (image.shape[3] // filter_channels or 1):
        return f"filter {describe(weights)} does not divide the channels of {describe(image)} into groups"
    options: Conv2DOptions = op.options
    extent = windows.extent(weights.shape[1:3], (options.dilation_h, options.dilation_w))
    return windows.output_shape_problem(graph, op, options, extent, channels) or with_weights.bias_size_problem(
        graph, op, channels
    )


def accumulator_fits(graph: Graph, op: Op) -> str | None:
    """No sum of products and bias can exceed 32 bits."""
    return with_weights.overflow_problem(graph, op, _rows(with_weights.weights_of(graph, op)))


def lower(graph: Graph, op: Op, target: Target) -> Lowering:
    weights = with_weights.weights_of(graph, op)
    return lower_filter(graph, op, target, weights, op.options)


def lower_filter(graph: Graph, op: Op, target: Target, weights: NDArray[np.int8], options: Conv2DOptions) -> Lowering:
    """A convolution with an OHWI filter, by the kernel that fits its windows.

    DEPTHWISE_CONV_2D with a depth multiplier comes here too, as a grouped convolution.
    """
    stage = with_weights.output_stage(
        graph, op, _rows(weights), with_weights.effective_scales(graph, op), options.activation
    )
    direct = direct_params(graph, op, weights, options)
    if direct and (single := single_window(graph, op, weights, stage, direct)):
        return Lowering((fastest(target, single),))
    zero_point = graph.tensor(op.inputs[0]).zero_point
    general = (*window_params(graph, op, weights.shape, options), ("input_zero_point", zero_point))
    shape = ",".join(str(d) for d in weights.shape)
    call = KernelCall(
        kernel="mcg_conv_direct_s8" if direct else "mcg_conv_2d_s8",
        params=(*(direct or general), *stage.params),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
        constants=(Constant("weights", weights, f"[{shape}], OHWI"), *stage.constants),
        scratch_bytes=0 if direct else int(weights[0].size),
    )
    site = Site(budget=memory.scratch_budget(graph, op, target))
    return Lowering((fastest(target, call, site),))


def single_window(
    graph: Graph,
    op: Op,
    weights: NDArray[np.int8],
    stage: with_weights.OutputStage,
    direct: tuple[tuple[str, int], ...],
) -> KernelCall | None:
    """A convolution with one window per image, as streams have, as a fully connected layer; else None."""
    geometry = dict(direct)
    depth = geometry["depth"]
    if (geometry["rows"], geometry["columns"]) != (1, 1) or (
        geometry["batches"] > 1 and geometry["batch_step"] != depth
    ):
        return None
    return KernelCall(
        kernel="mcg_fully_connected_s8",
        params=(
            ("rows", geometry["batches"]),
            ("depth", depth),
            ("channels", geometry["channels"]),
            ("weights_offset", 0),
            *stage.params,
        ),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
        constants=(Constant("weights", _rows(weights), f"[{len(weights)},{depth}]"), *stage.constants),
    )


def direct_params(
    graph: Graph, op: Op, weights: NDArray[np.int8], options: Conv2DOptions
) -> tuple[tuple[str, int], ...] | None:
    """Parameters of the kernel that needs no gathering, or None if windows are not contiguous.

    They are if no window reaches into the padding and each is one pixel, or whole rows next to each other.
    """
    batches, height, width, channels = graph.tensor(op.inputs[0]).shape
    _, rows, columns, _ = graph.output_of(op).shape
    filters, filter_h, filter_w, filter_channels = weights.shape
    extent_h, extent_w = windows.extent((filter_h, filter_w), (options.dilation_h, options.dilation_w))
    padded = windows.reaches_outside(graph, op, options, (extent_h, extent_w))
    one_row = filter_h == 1 and extent_w == filter_w
    whole_rows = filter_w == width and extent_w == filter_w and extent_h == filter_h
    if padded or filter_channels != channels or not (one_row or whole_rows):
        return None
    return (
        ("batches", batches),
        ("rows", rows),
        ("columns", columns),
        ("batch_step", height * width * channels),
        ("row_step", options.stride_h * width * channels if rows > 1 else 0),
        ("column_step", options.stride_w * channels if columns > 1 else 0),
        ("depth", filter_h * filter_w * channels),
        ("channels", filters),
    )


def window_params(
    graph: Graph, op: Op, filter_shape: tuple[int, ...], options: Conv2DOptions
) -> tuple[tuple[str, int], ...]:
    """Where the windows of an OHWI filter lie: what the general kernels of all types take first."""
    batches, height, width, channels = graph.tensor(op.inputs[0]).shape
    _, rows, columns, _ = graph.output_of(op).shape
    filters, filter_h, filter_w, filter_channels = filter_shape
    return (
        ("batches", batches),
        ("input_height", height),
        ("input_width", width),
        ("input_channels", channels),
        ("filter_height", filter_h),
        ("filter_width", filter_w),
        ("filter_channels", filter_channels),
        ("output_height", rows),
        ("output_width", columns),
        ("output_channels", filters),
        ("groups", channels // filter_channels),
        *windows.step_params(options),
    )


def macs(graph: Graph, op: Op) -> int:
    return windows.macs_per_window(graph, op, int(with_weights.weights_of(graph, op)[0].size))


def _rows(weights: NDArray[np.int8]) -> NDArray[np.int8]:
    """OHWI weights as [channels, depth]."""
    return weights.reshape(weights.shape[0], -1)


SPEC = OpSpec(
    kind="CONV_2D",
    lower=lower,
    constraints=(
        with_weights.int8_with_int32_bias,
        with_weights.constant_weights,
        shapes_fit,
        filter_scales,
        with_weights.known_activation,
        accumulator_fits,
    ),
    parse=parse,
    macs=macs,
)
