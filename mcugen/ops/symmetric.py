"""Constraints on int16 tensors, all of which have zero point 0 ("16x8"), and what follows from that."""

from __future__ import annotations

from collections.abc import Sequence

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops.base import ParamValue
from mcugen.ops.checks import quantization_problem


def symmetric_problem(graph: Graph, tensor_ids: Sequence[int]) -> str | None:
    """What keeps tensors from being int16 with one scale above zero and zero point 0. Not a constraint of its own."""
    for i in tensor_ids:
        tensor = graph.tensor(i)
        problem = quantization_problem(tensor, (DType.INT16,))
        if problem:
            return problem
        if tensor.zero_point:
            return f'tensor "{tensor.name}" has a zero point of {tensor.zero_point}, not 0'
    return None


def in_and_out(graph: Graph, op: Op) -> str | None:
    """The first input and the output are int16, with one scale above zero each, and zero point 0."""
    return symmetric_problem(graph, (op.inputs[0], op.outputs[0]))


def operands(graph: Graph, op: Op) -> str | None:
    """All inputs and the output are int16, with one scale above zero each, and zero point 0."""
    return symmetric_problem(graph, (*op.inputs, *op.outputs))


def without_zero_points(params: Sequence[tuple[str, ParamValue]]) -> tuple[tuple[str, ParamValue], ...]:
    """Parameters of an int8 kernel as the int16 kernel has them."""
    return tuple((name, value) for name, value in params if not name.startswith("zero_point"))
