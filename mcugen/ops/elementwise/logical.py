"""LOGICAL_AND and LOGICAL_OR."""

from __future__ import annotations

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops import broadcasting
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, two_inputs


def _bool(graph: Graph, op: Op) -> str | None:
    """All tensors are bool."""
    for i in (*op.inputs, *op.outputs):
        if graph.tensor(i).dtype is not DType.BOOL:
            return f'tensor "{graph.tensor(i).name}" is {graph.tensor(i).dtype.value}, not bool'
    return None


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    call = KernelCall(
        kernel="mcg_logical",
        params=(*broadcasting.loop_params(graph, op), ("both", int(op.kind == "LOGICAL_AND"))),
        inputs=op.inputs,
        outputs=op.outputs,
        inplace=broadcasting.inplace_operands(graph, op),
    )
    return Lowering((call,))


SPECS = tuple(
    OpSpec(
        kind=kind,
        lower=_lower,
        constraints=(two_inputs, _bool, not_empty, broadcasting.broadcastable),
        types=("bool",),
    )
    for kind in ("LOGICAL_AND", "LOGICAL_OR")
)
