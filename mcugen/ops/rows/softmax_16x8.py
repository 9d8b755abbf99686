"""SOFTMAX over the last dimension, int16: exponentials and the reciprocal by interpolation in tables."""

from __future__ import annotations

from mcugen.graph.types import Graph, Op
from mcugen.numerics.int16_tables import softmax_exp_table, softmax_reciprocal_table
from mcugen.numerics.quantized import quantize_multiplier
from mcugen.ops import symmetric
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, one_input, same_shape
from mcugen.ops.rows import softmax
from mcugen.ops.variants import fastest

_MAX_DEPTH = 1 << 16
_MAX_SHIFT = 15


def _factor(graph: Graph, op: Op) -> tuple[int, int]:
    """From distances between logits to 65535ths of 10 (TFLM `CalculateSoftmaxParams`)."""
    return quantize_multiplier(graph.tensor(op.inputs[0]).scale * op.options.beta / (10.0 / 65535.0))


def _output_scale(graph: Graph, op: Op) -> str | None:
    """The output's scale is 2^-15 (within 0.1 %), the only one that the reference computes for."""
    scale = graph.output_of(op).scale
    return None if abs(scale * 32768.0 - 1.0) <= 0.001 else f"the output's scale is {scale:g}"


def _row_length(graph: Graph, op: Op) -> str | None:
    """The last dimension is at most 65536, so that the reference's 32-bit sum cannot overflow."""
    shape = graph.tensor(op.inputs[0]).shape
    if not shape:
        return "the input is a scalar"
    return None if shape[-1] <= _MAX_DEPTH else f"the last dimension is {shape[-1]}"


def _slope(graph: Graph, op: Op) -> str | None:
    """beta is positive, and beta times the input scale below 5, so that the reference does not overflow."""
    if not op.options.beta > 0.0:
        return f"beta is {op.options.beta:g}"
    return None if _factor(graph, op)[1] <= _MAX_SHIFT else "beta times the input scale is 5 or more"


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    source = graph.tensor(op.inputs[0])
    multiplier, shift = _factor(graph, op)
    depth = source.shape[-1]
    call = KernelCall(
        kernel="mcg_softmax_s16",
        params=(
            ("rows", source.elements // depth),
            ("depth", depth),
            ("multiplier", multiplier),
            ("shift", shift),
        ),
        inputs=op.inputs,
        constants=(
            Constant("exp", softmax_exp_table(), "exp(x) for x from -10 to 0, in Q15"),
            Constant("reciprocal", softmax_reciprocal_table(), "1 / (1 + x) for x from 0 to 1, in Q15"),
        ),
        outputs=op.outputs,
        inplace=(0,),
    )
    return Lowering((fastest(target, call),))


SPEC = OpSpec(
    kind="SOFTMAX",
    lower=_lower,
    constraints=(one_input, not_empty, symmetric.in_and_out, same_shape, _output_scale, _row_length, _slope),
    parse=softmax.SPEC.parse,
    types=("int16",),
)
