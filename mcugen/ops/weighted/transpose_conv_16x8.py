"""TRANSPOSE_CONV: int16 activations with int8 weights."""

from __future__ import annotations

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops import with_weights
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.variants import fastest
from mcugen.ops.weighted import transpose_conv, weighted_16x8


def _accumulator_fits(graph: Graph, op: Op) -> str | None:
    """No sum of products and bias exceeds 47 bits, and none 31 when it is scaled to the output."""
    return weighted_16x8.accumulator_problem(
        graph, transpose_conv.as_convolution(op), transpose_conv.filter_rows(graph, op)
    )


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    convolution = transpose_conv.as_convolution(op)
    stage = weighted_16x8.output_stage(graph, convolution, graph.output_of(op).shape[3], op.options.activation)
    weights = with_weights.weights_of(graph, op)
    call = KernelCall(
        kernel="mcg_transpose_conv_s16",
        params=(*transpose_conv.geometry_params(graph, op), *stage.params),
        inputs=(convolution.inputs[0],),
        outputs=op.outputs,
        constants=(Constant("weights", weights, f"{list(weights.shape)}, OHWI"), *stage.constants),
    )
    return Lowering((fastest(target, call),))


SPEC = OpSpec(
    kind="TRANSPOSE_CONV",
    lower=_lower,
    constraints=(
        transpose_conv.operands,
        transpose_conv.of_convolution(weighted_16x8.int8_weights(DType.INT64, DType.INT16)),
        transpose_conv.of_convolution(with_weights.constant_weights),
        transpose_conv.shapes_fit,
        transpose_conv.filter_scales,
        with_weights.known_activation,
        _accumulator_fits,
    ),
    parse=transpose_conv.parse,
    macs=transpose_conv.macs,
    types=("int16",),
    typed_by=2,
)
