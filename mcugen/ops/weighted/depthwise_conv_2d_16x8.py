"""DEPTHWISE_CONV_2D: int16 activations with int8 weights, any stride, dilation, padding and depth multiplier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops import with_weights
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.variants import fastest
from mcugen.ops.weighted import conv_2d_16x8, depthwise_conv_2d, weighted_16x8


def _accumulator_fits(graph: Graph, op: Op) -> str | None:
    """No sum of products and bias exceeds 47 bits, and none 31 when it is scaled to the output."""
    weights = with_weights.weights_of(graph, op)
    rows: NDArray[np.int8] = weights.reshape(-1, weights.shape[3]).T
    return weighted_16x8.accumulator_problem(graph, op, rows)


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    options: depthwise_conv_2d.DepthwiseConv2DOptions = op.options
    weights = with_weights.weights_of(graph, op)
    if options.depth_multiplier > 1:
        as_conv = depthwise_conv_2d.as_convolution(weights, options)
        return conv_2d_16x8.lower_filter(graph, op, target, *as_conv)
    stage = weighted_16x8.output_stage(graph, op, weights.shape[3], options.activation)
    call = KernelCall(
        kernel="mcg_depthwise_conv_2d_s16",
        params=(
            *depthwise_conv_2d.window_params(graph, op, weights.shape, options),
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
