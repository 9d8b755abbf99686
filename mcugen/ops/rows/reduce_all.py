"""REDUCE_ALL: whether all of some bools are true."""

from __future__ import annotations

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, two_inputs
from mcugen.ops.rows import mean


def _bools(graph: Graph, op: Op) -> str | None:
    """Input and output are bool."""
    for tensor in (graph.tensor(op.inputs[0]), graph.output_of(op)):
        if tensor.dtype is not DType.BOOL:
            return f'tensor "{tensor.name}" is {tensor.dtype.value}'
    return None


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    call = KernelCall(
        kernel="mcg_reduce_all",
        params=(*mean.loop_params(graph, op), ("largest", 0)),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
    )
    return Lowering((call,))


SPEC = OpSpec(
    kind="REDUCE_ALL",
    lower=_lower,
    constraints=(two_inputs, not_empty, _bools, *mean.AXES),
    types=("bool",),
)
