"""TRANSPOSE_CONV, float32: every output pixel gathers the input pixels whose window it lies in."""

from __future__ import annotations

from dataclasses import replace

from mcugen.graph.types import Graph, Op
from mcugen.ops import float32, with_weights
from mcugen.ops.base import KernelCall, Lowering, Target
from mcugen.ops.weighted import transpose_conv


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    convolution = transpose_conv.as_convolution(op)
    call = KernelCall(
        kernel="mcg_transpose_conv_f32",
        params=(*transpose_conv.geometry_params(graph, op), *float32.clamp_params(op.options.activation)),
        inputs=(convolution.inputs[0],),
        outputs=op.outputs,
        constants=(
            float32.weights_constant(graph, convolution),
            float32.bias_constant(graph, convolution, graph.output_of(op).shape[3]),
        ),
    )
    return Lowering((call,))


SPEC = replace(
    transpose_conv.SPEC,
    lower=_lower,
    constraints=(
        transpose_conv.operands,
        transpose_conv.of_convolution(float32.weights_and_bias),
        transpose_conv.of_convolution(with_weights.constant_weights),
        transpose_conv.shapes_fit,
        float32.known_activation,
    ),
    types=float32.TYPES,
)
