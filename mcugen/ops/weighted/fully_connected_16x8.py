"""FULLY_CONNECTED: int16 activations with int8 weights, inputs of any rank."""

from __future__ import annotations

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops import with_weights
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.variants import fastest
from mcugen.ops.weighted import fully_connected, weighted_16x8


def _weights_scales(graph: Graph, op: Op) -> str | None:
    """Weights are quantized per tensor or per output channel, with zero point 0."""
    return with_weights.channel_scales_problem(graph.tensor(op.inputs[1]), axis=0)


def _accumulator_fits(graph: Graph, op: Op) -> str | None:
    """No sum of products and bias exceeds 47 bits (31 with an int32 bias), and none 31 when it is scaled."""
    return weighted_16x8.accumulator_problem(graph, op, with_weights.weights_of(graph, op))


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    weights = with_weights.weights_of(graph, op)
    channels, depth = weights.shape
    stage = weighted_16x8.output_stage(graph, op, channels, op.options.activation)
    # Every row of inputs is a window of its own.
    call = KernelCall(
        kernel="mcg_conv_direct_s16",
        params=(
            ("batches", 1),
            ("rows", 1),
            ("columns", graph.tensor(op.inputs[0]).elements // depth),
            ("batch_step", 0),
            ("row_step", 0),
            ("column_step", depth),
            ("depth", depth),
            ("channels", channels),
            *stage.params,
        ),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
        constants=(Constant("weights", weights, f"[{channels},{depth}]"), *stage.constants),
    )
    return Lowering((fastest(target, call),))


SPEC = OpSpec(
    kind="FULLY_CONNECTED",
    lower=_lower,
    constraints=(
        weighted_16x8.int8_weights(DType.INT64, DType.INT32),
        with_weights.constant_weights,
        fully_connected.plain_weights,
        fully_connected.shapes_fit,
        _weights_scales,
        with_weights.known_activation,
        _accumulator_fits,
    ),
    parse=fully_connected.parse,
    macs=fully_connected.macs,
    types=("int16",),
)
