"""Comparisons of float32 tensors; NaN differs from everything, itself included."""

from __future__ import annotations

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops import broadcasting, float32
from mcugen.ops.base import Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, two_inputs
from mcugen.ops.elementwise import comparisons


def _types(graph: Graph, op: Op) -> str | None:
    """Both inputs are float32, the output is bool."""
    wanted = (DType.FLOAT32, DType.FLOAT32, DType.BOOL)
    found = tuple(graph.tensor(i).dtype for i in (*op.inputs, op.outputs[0]))
    if found != wanted:
        return f"the inputs are {found[0].value} and {found[1].value}, the output {found[2].value}"
    return None


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    less, equal, greater = comparisons.RESULTS[op.kind]
    results = (("less", less), ("equal", equal), ("greater", greater), ("unordered", int(op.kind == "NOT_EQUAL")))
    return float32.lower_binary(graph, op, "mcg_compare_f32", results)


SPECS = tuple(
    OpSpec(
        kind=kind,
        lower=_lower,
        constraints=(two_inputs, not_empty, _types, broadcasting.broadcastable),
        types=float32.TYPES,
    )
    for kind in comparisons.RESULTS
)
