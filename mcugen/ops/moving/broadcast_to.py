"""BROADCAST_TO: dimensions of 1 stretch."""

from __future__ import annotations

import numpy as np

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops.base import OpSpec
from mcugen.ops.checks import not_empty
from mcugen.ops.movement import (
    Loop,
    Move,
    constant_integers,
    constant_values,
    counts,
    evaluation,
    lowering,
    most_dimensions,
    moved_types,
    shape_problem,
    strides,
    type_names,
)

_TYPES = (DType.INT8, DType.INT16, DType.INT32, DType.FLOAT32, DType.BOOL)


def _shape(graph: Graph, op: Op) -> str | None:
    """The shape is constant, has at most 5 dimensions, is the output's, and the input's broadcasts to it."""
    problem = constant_integers(graph, op, 1, "shape")
    if problem:
        return problem
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if len(output.shape) > 5:
        return f"the output has {len(output.shape)} dimensions"
    try:
        fits = np.broadcast_shapes(source.shape, output.shape) == output.shape
    except ValueError:
        fits = False
    if not fits:
        return f"{list(source.shape)} does not stretch to {list(output.shape)}"
    return shape_problem(output, constant_values(graph, op, 1))


def _moves(graph: Graph, op: Op) -> list[Move]:
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    shape = (1,) * (len(output.shape) - len(source.shape)) + source.shape
    read, written = strides(shape), strides(output.shape)
    loops = tuple(
        Loop(count, step if size > 1 else 0, output_step)
        for count, size, step, output_step in zip(output.shape, shape, read, written, strict=True)
    )
    return [Move(source.id, output.id, loops)]


SPEC = OpSpec(
    kind="BROADCAST_TO",
    lower=lowering(_moves),
    constraints=(counts(2), not_empty, moved_types(_TYPES), most_dimensions(5), _shape),
    evaluate=evaluation(_moves),
    types=type_names(_TYPES),
)
