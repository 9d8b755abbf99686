"""DIV, int8: the first operand times the second one's reciprocal in fixed point."""

from __future__ import annotations

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.numerics.quantized import activation_range, integer_limits, quantize_multiplier
from mcugen.ops import broadcasting
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, two_inputs
from mcugen.ops.with_weights import known_activation


def _factor(graph: Graph, op: Op) -> tuple[int, int]:
    """From the quotient of the numbers to the output's (TFLM `CalculateOpDataDiv`)."""
    scale1, scale2 = (graph.tensor(i).scale for i in op.inputs)
    return quantize_multiplier(scale1 / (scale2 * graph.output_of(op).scale))


def _distances(tensor: Tensor) -> list[int]:
    """The distances to the zero point of the values that a tensor may have, without 0."""
    low, high = integer_limits(tensor.dtype)
    values = range(low, high + 1) if tensor.data is None else sorted({int(v) for v in tensor.data.reshape(-1)})
    return [value - tensor.zero_point for value in values if value != tensor.zero_point]


def _shifts_fit(graph: Graph, op: Op) -> str | None:
    """For no two operands the reference shifts by a negative number of bits, or by more than 31."""
    numerators, denominators = (_distances(graph.tensor(i)) for i in op.inputs)
    signs = {d > 0 for d in denominators}
    # Bits of the numerator after its sign was made the quotient's: all of −1 is sign.
    sizes = {_bits(n if positive else -n) for n in numerators for positive in signs}
    logarithms = {abs(d).bit_length() - 1 for d in denominators}
    shift = _factor(graph, op)[1]
    if sizes and logarithms:
        least = 31 - max(sizes) + min(logarithms) - shift
        most = 31 - min(sizes) + max(logarithms) - shift
        if least < 0 or most > 31:
            return f"for some operands the reference shifts by {least if least < 0 else most} bits"
    return None


def _bits(value: int) -> int:
    return (~value if value < 0 else value).bit_length()


def _divisor(graph: Graph, op: Op) -> str | None:
    """A constant divisor stands for no 0; where the model computes one, the quotient is the largest or smallest."""
    divisor = graph.tensor(op.inputs[1])
    return "it divides by 0" if divisor.data is not None and bool((divisor.data == divisor.zero_point).any()) else None


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    first, second = (graph.tensor(i) for i in op.inputs)
    output = graph.output_of(op)
    assert output.quant is not None
    multiplier, shift = _factor(graph, op)
    low, high = activation_range(op.options.activation, output.quant)
    call = KernelCall(
        kernel="mcg_div_s8",
        params=(
            *broadcasting.loop_params(graph, op),
            ("zero_point1", first.zero_point),
            ("zero_point2", second.zero_point),
            ("multiplier", multiplier),
            ("shift", shift),
            ("zero_point", output.zero_point),
            ("min", low),
            ("max", high),
        ),
        inputs=op.inputs,
        outputs=op.outputs,
        inplace=broadcasting.inplace_operands(graph, op),
    )
    return Lowering((call,))


SPEC = OpSpec(
    kind="DIV",
    lower=_lower,
    constraints=(
        two_inputs,
        not_empty,
        broadcasting.int8_operands,
        known_activation,
        broadcasting.broadcastable,
        _divisor,
        _shifts_fit,
    ),
    parse=broadcasting.parse_arithmetic,
)
