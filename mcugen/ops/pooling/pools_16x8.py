"""AVERAGE_POOL_2D and MAX_POOL_2D of int16 activations, input and output on one scale."""

from __future__ import annotations

from mcugen.graph.types import Graph, Op
from mcugen.numerics.quantized import INT16_MIN
from mcugen.ops import symmetric
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import one_input
from mcugen.ops.pooling import pools
from mcugen.ops.variants import fastest
from mcugen.ops.with_weights import known_activation


def _sum_fits(_graph: Graph, op: Op) -> str | None:
    """No window's sum exceeds 32 bits."""
    size = op.options.filter_h * op.options.filter_w
    return None if size * (1 - INT16_MIN) < 1 << 31 else f"windows of {size} pixels overflow 32-bit sums"


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    averages = op.kind == "AVERAGE_POOL_2D"
    call = KernelCall(
        kernel="mcg_average_pool_2d_s16" if averages else "mcg_max_pool_2d_s16",
        params=pools.pool_params(graph, op, counts=averages),
        inputs=op.inputs,
        outputs=op.outputs,
    )
    return Lowering((fastest(target, call),))


SPECS = tuple(
    OpSpec(
        kind=kind,
        lower=_lower,
        constraints=(
            one_input,
            symmetric.in_and_out,
            pools.same_scale,
            pools.shapes_fit,
            known_activation,
            *((_sum_fits,) if kind == "AVERAGE_POOL_2D" else ()),
        ),
        parse=pools.parse,
        types=("int16",),
    )
    for kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D")
)
