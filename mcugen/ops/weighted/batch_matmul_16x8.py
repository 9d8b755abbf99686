"""BATCH_MATMUL of int16 activations, summed up in 64 bits."""

from __future__ import annotations

from mcugen.graph.types import Graph, Op
from mcugen.numerics.quantized import short_multiplier
from mcugen.ops import symmetric
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, two_inputs
from mcugen.ops.variants import fastest
from mcugen.ops.weighted import batch_matmul
from mcugen.ops.weighted.weighted_16x8 import wide_scaling_problem


def _sums_fit(graph: Graph, op: Op) -> str | None:
    """No sum of products exceeds 47 bits, and none 31 when it is scaled to the output."""
    depth = int(dict(batch_matmul.loop_params(graph, op))["depth"])  # type: ignore[arg-type]
    return wide_scaling_problem(depth << 30, *batch_matmul.factor(graph, op))


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    multiplier, shift = batch_matmul.factor(graph, op)
    call = KernelCall(
        kernel="mcg_batch_matmul_s16",
        params=(
            *batch_matmul.loop_params(graph, op),
            ("multiplier", short_multiplier(multiplier)),
            ("shift", shift if multiplier else -1),
        ),
        inputs=op.inputs,
        outputs=op.outputs,
    )
    return Lowering((fastest(target, call),))


SPEC = OpSpec(
    kind="BATCH_MATMUL",
    lower=_lower,
    constraints=(two_inputs, not_empty, symmetric.operands, batch_matmul.shapes_fit, _sums_fit),
    parse=batch_matmul.SPEC.parse,
    macs=batch_matmul.SPEC.macs,
    types=("int16",),
)
