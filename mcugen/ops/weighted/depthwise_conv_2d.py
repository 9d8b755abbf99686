"""DEPTHWISE_CONV_2D: int8, any stride, dilation, padding and depth multiplier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops import memory, windows, with_weights
from mcugen.ops.base import PORTABLE, Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.common import Pads, describe, fused_activation_name
from mcugen.ops.planes import InPlace
from mcugen.ops.variants import Site, fastest, is_outrun, rank
from mcugen.ops.weighted import conv_2d


@dataclass(frozen=True)
class Part:
    """Where a single window lies in a larger tensor: its first byte, and bytes from a tap to the next."""

    start: int
    step: int


@dataclass(frozen=True)
class DepthwiseConv2DOptions:
    """Padding is explicit, so that a PAD before the op can be added to it.

    `part` is set where a pass made the op read its window in place from a larger tensor than its input was.
    """

    pads: Pads
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    depth_multiplier: int
    activation: str
    part: Part | None = None


def parse(raw: Any, inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> DepthwiseConv2DOptions:
    image, weights = inputs[0], inputs[1]
    if image is None or weights is None or len(weights.shape) != 4:
        raise ValueError("its filter does not have four dimensions")
    if raw is None:
        raise ValueError("it has no options")
    dilation = (raw.dilationHFactor, raw.dilationWFactor)
    return DepthwiseConv2DOptions(
        pads=windows.read_pads(raw, image, (weights.shape[1], weights.shape[2]), dilation),
        stride_h=raw.strideH,
        stride_w=raw.strideW,
        dilation_h=dilation[0],
        dilation_w=dilation[1],
        depth_multiplier=raw.depthMultiplier,
        activation=fused_activation_name(raw.fusedActivationFunction),
    )


def filter_scales(graph: Graph, op: Op) -> str | None:
    """The filter is quantized per tensor or per output channel, with zero point 0."""
    return with_weights.channel_scales_problem(graph.tensor(op.inputs[1]), axis=3)


def shapes_fit(graph: Graph, op: Op) -> str | None:
    """Input and output are NHWC, the filter 1HWC; output channels = input channels × depth multiplier."""
    image, weights = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1])
    options: DepthwiseConv2DOptions = op.options
    if len(image.shape) != 4 or len(weights.shape) != 4 or min(weights.shape) < 1 or weights.shape[0] != 1:
        return f"the input is {describe(image)}, the filter {describe(weights)}"
    channels = weights.shape[3]
    if options.part is not None:
        return _part_problem(image, weights, options.part) or with_weights.bias_size_problem(graph, op, channels)
    if image.shape[3] * options.depth_multiplier != channels:
        return (
            f"filter {describe(weights)} does not have the input's {image.shape[3]} channels "
            f"times the depth multiplier {options.depth_multiplier}"
        )
    extent = windows.extent(weights.shape[1:3], (options.dilation_h, options.dilation_w))
    return windows.output_shape_problem(graph, op, options, extent, channels) or with_weights.bias_size_problem(
        graph, op, channels
    )


def _part_problem(source: Tensor, weights: Tensor, part: Part) -> str | None:
    _, height, width, channels = weights.shape
    last = part.start + (height * width - 1) * part.step + channels
    return None if last <= source.elements else f"its window reaches beyond {describe(source)}"


def accumulator_fits(graph: Graph, op: Op) -> str | None:
    """No sum of products and bias can exceed 32 bits."""
    return with_weights.overflow_problem(graph, op, _rows(with_weights.weights_of(graph, op)))


_SINGLE = "mcg_depthwise_single_s8"


def lower(graph: Graph, op: Op, target: Target) -> Lowering:
    options: DepthwiseConv2DOptions = op.options
    weights = with_weights.weights_of(graph, op)
    stage = with_weights.output_stage(
        graph, op, _rows(weights), with_weights.effective_scales(graph, op), options.activation
    )
    if single := _single_window(graph, op, weights, stage):
        call = fastest(target, single)
        if options.part or call.variant != PORTABLE or not is_outrun(target, _SINGLE):
            return Lowering((call,))
    params = (
        *window_params(graph, op, weights.shape, options),
        ("input_zero_point", graph.tensor(op.inputs[0]).zero_point),
        *stage.params,
    )
    shape = ",".join(str(d) for d in weights.shape)
    call = KernelCall(
        kernel="mcg_depthwise_conv_2d_s8",
        params=params,
        inputs=(op.inputs[0],),
        outputs=op.outputs,
        constants=(Constant("weights", weights, f"[{shape}], 1HWC"), *stage.constants),
    )
    site = Site(memory.scratch_budget(graph, op, target), _in_place(graph, op, target), options.depth_multiplier)
    depthwise = fastest(target, call, site)
    if options.depth_multiplier == 1:
        return Lowering((depthwise,))
    grouped = _grouped(graph, op, target, weights, options)
    on_planes = depthwise.variant != PORTABLE and rank(target, depthwise) <= rank(target, grouped)
    return Lowering((depthwise if on_planes else grouped,))


def _single_window(
    graph: Graph, op: Op, weights: NDArray[np.int8], stage: with_weights.OutputStage
) -> KernelCall | None:
    """The call for one window per image, of whole rows, as streams have; else None."""
    options: DepthwiseConv2DOptions = op.options
    if options.part is None and not is_single_window(graph, op):
        return None
    _, filter_h, filter_w, channels = weights.shape
    part = options.part or Part(0, channels)
    return KernelCall(
        kernel=_SINGLE,
        params=(("taps", filter_h * filter_w), ("channels", channels), ("step", part.step), *stage.params),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
        constants=(Constant("weights", weights, f"[{filter_h * filter_w},{channels}]"), *stage.constants),
        input_offset=part.start,
    )


def is_single_window(graph: Graph, op: Op) -> bool:
    """Whether the op has one window, of whole rows from the image's first on."""
    image, weights, options = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1]), op.options
    _, filter_h, filter_w, _ = weights.shape
    whole_rows = filter_w == image.shape[2] and filter_h <= image.shape[1] and image.shape[0] == 1
    dilated = (options.dilation_h > 1 and filter_h > 1) or (options.dilation_w > 1 and filter_w > 1)
    one = graph.output_of(op).shape[1:3] == (1, 1)
    return one and whole_rows and not dilated and options.depth_multiplier == 1 and not any(astuple(options.pads))


