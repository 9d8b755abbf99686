"""BATCH_MATMUL: matrices of two tensors multiplied; either may be transposed, and batches broadcast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.numerics.quantized import quantize_multiplier
from mcugen.ops.base import KernelCall, Lowering, OpSpec, ParamValue, Target
from mcugen.ops.broadcasting import int8_operands
from mcugen.ops.checks import not_empty, two_inputs
from mcugen.ops.movement import shape_problem, strides

_BATCHES = 3  # batch loops of the kernels


@dataclass(frozen=True)
class BatchMatMulOptions:
    """Which operands are transposed."""

    first: bool
    second: bool


@dataclass(frozen=True)
class _Matrices:
    """An operand: its batch dimensions with their steps, and its matrix as the product reads it."""

    batches: tuple[int, ...]
    batch_steps: tuple[int, ...]
    rows: int
    columns: int
    row_step: int
    column_step: int


def _parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> BatchMatMulOptions:
    return BatchMatMulOptions(False, False) if raw is None else BatchMatMulOptions(bool(raw.adjX), bool(raw.adjY))


def _matrices(shape: tuple[int, ...], transposed: bool) -> _Matrices:
    padded = (1,) * (_BATCHES + 2 - len(shape)) + shape
    steps = strides(padded)
    batch_steps = tuple(step if size > 1 else 0 for size, step in zip(padded[:-2], steps[:-2], strict=True))
    ends = ((padded[-2], steps[-2]), (padded[-1], steps[-1]))
    (rows, row_step), (columns, column_step) = reversed(ends) if transposed else ends
    return _Matrices(padded[:-2], batch_steps, rows, columns, row_step, column_step)


def _operands(graph: Graph, op: Op) -> tuple[_Matrices, _Matrices]:
    first, second = (graph.tensor(i).shape for i in op.inputs)
    return _matrices(first, op.options.first), _matrices(second, op.options.second)


def shapes_fit(graph: Graph, op: Op) -> str | None:
    """Both inputs have 2 to 5 dimensions; columns of the first are as many as rows of the second; batches broadcast."""
    shapes = [graph.tensor(i).shape for i in op.inputs]
    if not all(2 <= len(s) <= _BATCHES + 2 for s in shapes):
        return f"the inputs have {len(shapes[0])} and {len(shapes[1])} dimensions"
    first, second = _operands(graph, op)
    try:
        batches = np.broadcast_shapes(shapes[0][:-2], shapes[1][:-2])
    except ValueError:
        return f"the batches of {list(shapes[0])} and {list(shapes[1])} do not broadcast"
    if first.columns != second.rows:
        return f"{list(shapes[0])} and {list(shapes[1])} do not multiply"
    return shape_problem(graph.output_of(op), (*batches, first.rows, second.columns))


def factor(graph: Graph, op: Op) -> tuple[int, int]:
    """Multiplier and shift from the product of the scales to the output's, in double."""
    scale1, scale2 = (graph.tensor(i).scale for i in op.inputs)
    return quantize_multiplier(scale1 * scale2 / graph.output_of(op).scale)


def _products_fit(graph: Graph, op: Op) -> str | None:
    """No sum of products exceeds 32 bits, also when it is scaled to the output."""
    largest = _operands(graph, op)[0].columns
    for i in op.inputs:
        zero_point = graph.tensor(i).zero_point
        largest *= max(zero_point + 128, 127 - zero_point)
    if (largest << max(factor(graph, op)[1], 0)) + 256 >= 1 << 31:
        return "the reference's 32-bit arithmetic overflows: too long a sum, or too small an output scale"
    return None


def loop_params(graph: Graph, op: Op) -> tuple[tuple[str, ParamValue], ...]:
    """The loops as the kernels' first fields."""
    first, second = _operands(graph, op)
    return (
        ("batches", tuple(max(pair) for pair in zip(first.batches, second.batches, strict=True))),
        ("batch_step1", first.batch_steps),
        ("batch_step2", second.batch_steps),
        ("rows", first.rows),
        ("depth", first.columns),
        ("columns", second.columns),
        ("row_step1", first.row_step),
        ("depth_step1", first.column_step),
        ("depth_step2", second.row_step),
        ("column_step2", second.column_step),
    )


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    multiplier, shift = factor(graph, op)
    zero_points = [graph.tensor(i).zero_point for i in op.inputs]
    call = KernelCall(
        kernel="mcg_batch_matmul_s8",
        params=(
            *loop_params(graph, op),
            ("zero_point1", zero_points[0]),
            ("zero_point2", zero_points[1]),
            ("multiplier", multiplier),
            ("shift", shift),
            ("zero_point", graph.output_of(op).zero_point),
        ),
        inputs=op.inputs,
        outputs=op.outputs,
    )
    return Lowering((call,))


def _macs(graph: Graph, op: Op) -> int:
    return math.prod(graph.output_of(op).shape) * _operands(graph, op)[0].columns


SPEC = OpSpec(
    kind="BATCH_MATMUL",
    lower=_lower,
    constraints=(two_inputs, not_empty, int8_operands, shapes_fit, _products_fit),
    parse=_parse,
    macs=_macs,
)
