"""SELECT_V2: values of one operand or another, by a condition; all three broadcast."""

from __future__ import annotations

import numpy as np

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty
from mcugen.ops.movement import counts, moved_types, shape_problem, strides, type_names

_TYPES = (DType.INT8, DType.INT16, DType.FLOAT32)
_LOOPS = 5  # of mcg_select


def _condition(graph: Graph, op: Op) -> str | None:
    """The condition is bool."""
    dtype = graph.tensor(op.inputs[0]).dtype
    return None if dtype is DType.BOOL else f"the condition is {dtype.value}"


def _shapes(graph: Graph, op: Op) -> str | None:
    """The three operands broadcast to the output's shape, of at most 5 dimensions."""
    shapes = [graph.tensor(i).shape for i in op.inputs]
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        return f"the shapes {', '.join(str(list(s)) for s in shapes)} do not broadcast"
    if len(expected) > _LOOPS:
        return f"the output has {len(expected)} dimensions"
    return shape_problem(graph.output_of(op), expected)


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    output = graph.output_of(op)
    loops: list[tuple[int, ...]] = []  # count and the operands' strides, innermost first
    steps = []
    for i in op.inputs:
        shape = (1,) * (len(output.shape) - len(graph.tensor(i).shape)) + graph.tensor(i).shape
        steps.append([step if size > 1 else 0 for size, step in zip(shape, strides(shape), strict=True)])
    for count, *moved in reversed(list(zip(output.shape, *steps, strict=True))):
        if count == 1:
            continue
        if loops and all(step == inner * loops[-1][0] for step, inner in zip(moved, loops[-1][1:], strict=True)):
            loops[-1] = (loops[-1][0] * count, *loops[-1][1:])
        else:
            loops.append((count, *moved))
    padded = [(1, 0, 0, 0)] * (_LOOPS - len(loops)) + loops[::-1]
    count, condition, first, second = (tuple(column) for column in zip(*padded, strict=True))
    call = KernelCall(
        kernel="mcg_select",
        params=(
            ("count", count),
            ("condition_stride", condition),
            ("stride1", first),
            ("stride2", second),
            ("bytes", output.dtype.itemsize),
        ),
        inputs=op.inputs,
        outputs=op.outputs,
    )
    return Lowering((call,))


SPEC = OpSpec(
    kind="SELECT_V2",
    lower=_lower,
    constraints=(counts(3), not_empty, _condition, moved_types(_TYPES, 1, 3), _shapes),
    types=type_names(_TYPES),
)
