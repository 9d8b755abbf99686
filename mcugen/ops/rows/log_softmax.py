"""LOG_SOFTMAX over the last dimension: SOFTMAX's table of exponentials, and the reference's logarithm on the device."""

from __future__ import annotations

from mcugen.graph.types import Graph, Op
from mcugen.numerics.quantized import quantize_multiplier
from mcugen.numerics.tables import softmax_exp_table
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import int8_in_and_out, not_empty, one_input, same_shape
from mcugen.ops.rows.softmax import row_length


def _fixed_output(graph: Graph, op: Op) -> str | None:
    """The output's scale is 1/16 and its zero point 127, the only ones that the reference computes for."""
    output = graph.output_of(op)
    if (output.scale, output.zero_point) != (1.0 / 16.0, 127):
        return f"the output's scale is {output.scale:g} and its zero point {output.zero_point}"
    return None


def _slope(graph: Graph, op: Op) -> str | None:
    """The input's scale is above 2^-25, and below 16."""
    scale = graph.tensor(op.inputs[0]).scale
    return None if 2.0**-25 < scale < 16.0 else f"the input's scale is {scale:g}"


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    source = graph.tensor(op.inputs[0])
    table = softmax_exp_table(1.0, source.scale)
    depth = source.shape[-1]
    # From steps of the input to reals with 5 integer bits, and back (`PreprocessLogSoftmaxScalingExp`).
    multiplier, shift = quantize_multiplier(source.scale * (1 << 26))
    reverse_multiplier, reverse_shift = quantize_multiplier((1 << (31 - shift)) / multiplier)
    call = KernelCall(
        kernel="mcg_log_softmax_s8",
        params=(
            ("rows", source.elements // depth),
            ("depth", depth),
            ("entries", len(table)),
            ("multiplier", multiplier),
            ("shift", shift),
            ("reverse_multiplier", reverse_multiplier),
            ("reverse_shift", reverse_shift),
            ("radius", (31 << 26) >> shift),
        ),
        inputs=op.inputs,
        constants=(Constant("exp", table, "exp(-scale * distance to the maximum) in Q0.31"),),
        outputs=op.outputs,
        inplace=(0,),
    )
    return Lowering((call,))


SPEC = OpSpec(
    kind="LOG_SOFTMAX",
    lower=_lower,
    constraints=(one_input, not_empty, int8_in_and_out, same_shape, _fixed_output, row_length, _slope),
)