def _in_place(graph: Graph, op: Op, target: Target) -> InPlace:
    if not memory.is_last_use(graph, op, op.inputs[0]) or target.scratch_limit not in (None, memory.UNLIMITED):
        return "never"
    return "always" if target.scratch_limit is None else "turned"


def _grouped(
    graph: Graph, op: Op, target: Target, weights: NDArray[np.int8], options: DepthwiseConv2DOptions
) -> KernelCall:
    (call,) = conv_2d.lower_filter(graph, op, target, *as_convolution(weights, options)).calls
    return call


def as_convolution(
    weights: NDArray[np.int8], options: DepthwiseConv2DOptions
) -> tuple[NDArray[np.int8], conv_2d.Conv2DOptions]:
    """Several filters per input channel as a convolution with one group per input channel: OHWI filter, options."""
    as_conv = conv_2d.Conv2DOptions(
        options.pads,
        options.stride_h,
        options.stride_w,
        options.dilation_h,
        options.dilation_w,
        options.activation,
    )
    return np.ascontiguousarray(weights.transpose(3, 1, 2, 0)), as_conv


def window_params(
    graph: Graph, op: Op, filter_shape: tuple[int, ...], options: DepthwiseConv2DOptions
) -> tuple[tuple[str, int], ...]:
    """Where the windows of a 1HWC filter lie: what the kernels of quantized types take first."""
    batches, height, width, channels = graph.tensor(op.inputs[0]).shape
    _, rows, columns, _ = graph.output_of(op).shape
    return (
        ("batches", batches),
        ("input_height", height),
        ("input_width", width),
        ("channels", channels),
        ("filter_height", filter_shape[1]),
        ("filter_width", filter_shape[2]),
        ("output_height", rows),
        ("output_width", columns),
        *windows.step_params(options),
    )


def macs(graph: Graph, op: Op) -> int:
    _, height, width, _ = graph.tensor(op.inputs[1]).shape
    return windows.macs_per_window(graph, op, height * width)


def _rows(weights: NDArray[np.int8]) -> NDArray[np.int8]:
    """1HWC weights as [channels, depth]."""
    rows: NDArray[np.int8] = weights.reshape(-1, weights.shape[3]).T
    return rows


SPEC = OpSpec(
    kind="DEPTHWISE_CONV_2D",
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
