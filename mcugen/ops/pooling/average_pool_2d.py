"""AVERAGE_POOL_2D: int8, input and output on one scale."""

from __future__ import annotations

from mcugen.graph.types import Graph, Op
from mcugen.ops.base import Lowering, OpSpec, Target
from mcugen.ops.pooling import pools


def lower(graph: Graph, op: Op, target: Target) -> Lowering:
    return pools.lower_pool(graph, op, target, "mcg_average_pool_2d_s8", counts=True)


SPEC = OpSpec(kind="AVERAGE_POOL_2D", lower=lower, constraints=pools.CONSTRAINTS, parse=pools.parse)
