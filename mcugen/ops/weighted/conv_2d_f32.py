"""CONV_2D, float32: any stride, dilation, padding and number of groups."""

from __future__ import annotations

from dataclasses import replace

from mcugen.graph.types import Graph, Op
from mcugen.ops import float32, with_weights
from mcugen.ops.base import KernelCall, Lowering, Target
from mcugen.ops.weighted import conv_2d


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    options: conv_2d.Conv2DOptions = op.options
    shape = graph.tensor(op.inputs[1]).shape
    call = KernelCall(
        kernel="mcg_conv_2d_f32",
        params=(
            *conv_2d.window_params(graph, op, shape, options),
            *float32.clamp_params(options.activation),
        ),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
        constants=(float32.weights_constant(graph, op), float32.bias_constant(graph, op, shape[0])),
    )
    return Lowering((call,))


SPEC = replace(
    conv_2d.SPEC,
    lower=_lower,
    constraints=(
        float32.weights_and_bias,
        with_weights.constant_weights,
        conv_2d.shapes_fit,
        float32.known_activation,
    ),
    types=float32.TYPES,
)
