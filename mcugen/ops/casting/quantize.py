"""QUANTIZE: float32 to int8 or int16, and between integer types of different quantization."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.numerics import affine
from mcugen.numerics import fixed_point as fx
from mcugen.numerics.quantized import integer_limits, integer_magnitude, quantize_multiplier
from mcugen.numerics.tables import requantize_table
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.broadcasting import table_constraint, table_lowering
from mcugen.ops.checks import not_empty, one_input, quantization_problem, same_shape

_TABLES = {(DType.INT8, DType.INT8), (DType.INT8, DType.UINT8), (DType.UINT8, DType.INT8)}

_REQUANTIZED = {
    (DType.INT8, DType.INT16),
    (DType.INT8, DType.INT32),
    (DType.INT16, DType.INT8),
    (DType.INT16, DType.INT16),
    (DType.INT16, DType.INT32),
    (DType.INT32, DType.INT8),
    (DType.INT32, DType.INT16),
}

_FROM_FLOAT = {DType.INT8: "mcg_quantize_f32_s8", DType.INT16: "mcg_quantize_f32_s16"}


def _table(source: Tensor, output: Tensor) -> NDArray[np.uint8]:
    scales, zero_points = (source.scale, output.scale), (source.zero_point, output.zero_point)
    return requantize_table(source.dtype, output.dtype, scales, zero_points)


def _types(graph: Graph, op: Op) -> tuple[DType, DType]:
    return graph.tensor(op.inputs[0]).dtype, graph.output_of(op).dtype


def _known_types(graph: Graph, op: Op) -> str | None:
    """It converts float32 to int8 or int16, uint8 to int8, int8 and int16 to any other, int32 to int8 or int16."""
    types = _types(graph, op)
    if types in _TABLES | _REQUANTIZED or (types[0] is DType.FLOAT32 and types[1] in _FROM_FLOAT):
        return None
    return f"it converts {types[0].value} to {types[1].value}"


def _quantized(graph: Graph, op: Op) -> str | None:
    """Its integer tensors have one scale above zero and one zero point each."""
    tensors = (graph.tensor(op.inputs[0]), graph.output_of(op))
    problems = (quantization_problem(t, (t.dtype,)) for t in tensors if t.dtype is not DType.FLOAT32)
    return next((p for p in problems if p), None)


_table_exists = table_constraint(_table)
_lower_table = table_lowering(_table)


def _scales_in_range(graph: Graph, op: Op) -> str | None:
    """Between integers, the scales are such that the reference's 32-bit arithmetic does not overflow."""
    if _types(graph, op) in _TABLES:
        return _table_exists(graph, op)
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if source.dtype is DType.FLOAT32:
        return None
    _, shift = _factor(graph, op)
    fits = (integer_magnitude(source) << max(shift, 0)) + abs(output.zero_point) < 1 << 31
    if source.dtype is DType.INT32:
        # The lowest number itself is as large as what does not fit; but nothing is added to it.
        fits = shift <= 0 and source.zero_point == 0 and (shift < 0 or output.zero_point == 0)
    return None if fits else "the scales are out of range: some inputs overflow"


def _factor(graph: Graph, op: Op) -> tuple[int, int]:
    """The quotient of the scales in double (TFLM `PrepareQuantizeReference`)."""
    return quantize_multiplier(graph.tensor(op.inputs[0]).scale / graph.output_of(op).scale)


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if _types(graph, op) in _TABLES:
        return _lower_table(graph, op, target)
    if source.dtype is not DType.FLOAT32:
        return _lower_requantization(graph, op)
    call = KernelCall(
        kernel=_FROM_FLOAT[output.dtype],
        params=(
            ("count", output.elements),
            ("zero_point", output.zero_point),
            ("scale", output.scale),
        ),
        inputs=op.inputs,
        outputs=op.outputs,
    )
    return Lowering(calls=(call,))


def _lower_requantization(graph: Graph, op: Op) -> Lowering:
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    multiplier, shift = _factor(graph, op)
    call = KernelCall(
        kernel="mcg_requantize_int",
        params=(
            ("count", output.elements),
            ("input_bytes", source.dtype.itemsize),
            ("output_bytes", output.dtype.itemsize),
            ("input_zero_point", source.zero_point),
            ("multiplier", multiplier),
            ("shift", shift),
            ("zero_point", output.zero_point),
        ),
        inputs=op.inputs,
        outputs=op.outputs,
        inplace=(0,),
    )
    return Lowering((call,))


def _evaluate(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    assert source.data is not None
    if source.dtype is DType.FLOAT32:
        return (affine.quantize(source.data, output),)
    if _types(graph, op) in _REQUANTIZED:
        factor, (low, high) = _factor(graph, op), integer_limits(output.dtype)
        centred = (int(value) - source.zero_point for value in source.data.reshape(-1))
        scaled = [fx.requantize(value, *factor) + output.zero_point for value in centred]
        return (np.clip(scaled, low, high).astype(output.dtype.numpy).reshape(output.shape),)
    indices = np.ascontiguousarray(source.data).view(np.uint8)
    return (_table(source, output)[indices].view(output.dtype.numpy),)


SPEC = OpSpec(
    kind="QUANTIZE",
    lower=_lower,
    constraints=(one_input, not_empty, _known_types, _quantized, same_shape, _scales_in_range),
    evaluate=_evaluate,
    types=("float32", "int8", "uint8", "int16", "int32"),
)
