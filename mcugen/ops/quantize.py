"""QUANTIZE: float32 to int8, and between 8-bit types of different quantization."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.numerics import affine
from mcugen.numerics.tables import requantize_table
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, one_input, quantization_problem, same_shape
from mcugen.ops.elementwise import table_constraint, table_lowering

_PAIRS = {
    (DType.FLOAT32, DType.INT8),
    (DType.INT8, DType.INT8),
    (DType.INT8, DType.UINT8),
    (DType.UINT8, DType.INT8),
}


def _table(source: Tensor, output: Tensor) -> NDArray[np.uint8]:
    scales, zero_points = (source.scale, output.scale), (source.zero_point, output.zero_point)
    return requantize_table(source.dtype, output.dtype, scales, zero_points)


def _known_types(graph: Graph, op: Op) -> str | None:
    """It converts float32, int8 or uint8 to int8, or int8 to uint8."""
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if (source.dtype, output.dtype) not in _PAIRS:
        return f"it converts {source.dtype.value} to {output.dtype.value}"
    return None


def _quantized(graph: Graph, op: Op) -> str | None:
    """Its 8-bit tensors have one scale above zero and one zero point each."""
    tensors = (graph.tensor(op.inputs[0]), graph.output_of(op))
    problems = (quantization_problem(t, (t.dtype,)) for t in tensors if t.dtype is not DType.FLOAT32)
    return next((p for p in problems if p), None)


_table_exists = table_constraint(_table)
_lower_table = table_lowering(_table)


def _scales_in_range(graph: Graph, op: Op) -> str | None:
    """Between 8-bit types, the scales are such that the reference's 32-bit arithmetic does not overflow."""
    if graph.tensor(op.inputs[0]).dtype is DType.FLOAT32:
        return None
    return _table_exists(graph, op)


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if source.dtype is not DType.FLOAT32:
        return _lower_table(graph, op, target)
    call = KernelCall(
        kernel="mcg_quantize_f32_s8",
        params=(
            ("count", output.elements),
            ("zero_point", output.zero_point),
            ("scale", output.scale),
        ),
        inputs=op.inputs,
        outputs=op.outputs,
    )
    return Lowering(calls=(call,))


def _evaluate(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    assert source.data is not None
    if source.dtype is DType.FLOAT32:
        # As in the kernel, NaN becomes the lowest value; far out of range is as good as infinite.
        limit = np.float32(1024.0 * output.scale)
        numbers = np.where(np.isnan(source.data), -limit, np.clip(source.data, -limit, limit))
        return (affine.quantize(numbers, output),)
    indices = np.ascontiguousarray(source.data).view(np.uint8)
    return (_table(source, output)[indices].view(output.dtype.numpy),)


SPEC = OpSpec(
    kind="QUANTIZE",
    lower=_lower,
    constraints=(one_input, not_empty, _known_types, _quantized, same_shape, _scales_in_range),
    evaluate=_evaluate,
    types=("float32", "int8", "uint8"),
)
