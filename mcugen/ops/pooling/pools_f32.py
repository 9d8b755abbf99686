"""AVERAGE_POOL_2D, MAX_POOL_2D and L2_POOL_2D, float32."""

from __future__ import annotations

from mcugen.graph.types import Graph, Op
from mcugen.ops import float32
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import one_input
from mcugen.ops.pooling import pools

_POOLS = {"AVERAGE_POOL_2D": 0, "MAX_POOL_2D": 1, "L2_POOL_2D": 2}
"""MCG_POOL_… in mcg_pool_2d_f32.h."""


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    options: pools.Pool2DOptions = op.options
    call = KernelCall(
        kernel="mcg_pool_2d_f32",
        params=(
            ("pool", _POOLS[op.kind]),
            *pools.window_params(graph, op),
            *float32.clamp_params(options.activation),
        ),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
    )
    return Lowering((call,))


SPECS = tuple(
    OpSpec(
        kind=kind,
        lower=_lower,
        constraints=(one_input, float32.in_and_out, pools.shapes_fit, float32.known_activation),
        parse=pools.parse,
        types=float32.TYPES,
    )
    for kind in _POOLS
)
