"""ADD_N, float32: two or more tensors of one shape, added one after the other."""

from __future__ import annotations

from mcugen.graph.types import Graph, Op
from mcugen.ops import float32
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty


def _operands(graph: Graph, op: Op) -> str | None:
    """Two or more inputs and one output, all of the same shape."""
    if len(op.inputs) < 2 or len(op.outputs) != 1 or min(op.inputs) < 0:
        return f"it has {len(op.inputs)} inputs and {len(op.outputs)} outputs"
    shapes = {graph.tensor(i).shape for i in (*op.inputs, *op.outputs)}
    return None if len(shapes) == 1 else f"the shapes are {' and '.join(str(list(s)) for s in sorted(shapes))}"


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    (output,) = op.outputs
    first, *others = op.inputs
    infinity = float("inf")
    loops = (
        ("count", (1, 1, 1, graph.tensor(output).elements)),
        ("stride1", (0, 0, 0, 1)),
        ("stride2", (0, 0, 0, 1)),
    )
    calls = tuple(
        KernelCall(
            kernel="mcg_add_f32",
            params=(*loops, ("min", -infinity), ("max", infinity)),
            inputs=(first if n == 0 else output, other),
            outputs=op.outputs,
        )
        for n, other in enumerate(others)
    )
    return Lowering(calls)


SPEC = OpSpec(
    kind="ADD_N",
    lower=_lower,
    constraints=(_operands, not_empty, float32.all_float),
    types=float32.TYPES,
)
