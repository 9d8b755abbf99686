"""DEPTHWISE_CONV_2D, float32: any stride, dilation, padding and depth multiplier."""

from __future__ import annotations

from dataclasses import replace

from mcugen.graph.types import Graph, Op
from mcugen.ops import float32, windows, with_weights
from mcugen.ops.base import KernelCall, Lowering, Target
from mcugen.ops.weighted import depthwise_conv_2d


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    options: depthwise_conv_2d.DepthwiseConv2DOptions = op.options
    batches, height, width, channels = graph.tensor(op.inputs[0]).shape
    _, filter_h, filter_w, filters = graph.tensor(op.inputs[1]).shape
    _, rows, columns, _ = graph.output_of(op).shape
    call = KernelCall(
        kernel="mcg_depthwise_conv_2d_f32",
        params=(
            ("batches", batches),
            ("input_height", height),
            ("input_width", width),
            ("input_channels", channels),
            ("filter_height", filter_h),
            ("filter_width", filter_w),
            ("output_height", rows),
            ("output_width", columns),
            ("depth_multiplier", options.depth_multiplier),
            *windows.step_params(options),
            *float32.clamp_params(options.activation),
        ),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
        constants=(float32.weights_constant(graph, op), float32.bias_constant(graph, op, filters)),
    )
    return Lowering((call,))


SPEC = replace(
    depthwise_conv_2d.SPEC,
    lower=_lower,
    constraints=(
        float32.weights_and_bias,
        with_weights.constant_weights,
        depthwise_conv_2d.shapes_fit,
        float32.known_activation,
    ),
    types=float32.TYPES,
)
