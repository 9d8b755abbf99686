"""SQUARED_DIFFERENCE: both operands on a common scale, the square of what is between them requantized."""

from __future__ import annotations

from mcugen.graph.types import DType, Graph, Op
from mcugen.numerics import fixed_point as fx
from mcugen.numerics.quantized import integer_limits, quantize_multiplier
from mcugen.ops import broadcasting
from mcugen.ops.base import KernelCall, Lowering, OpSpec, ParamValue, Target
from mcugen.ops.checks import not_empty, two_inputs

_LEFT_SHIFT = {DType.INT8: 7, DType.INT16: 0}
"""Fractional bits that operands gain before they are scaled."""


def _factors(graph: Graph, op: Op) -> list[tuple[int, int]]:
    """Multiplier and shift of the operands and of the square (TFLM `squared_difference.cc`)."""
    scale1, scale2 = (graph.tensor(i).scale for i in op.inputs)
    twice_largest = 2.0 * max(scale1, scale2)
    output = graph.output_of(op)
    square = twice_largest * twice_largest / ((1 << 2 * _LEFT_SHIFT[output.dtype]) * output.scale)
    return [quantize_multiplier(r) for r in (scale1 / twice_largest, scale2 / twice_largest, square)]


def square_fits(graph: Graph, op: Op) -> str | None:
    """The square of any two operands' difference, scaled to the output, fits 32 bits."""
    *operands, (_multiplier, shift) = _factors(graph, op)
    ranges = []
    for i, factor in zip(op.inputs, operands, strict=True):
        tensor = graph.tensor(i)
        bits = _LEFT_SHIFT[tensor.dtype]
        limits = integer_limits(tensor.dtype)
        ranges.append([fx.requantize((value - tensor.zero_point) << bits, *factor) for value in limits])
    largest = max(abs(a - b) for a in ranges[0] for b in ranges[1])
    if (largest * largest << max(shift, 0)) + 256 >= 1 << 31:
        return "the output's scale is so small that the reference's 32-bit arithmetic overflows"
    return None


def difference_params(graph: Graph, op: Op) -> tuple[tuple[str, ParamValue], ...]:
    """The parameters of mcg_squared_difference_s8."""
    params: list[tuple[str, ParamValue]] = list(broadcasting.loop_params(graph, op))
    *operands, (multiplier, shift) = _factors(graph, op)
    for n, (i, factor) in enumerate(zip(op.inputs, operands, strict=True), start=1):
        params += [(f"zero_point{n}", graph.tensor(i).zero_point)]
        params += [(f"multiplier{n}", factor[0]), (f"shift{n}", factor[1])]
    params += [("multiplier", multiplier), ("shift", shift), ("zero_point", graph.output_of(op).zero_point)]
    return tuple(params)


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    call = KernelCall(
        kernel="mcg_squared_difference_s8",
        params=difference_params(graph, op),
        inputs=op.inputs,
        outputs=op.outputs,
        inplace=broadcasting.inplace_operands(graph, op),
    )
    return Lowering((call,))


SPEC = OpSpec(
    kind="SQUARED_DIFFERENCE",
    lower=_lower,
    constraints=(two_inputs, not_empty, broadcasting.int8_operands, broadcasting.broadcastable, square_fits),
)
