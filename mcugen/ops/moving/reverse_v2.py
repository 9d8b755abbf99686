"""REVERSE_V2: the order of indices turned round along neighbouring axes."""

from __future__ import annotations

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops.base import OpSpec
from mcugen.ops.checks import not_empty, same_shape
from mcugen.ops.movement import (
    Loop,
    Move,
    constant_integers,
    constant_values,
    counts,
    evaluation,
    kernel_suffices,
    lowering,
    moved_types,
    strides,
    type_names,
)

_TYPES = (DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.FLOAT32, DType.BOOL)


def _axes(graph: Graph, op: Op) -> list[int]:
    rank = len(graph.tensor(op.inputs[0]).shape)
    return sorted(a + rank if a < 0 else a for a in constant_values(graph, op, 1))


def _axes_exist(graph: Graph, op: Op) -> str | None:
    """The axes are constant, exist, and lie next to each other, which the reference demands."""
    problem = constant_integers(graph, op, 1, "axis list")
    if problem:
        return problem
    axes, rank = _axes(graph, op), len(graph.tensor(op.inputs[0]).shape)
    if not axes or axes[0] < 0 or axes[-1] >= rank:
        return f"axes {axes} do not exist in {rank} dimensions"
    return None if axes == list(range(axes[0], axes[-1] + 1)) else f"axes {axes} are not neighbours"


def _moves(graph: Graph, op: Op) -> list[Move]:
    shape = graph.tensor(op.inputs[0]).shape
    axes = _axes(graph, op)
    steps = strides(shape)
    turned = [-step if n in axes else step for n, step in enumerate(steps)]
    loops = tuple(Loop(*loop) for loop in zip(shape, turned, steps, strict=True))
    return [Move(op.inputs[0], op.outputs[0], loops, sum((shape[n] - 1) * steps[n] for n in axes))]


SPEC = OpSpec(
    kind="REVERSE_V2",
    lower=lowering(_moves),
    constraints=(counts(2), not_empty, moved_types(_TYPES), same_shape, _axes_exist, kernel_suffices(_moves)),
    evaluate=evaluation(_moves),
    types=type_names(_TYPES),
)
