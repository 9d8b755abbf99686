"""SHAPE, BROADCAST_ARGS, FILL and ZEROS_LIKE: tensors known from shapes, or of one value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, same_shape, same_type
from mcugen.ops.movement import (
    BYTES_AND_WORDS,
    Loop,
    Move,
    constant_integers,
    constant_values,
    copy_call,
    counts,
    evaluation,
    lowering,
    moved_types,
    shape_problem,
    type_names,
)


def _int32_output(graph: Graph, op: Op) -> str | None:
    """The output is int32, with one number per dimension."""
    output = graph.output_of(op)
    if output.dtype is not DType.INT32:
        return f"the output is {output.dtype.value}, not int32"
    return shape_problem(output, (len(_numbers(graph, op)),))


def _shapes_broadcast(graph: Graph, op: Op) -> str | None:
    """Both shapes are constant int32 vectors that broadcast to each other."""
    problem = constant_integers(graph, op, 0, "first shape") or constant_integers(graph, op, 1, "second shape")
    if problem:
        return problem
    first, second = constant_values(graph, op, 0), constant_values(graph, op, 1)
    pairs = zip(reversed(first), reversed(second), strict=False)
    if min(first + second) < 1 or any(a != b and 1 not in (a, b) for a, b in pairs):
        return f"{first} and {second} do not broadcast"
    return None


def _numbers(graph: Graph, op: Op) -> NDArray[np.int32]:
    """The output of SHAPE or BROADCAST_ARGS."""
    if op.kind == "SHAPE":
        return np.array(graph.tensor(op.inputs[0]).shape, np.int32)
    shapes = (tuple(constant_values(graph, op, n)) for n in (0, 1))
    return np.array(np.broadcast_shapes(*shapes), np.int32)


def _lower_numbers(graph: Graph, op: Op, _target: Target) -> Lowering:
    numbers = _numbers(graph, op)
    return Lowering((copy_call(Constant("shape", numbers), graph.output_of(op), (Loop(len(numbers), 1, 1),)),))


def _evaluate_numbers(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    return (_numbers(graph, op),)


def _filled(graph: Graph, op: Op) -> str | None:
    """The dimensions are constant, and the output's; the value is one number, constant or computed."""
    problem = constant_integers(graph, op, 0, "list of dimensions")
    if problem:
        return problem
    if graph.tensor(op.inputs[1]).shape != ():
        return "the value is not a scalar"
    return shape_problem(graph.output_of(op), constant_values(graph, op, 0))


def _fill_moves(graph: Graph, op: Op) -> list[Move]:
    return [Move(op.inputs[1], op.outputs[0], (Loop(graph.output_of(op).elements, 0, 1),))]


def _zero_means_zero(graph: Graph, op: Op) -> str | None:
    """The type is int8, int32 or float32; int8 has zero point 0: the reference writes 0, whatever that stands for."""
    output = graph.output_of(op)
    if output.dtype not in BYTES_AND_WORDS:
        return f"the output is {output.dtype.value}"
    if output.dtype is DType.INT8 and output.quant is not None and output.zero_point != 0:
        return f"the output's zero point is {output.zero_point}"
    return None


def _lower_zeros(graph: Graph, op: Op, _target: Target) -> Lowering:
    params = (("count", graph.output_of(op).nbytes), ("value", 0))
    return Lowering((KernelCall(kernel="mcg_fill_s8", params=params, inputs=(), outputs=op.outputs),))


def _evaluate_zeros(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    output = graph.output_of(op)
    return (np.zeros(output.shape, output.dtype.numpy),)


SPECS = (
    OpSpec(
        kind="SHAPE",
        lower=_lower_numbers,
        constraints=(counts(1), not_empty, _int32_output),
        evaluate=_evaluate_numbers,
        reads_values=False,
        types=("any",),
    ),
    OpSpec(
        kind="BROADCAST_ARGS",
        lower=_lower_numbers,
        constraints=(counts(2), not_empty, _shapes_broadcast, _int32_output),
        evaluate=_evaluate_numbers,
        types=("int32",),
    ),
    OpSpec(
        kind="FILL",
        lower=lowering(_fill_moves),
        constraints=(counts(2), not_empty, moved_types(BYTES_AND_WORDS, 1, 2), _filled),
        evaluate=evaluation(_fill_moves),
        types=type_names(BYTES_AND_WORDS),
    ),
    OpSpec(
        kind="ZEROS_LIKE",
        lower=_lower_zeros,
        constraints=(counts(1), not_empty, same_type, same_shape, _zero_means_zero),
        evaluate=_evaluate_zeros,
        reads_values=False,
        types=type_names(BYTES_AND_WORDS),
    ),
)
