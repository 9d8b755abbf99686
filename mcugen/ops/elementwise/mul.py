"""MUL: the product of the offset operands, requantized once."""

from __future__ import annotations

from mcugen.graph.types import Graph, Op
from mcugen.numerics.quantized import activation_range, integer_magnitude, quantize_multiplier
from mcugen.ops import broadcasting
from mcugen.ops.base import KernelCall, Lowering, OpSpec, ParamValue, Target
from mcugen.ops.checks import not_empty, two_inputs
from mcugen.ops.variants import fastest
from mcugen.ops.with_weights import known_activation


def _factor(graph: Graph, op: Op) -> float:
    """Scale of the product in output steps, in double (TFLM `CalculateOpDataMul`)."""
    scale1, scale2 = (graph.tensor(i).scale for i in op.inputs)
    return scale1 * scale2 / graph.output_of(op).scale


def product_fits(graph: Graph, op: Op) -> str | None:
    """The scaled product of any two operands fits 32 bits."""
    _multiplier, shift = quantize_multiplier(_factor(graph, op))
    first, second = (graph.tensor(i) for i in op.inputs)
    if (integer_magnitude(first) * integer_magnitude(second) << max(shift, 0)) + 256 >= 1 << 31:
        return "the output's scale is so small that the reference's 32-bit arithmetic overflows"
    return None


def product_params(graph: Graph, op: Op) -> tuple[tuple[str, ParamValue], ...]:
    """The parameters of mcg_mul_s8."""
    first, second = (graph.tensor(i) for i in op.inputs)
    output = graph.output_of(op)
    assert output.quant is not None
    low, high = activation_range(op.options.activation, output.quant, output.dtype)
    multiplier, shift = quantize_multiplier(_factor(graph, op))
    return (
        *broadcasting.loop_params(graph, op),
        ("zero_point1", first.zero_point),
        ("zero_point2", second.zero_point),
        ("multiplier", multiplier),
        ("shift", shift),
        ("zero_point", output.zero_point),
        ("min", low),
        ("max", high),
    )


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    call = KernelCall(
        kernel="mcg_mul_s8",
        params=product_params(graph, op),
        inputs=op.inputs,
        outputs=op.outputs,
        inplace=broadcasting.inplace_operands(graph, op),
    )
    return Lowering(calls=(fastest(target, call),))


SPEC = OpSpec(
    kind="MUL",
    lower=_lower,
    constraints=(
        two_inputs,
        not_empty,
        broadcasting.int8_operands,
        known_activation,
        broadcasting.broadcastable,
        product_fits,
    ),
    parse=broadcasting.parse_arithmetic,
)
