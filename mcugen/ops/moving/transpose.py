"""TRANSPOSE: any permutation of up to five dimensions; one that only moves dimensions of 1 costs nothing."""

from __future__ import annotations

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

_TYPES = (DType.INT8, DType.INT16, DType.FLOAT32)


def _permutation(graph: Graph, op: Op) -> str | None:
    """The permutation is constant int32, and each of its numbers names another dimension."""
    shape = graph.tensor(op.inputs[0]).shape
    problem = constant_integers(graph, op, 1, "permutation", len(shape))
    if problem:
        return problem
    order = constant_values(graph, op, 1)
    return None if sorted(order) == list(range(len(shape))) else f"{order} is no permutation of {len(shape)} dimensions"


def _shape(graph: Graph, op: Op) -> str | None:
    """The output has the input's dimensions in the permutation's order."""
    shape = graph.tensor(op.inputs[0]).shape
    return shape_problem(graph.output_of(op), [shape[n] for n in constant_values(graph, op, 1)])


def _moves(graph: Graph, op: Op) -> list[Move]:
    output = graph.output_of(op)
    read = strides(graph.tensor(op.inputs[0]).shape)
    order = constant_values(graph, op, 1)
    written = strides(output.shape)
    loops = tuple(Loop(count, read[n], step) for count, n, step in zip(output.shape, order, written, strict=True))
    return [Move(op.inputs[0], output.id, loops)]


SPEC = OpSpec(
    kind="TRANSPOSE",
    lower=lowering(_moves),
    constraints=(counts(2), not_empty, moved_types(_TYPES), most_dimensions(5), _permutation, _shape),
    evaluate=evaluation(_moves),
    types=type_names(_TYPES),
)
