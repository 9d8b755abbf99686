"""What ops with int16 activations and int8 weights ("16x8") share: constraints, and the way to the output's scale.

All zero points are 0. TFLM sums up in 64 bits and requantizes with a multiplier of 15 bits and a single rounding
(`MultiplyByQuantizedMultiplier` of an int64). Where the bias is int32, sums have 32 bits, and rounding is double.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op
from mcugen.numerics.quantized import INT16_MAX, activation_range, quantize_multiplier, short_multiplier
from mcugen.ops import with_weights
from mcugen.ops.base import Constant, Constraint, ParamValue
from mcugen.ops.symmetric import symmetric_problem

_INT32_LIMIT = 1 << 31
_WIDE_LIMIT = 1 << 47
_WIDE_SHIFTS = range(-31, 8)
_ROOM = 1 << 16
_TOO_SMALL = "the output's scale is so small that the reference's scaling overflows"


@dataclass(frozen=True, eq=False)
class OutputStage:
    """How accumulators become int16 outputs (`mcg_output_stage_s16` in mcg_filter_s16.h).

    `params` are the last fields of a kernel's parameter struct; `constants` are the bias, multiplier and shift
    arrays that kernels take after the weights.
    """

    params: tuple[tuple[str, ParamValue], ...]
    constants: tuple[Constant, ...]


def int8_weights(*bias_types: DType) -> Constraint:
    """The constraint on the types of input, filter, bias and output."""

    def types(graph: Graph, op: Op) -> str | None:
        if len(op.inputs) not in (2, 3) or len(op.outputs) != 1 or min(op.inputs[:2]) < 0:
            return f"it has {len(op.inputs)} inputs and {len(op.outputs)} outputs"
        problem = symmetric_problem(graph, (op.inputs[0], *op.outputs))
        if problem:
            return problem
        weights, bias = graph.tensor(op.inputs[1]), graph.input_of(op, 2)
        if weights.dtype is not DType.INT8:
            return f'the filter "{weights.name}" is {weights.dtype.value}, not int8'
        if weights.quant is None:
            return f'the filter "{weights.name}" has no quantization'
        if bias is not None and bias.dtype not in bias_types:
            return f'the bias "{bias.name}" is {bias.dtype.value}, not {wanted}'
        return None

    wanted = " or ".join(t.value for t in bias_types)
    types.__doc__ = (
        "Input and output are int16, with one scale each, above zero, and zero point 0; the filter is int8, "
        f"the bias (if any) {wanted}."
    )
    return types


def sums_in_32_bits(graph: Graph, op: Op) -> bool:
    """Whether the reference sums up in 32 bits, as its bias says or, where it has none, its options."""
    bias = graph.input_of(op, 2)
    if bias is None:
        return bool(getattr(op.options, "int32_sums", False))
    return bias.dtype is DType.INT32


def accumulator_problem(graph: Graph, op: Op, rows: NDArray[np.int8]) -> str | None:
    """Whether a sum or what it is scaled to could overflow, where the reference's result is undefined; or None.

    Args:
        rows: weights as [channels, depth].
    """
    products = (INT16_MAX + 1) * np.abs(rows.astype(np.int64)).sum(axis=1)
    # Of any size: a file may hold biases whose sums leave 64 bits.
    terms = zip(with_weights.bias_of(graph, op, rows.shape[0]), products, strict=True)
    sums = [abs(int(bias)) + int(product) for bias, product in terms]
    problem_of = narrow_scaling_problem if sums_in_32_bits(graph, op) else wide_scaling_problem
    factors = [quantize_multiplier(scale) for scale in with_weights.effective_scales(graph, op)]
    pairs = zip(sums, factors if len(factors) > 1 else factors * len(sums), strict=True)
    problems = (problem_of(bound, *factor) for bound, factor in pairs)
    return next((p for p in problems if p), None)


def narrow_scaling_problem(bound: int, _multiplier: int, shift: int) -> str | None:
    """Whether a 32-bit accumulator of up to `bound`, or what it is scaled to, could overflow; or None."""
    if bound >= _INT32_LIMIT:
        return f"its accumulator can reach 2^{math.log2(bound):.1f}, more than 31 bits hold"
    return _TOO_SMALL if bound << max(shift, 0) >= _INT32_LIMIT - _ROOM else None


def wide_scaling_problem(bound: int, multiplier: int, shift: int) -> str | None:
    """Whether a 64-bit accumulator of up to `bound`, or what it is scaled to, could overflow; or None."""
    if bound >= _WIDE_LIMIT:
        return f"its accumulator can reach 2^{math.log2(bound):.1f}, more than 47 bits hold"
    reach = bound * (short_multiplier(multiplier) + 1) * 2.0 ** (shift - 15)
    return _TOO_SMALL if reach >= _INT32_LIMIT - _ROOM or shift not in _WIDE_SHIFTS else None


def output_stage(graph: Graph, op: Op, channels: int, activation: str) -> OutputStage:
    """Bias, multipliers, shifts and clamps of an op that passed its constraints."""
    output = graph.output_of(op)
    assert output.quant is not None, op.where
    narrow = sums_in_32_bits(graph, op)
    factors = [quantize_multiplier(scale) for scale in with_weights.effective_scales(graph, op)]
    multipliers = [m if narrow else short_multiplier(m) for m, _ in factors]
    shifts = [shift if m else -1 for m, shift in factors]
    low, high = activation_range(activation, output.quant, DType.INT16)
    bias = with_weights.bias_of(graph, op, channels)
    return OutputStage(
        params=(
            ("per_channel", int(len(factors) > 1)),
            ("wide", int(not narrow)),
            ("output_min", low),
            ("output_max", high),
        ),
        constants=(
            Constant("bias", bias, f"[{channels}]"),
            Constant("multiplier", np.array(multipliers, np.int32), f"[{len(factors)}], {'Q31' if narrow else 'Q15'}"),
            Constant("shift", np.array(shifts, np.int8), f"[{len(factors)}], negative to the right"),
        ),
    )
