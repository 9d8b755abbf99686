"""What element-wise operators share: fused activations, broadcasting, and lookup tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops.base import Constant, Constraint, KernelCall, Lowering, ParamValue, Target
from mcugen.ops.checks import quantization_problem
from mcugen.ops.common import fused_activation_name

LOOPS = 4
"""Loops of the broadcasting kernels, as in firmware/kernels/mcg_broadcast.h."""


@dataclass(frozen=True)
class ArithmeticOptions:
    """Options of ADD, SUB and MUL."""

    activation: str = "NONE"


def parse_arithmetic(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> ArithmeticOptions:
    return ArithmeticOptions("NONE" if raw is None else fused_activation_name(raw.fusedActivationFunction))


def int8_operands(graph: Graph, op: Op) -> str | None:
    """Both inputs and the output are int8, with one scale above zero and one zero point each."""
    problems = (quantization_problem(graph.tensor(i)) for i in (*op.inputs, *op.outputs))
    return next((p for p in problems if p), None)


def broadcastable(graph: Graph, op: Op) -> str | None:
    """The output's shape is the inputs' shape, where dimensions of 1 stretch; at most four nested loops of it."""
    first, second, output = (graph.tensor(i).shape for i in (*op.inputs, *op.outputs))
    try:
        expected = np.broadcast_shapes(first, second)
    except ValueError:
        return f"the shapes {list(first)} and {list(second)} do not broadcast"
    if _without_leading_ones(expected) != _without_leading_ones(output):
        return f"the output's shape is {list(output)} where {list(expected)} is expected"
    loops = len(broadcast_loops(first, second))
    if loops > LOOPS:
        return f"its broadcast needs {loops} nested loops, more than {LOOPS}"
    return None


def _without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    significant = next((i for i, d in enumerate(shape) if d != 1), len(shape))
    return shape[significant:]


@dataclass(frozen=True)
class Loop:
    """One loop over the output: its count, and the elements that each input moves per round."""

    count: int
    stride1: int
    stride2: int


def broadcast_loops(first: tuple[int, ...], second: tuple[int, ...]) -> list[Loop]:
    """The fewest nested loops, outermost first, that visit all pairs in the output's order.

    Neighbouring dimensions that stretch the same input (or none) are one loop.
    """
    rank = max(len(first), len(second))
    dims1 = (1,) * (rank - len(first)) + first
    dims2 = (1,) * (rank - len(second)) + second
    loops: list[Loop] = []  # innermost first
    size1 = size2 = 1
    for d1, d2 in zip(reversed(dims1), reversed(dims2), strict=True):
        count = max(d1, d2)
        if count == 1:
            continue
        loop = Loop(count, size1 if d1 > 1 else 0, size2 if d2 > 1 else 0)
        inner = loops[-1] if loops else None
        if inner and (inner.stride1 > 0, inner.stride2 > 0) == (loop.stride1 > 0, loop.stride2 > 0):
            loops[-1] = Loop(inner.count * count, inner.stride1, inner.stride2)
        else:
            loops.append(loop)
        size1, size2 = size1 * d1, size2 * d2
    return loops[::-1]


def loop_params(graph: Graph, op: Op) -> tuple[tuple[str, ParamValue], ...]:
    """The loops as the fields `count`, `stride1`, `stride2` of the broadcasting kernels, padded at the front."""
    loops = broadcast_loops(graph.tensor(op.inputs[0]).shape, graph.tensor(op.inputs[1]).shape)
    loops = [Loop(1, 0, 0)] * (LOOPS - len(loops)) + loops
    return (
        ("count", tuple(loop.count for loop in loops)),
        ("stride1", tuple(loop.stride1 for loop in loops)),
        ("stride2", tuple(loop.stride2 for loop in loops)),
    )


def inplace_operands(graph: Graph, op: Op) -> tuple[int, ...]:
    """Inputs that are as large as the output: element i is read just before element i is written."""
    size = graph.output_of(op).elements
    return tuple(n for n, i in enumerate(op.inputs) if graph.tensor(i).elements == size)


TableOf = Callable[[Tensor, Tensor], NDArray[np.uint8]]
"""(input tensor, output tensor) → byte table (see mcugen.numerics.tables). Raises OverflowError."""


def table_constraint(table_of: TableOf) -> Constraint:
    """The constraint that an op's table exists."""

    def scales_in_range(graph: Graph, op: Op) -> str | None:
        """The scales are such that the reference's 32-bit arithmetic does not overflow."""
        try:
            table_of(graph.tensor(op.inputs[0]), graph.output_of(op))
        except OverflowError as error:
            return f"the scales are out of range: {error}"
        return None

    return scales_in_range


def lut_call(graph: Graph, op: Op, table: NDArray[np.uint8]) -> KernelCall:
    """The call of mcg_lut_8 for an op from one 8-bit tensor to another."""
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    return KernelCall(
        kernel="mcg_lut_8",
        params=(("count", output.elements),),
        inputs=(source.id,),
        constants=(Constant("table", table, "output byte by input byte"),),
        outputs=(output.id,),
        inplace=(0,),
    )


def table_lowering(table_of: TableOf) -> Callable[[Graph, Op, Target], Lowering]:
    """`lower` of an op between 8-bit types that is one table."""

    def lower(graph: Graph, op: Op, _target: Target) -> Lowering:
        return Lowering((lut_call(graph, op, table_of(graph.tensor(op.inputs[0]), graph.output_of(op))),))

    return lower
