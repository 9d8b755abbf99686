"""PRELU: negative inputs times a slope of their own."""

from __future__ import annotations

from mcugen.graph.types import Graph, Op
from mcugen.numerics.quantized import integer_magnitude, quantize_multiplier
from mcugen.ops import broadcasting
from mcugen.ops.base import KernelCall, Lowering, OpSpec, ParamValue, Target
from mcugen.ops.checks import not_empty, two_inputs


def _factors(graph: Graph, op: Op) -> tuple[tuple[int, int], tuple[int, int]]:
    """Multiplier and shift of inputs from zero upwards, and of negative ones times slopes (`CalculatePreluParams`)."""
    source, slopes = (graph.tensor(i) for i in op.inputs)
    output = graph.output_of(op)
    return quantize_multiplier(source.scale / output.scale), quantize_multiplier(
        source.scale * slopes.scale / output.scale
    )


def products_fit(graph: Graph, op: Op) -> str | None:
    """Inputs, and inputs times slopes, fit 32 bits when scaled to the output."""
    (_, shift), (_, slope_shift) = _factors(graph, op)
    source, slopes = (integer_magnitude(graph.tensor(i)) for i in op.inputs)
    if (source << max(shift, 0)) + 256 >= 1 << 31 or (source * slopes << max(slope_shift, 0)) + 256 >= 1 << 31:
        return "the output's scale is so small that the reference's 32-bit arithmetic overflows"
    return None


def slope_params(graph: Graph, op: Op) -> tuple[tuple[str, ParamValue], ...]:
    """The parameters of mcg_prelu_s8."""
    source, slopes = (graph.tensor(i) for i in op.inputs)
    (multiplier, shift), (slope_multiplier, slope_shift) = _factors(graph, op)
    return (
        *broadcasting.loop_params(graph, op),
        ("zero_point1", source.zero_point),
        ("zero_point2", slopes.zero_point),
        ("multiplier1", multiplier),
        ("shift1", shift),
        ("multiplier2", slope_multiplier),
        ("shift2", slope_shift),
        ("zero_point", graph.output_of(op).zero_point),
    )


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    call = KernelCall(
        kernel="mcg_prelu_s8",
        params=slope_params(graph, op),
        inputs=op.inputs,
        outputs=op.outputs,
        inplace=broadcasting.inplace_operands(graph, op),
    )
    return Lowering((call,))


SPEC = OpSpec(
    kind="PRELU",
    lower=_lower,
    constraints=(two_inputs, not_empty, broadcasting.int8_operands, broadcasting.broadcastable, products_fit),
)
