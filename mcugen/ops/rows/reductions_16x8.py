"""MEAN and SUM of int16 activations over any axes."""

from __future__ import annotations

from mcugen.graph.types import Graph, Op
from mcugen.ops import symmetric
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, two_inputs
from mcugen.ops.rows import mean
from mcugen.ops.variants import fastest


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    multiplier, shift = mean.multiplier_and_shift(graph, op)
    call = KernelCall(
        kernel="mcg_mean_s16",
        params=(*mean.loop_params(graph, op), ("multiplier", multiplier), ("shift", shift)),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
    )
    return Lowering((fastest(target, call),))


SPECS = tuple(
    OpSpec(
        kind=kind,
        lower=_lower,
        constraints=(two_inputs, not_empty, symmetric.in_and_out, *mean.AXES, mean.sum_fits),
        types=("int16",),
    )
    for kind in ("MEAN", "SUM")
)
