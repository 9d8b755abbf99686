"""ADD, and what it shares with SUB: both scale their operands to a common scale first."""

from __future__ import annotations

from mcugen.graph.types import DType, Graph, Op
from mcugen.numerics.quantized import activation_range, quantize_multiplier
from mcugen.ops import broadcasting
from mcugen.ops.base import KernelCall, Lowering, OpSpec, ParamValue, Target
from mcugen.ops.checks import not_empty, two_inputs
from mcugen.ops.variants import fastest
from mcugen.ops.with_weights import known_activation

_LEFT_SHIFT = {DType.INT8: 20, DType.INT16: 15}
"""Operands gain this many fractional bits before they are scaled; their difference then still fits 32 bits."""


def _factors(graph: Graph, op: Op) -> tuple[float, float, float]:
    """Factors of the two operands and of their sum, in double (TFLM `CalculateOpDataAdd`)."""
    scale1, scale2 = (graph.tensor(i).scale for i in op.inputs)
    twice_largest = 2.0 * max(scale1, scale2)
    output = twice_largest / ((1 << _LEFT_SHIFT[graph.output_of(op).dtype]) * graph.output_of(op).scale)
    return scale1 / twice_largest, scale2 / twice_largest, output


def output_scale_in_range(graph: Graph, op: Op) -> str | None:
    """The output's scale is larger than the larger input scale divided by 2^19 (int16: 2^14)."""
    factor = _factors(graph, op)[2]
    # The reference stops where the factor of the sum is 1 or more, before or after its rounding to Q31.
    if factor >= 1.0 or quantize_multiplier(factor)[1] > 0:
        bits = _LEFT_SHIFT[graph.output_of(op).dtype] - 1
        return f"the output's scale is more than 2^{bits} times smaller than an input's"
    return None


def sum_params(graph: Graph, op: Op, subtract: bool) -> tuple[tuple[str, ParamValue], ...]:
    """The parameters of mcg_add_s8."""
    first, second = (graph.tensor(i) for i in op.inputs)
    output = graph.output_of(op)
    assert output.quant is not None
    low, high = activation_range(op.options.activation, output.quant, output.dtype)
    factors = map(quantize_multiplier, _factors(graph, op))
    (multiplier1, shift1), (multiplier2, shift2), (multiplier, shift) = factors
    return (
        *broadcasting.loop_params(graph, op),
        ("subtract", int(subtract)),
        ("zero_point1", first.zero_point),
        ("multiplier1", multiplier1),
        ("shift1", shift1),
        ("zero_point2", second.zero_point),
        ("multiplier2", multiplier2),
        ("shift2", shift2),
        ("multiplier", multiplier),
        ("shift", shift),
        ("zero_point", output.zero_point),
        ("min", low),
        ("max", high),
    )


def lower_sum(graph: Graph, op: Op, target: Target, subtract: bool) -> Lowering:
    """The call of mcg_add_s8 for ADD or SUB."""
    call = KernelCall(
        kernel="mcg_add_s8",
        params=sum_params(graph, op, subtract),
        inputs=op.inputs,
        outputs=op.outputs,
        inplace=broadcasting.inplace_operands(graph, op),
    )
    return Lowering(calls=(fastest(target, call),))


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    return lower_sum(graph, op, target, subtract=False)


SPEC = OpSpec(
    kind="ADD",
    lower=_lower,
    constraints=(
        two_inputs,
        not_empty,
        broadcasting.int8_operands,
        known_activation,
        broadcasting.broadcastable,
        output_scale_in_range,
    ),
    parse=broadcasting.parse_arithmetic,
)
