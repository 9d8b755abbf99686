"""DEPTHWISE_CONV_2D: int16 activations with int8 weights, any stride, dilation, padding and depth multiplier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops import with_weights
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.variants import fastest
from mcugen.ops.weighted import conv_2d, conv_2d_16x8, depthwise_conv_2d, weighted_16x8


def _accumulator_fits(graph: Graph, op: Op) -> str | None:
    """No sum of products and bias exceeds 47 bits, and none 31 when it is scaled to the output."""
    weights = with_weights.weights_of(graph, op)
    rows: NDArray[np.int8] = weights.reshape(-1, weights.shape[3]).T
    return weighted_16x8.accumulator_problem(graph, op, rows)


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    options: depthwise_conv_2d.DepthwiseConv2DOptions = op.options
    weights = with_weights.weights_of(graph, op)
    if options.depth_multiplier > 1:
        # Several filters per input channel: the same as a convolution with one group per input channel.
        ohwi = np.ascontiguousarray(weights.transpose(3, 1, 2, 0))
        as_conv = conv_2d.Conv2DOptions(
            options.pads,
            options.stride_h,
            options.stride_w,
            options.dilation_h,
            options.dilation_w,
            options.activation,
        )
        return conv_2d_16x8.lower_filter(graph, op, target, ohwi, as_conv)
    batches, height, width, channels = graph.tensor(op.inputs[0]).shape
    _, rows, columns, _ = graph.output_of(op).shape
    stage = weighted_16x8.output_stage(graph, op, channels, options.activation)
    call = KernelCall(
        kernel="mcg_depthwise_conv_2d_s16",
        params=(
            ("batches", batches),
            ("input_height", height),
            ("input_width", width),
            ("channels", channels),
            ("filter_height", weights.shape[1]),
            ("filter_width", weights.shape[2]),
            ("output_height", rows),
            ("output_width", columns),
            ("stride_h", options.stride_h),
            ("stride_w", options.stride_w),
            ("dilation_h", options.dilation_h),
            ("dilation_w", options.dilation_w),
            ("pad_top", options.pads.top),
            ("pad_left", options.pads.left),
            *stage.params,
        ),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
        constants=(Constant("weights", weights, f"[{','.join(map(str, weights.shape))}], 1HWC"), *stage.constants),
    )
    return Lowering((fastest(target, call),))


SPEC = OpSpec(
    kind="DEPTHWISE_CONV_2D",
    lower=_lower,
    constraints=(
        weighted_16x8.int8_weights(DType.INT64),
        with_weights.constant_weights,
        depthwise_conv_2d.shapes_fit,
        depthwise_conv_2d.filter_scales,
        with_weights.known_activation,
        _accumulator_fits,
    ),
    parse=depthwise_conv_2d.parse,
    macs=depthwise_conv_2d.macs,
    types=("int16",),
)
