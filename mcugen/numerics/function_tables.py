"""Byte tables (see :mod:`mcugen.numerics.tables`) of int8 functions whose reference has arithmetic of its own.

`scales` and `zero_points` are (input's, output's). Scales are float32 values; where the reference stays in float32, so
do these functions.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mcugen.numerics import fixed_point as fx
from mcugen.numerics.affine import round_half_away
from mcugen.numerics.quantized import INT16_MAX, INT16_MIN, quantize_multiplier, short_multiplier
from mcugen.numerics.tables import byte_table, clamp_int8

Pair = tuple[float, float]
IntPair = tuple[int, int]


def leaky_relu_table(alpha: float, scales: Pair, zero_points: IntPair) -> NDArray[np.uint8]:
    """LEAKY_RELU: one factor for inputs from zero upwards, another, times alpha, below (`QuantizeLeakyRelu`).

    Args:
        alpha: the slope for negative inputs, a float32 of any sign.

    Raises:
        OverflowError: a factor so large that the reference overflows.
    """
    positive = quantize_multiplier(scales[0] / scales[1])
    # The reference takes a negative alpha's sign off the multiplier, and puts it back after the rounding.
    negative = quantize_multiplier(scales[0] * abs(alpha) / scales[1])
    sign = -1 if alpha < 0 else 1

    def convert(value: int) -> int:
        centred = value - zero_points[0]
        scaled = fx.requantize(centred, *positive) if centred >= 0 else sign * fx.requantize(centred, *negative)
        return clamp_int8(fx.int32(scaled + zero_points[1]))

    return byte_table(convert)


def hard_swish_table(scales: Pair, zero_points: IntPair) -> NDArray[np.uint8]:
    """HARD_SWISH: x · relu6(x + 3) / 6 in 16-bit fixed point (`reference_ops::HardSwish`).

    Raises:
        OverflowError: scales for which the reference's 16-bit arithmetic has no defined result, or that it refuses.
    """
    fine_scale = scales[0] / 128.0
    output_multiplier, output_shift = _multiplier16(fine_scale / scales[1])
    gate_multiplier, gate_shift = _multiplier16(fine_scale / (3.0 / 32768.0))
    if not -15 <= output_shift <= 0:
        raise OverflowError("the output scale is outside what the reference can shift by")
    if not -15 <= gate_shift <= 31:
        raise OverflowError("the input scale is outside what the reference can shift by")

    def convert(value: int) -> int:
        fine = (value - zero_points[0]) * 128
        # (x + 3) / 6 as Q15, saturated to [0, 1).
        gate = _saturate16(fine << max(gate_shift - 1, 0))
        gate = _doubling_high_mul16(gate, gate_multiplier)
        if gate_shift > 0:
            gate = _saturate16(gate * 2)
        gate = (fx.rounding_shift_right(gate, max(-gate_shift, 0)) + (1 << 15)) >> 1
        # Truncated towards zero, unlike every other product here.
        product = gate * _doubling_high_mul16(fine, output_multiplier)
        truncated = abs(product) >> 15
        result = fx.rounding_shift_right(truncated if product >= 0 else -truncated, -output_shift) + zero_points[1]
        if not INT16_MIN <= result <= INT16_MAX:
            raise OverflowError("the output scale is so small that 16 bits overflow")
        return clamp_int8(result)

    return byte_table(convert)


def _saturate16(value: int) -> int:
    return max(INT16_MIN, min(INT16_MAX, value))


def _multiplier16(real: float) -> tuple[int, int]:
    """A positive real as a Q15 multiplier and a shift (`DownScaleInt32ToInt16Multiplier`)."""
    multiplier, shift = quantize_multiplier(real)
    return short_multiplier(multiplier), shift


def _doubling_high_mul16(a: int, b: int) -> int:
    """a · b / 2^15, rounded to nearest, ties up (VQRDMULH of 16 bits, as gemmlowp writes it; b ≥ 0)."""
    return (a * b + (1 << 14)) >> 15


def elu_table(scales: Pair, zero_points: IntPair) -> NDArray[np.uint8]:
    """ELU: exp(x) − 1 below zero, in float32 (TFLM `elu.cc`, which fills a table, too).

    The exponential is rounded from double, as C libraries' single-precision functions do it.

    Raises:
        OverflowError: the quotient of the scales is so large that the reference's conversion to int32 overflows.
    """
    one = np.float32(1.0)
    inverse = one / np.float32(scales[1])

    def convert(value: int) -> int:
        real = np.float32(scales[0]) * np.float32(value - zero_points[0])
        if real < 0:
            real = np.float32(math.exp(float(real))) - one
        return clamp_int8(fx.int32(int(round_half_away(real * inverse) + np.float32(zero_points[1]))))

    with np.errstate(over="ignore"):
        return byte_table(convert)


def abs_table(scales: Pair, zero_points: IntPair) -> NDArray[np.uint8]:
    """ABS: |x − zx| requantized, or as it is where the scales are equal (TFLM `elementwise.cc`).

    Raises:
        OverflowError: the quotient of the scales is so large that the reference overflows.
    """
    factor = quantize_multiplier(scales[0] / scales[1])

    def convert(value: int) -> int:
        magnitude = abs(value - zero_points[0])
        scaled = magnitude if scales[0] == scales[1] else fx.requantize(magnitude, *factor)
        return clamp_int8(fx.int32(scaled + zero_points[1]))

    return byte_table(convert)


def rsqrt_factor(input_scale: float, output_scale: float) -> tuple[int, int]:
    """Multiplier and shift of RSQRT: 1 / (√input scale · output scale), in double.

    TFLM's sources have the root and the product in float32 (`SetRsqrtOutputMultiplier`), the oracle does not, as its
    outputs at ties show.
    """
    return quantize_multiplier(1.0 / (math.sqrt(input_scale) * output_scale))


def rsqrt_table(scales: Pair, zero_points: IntPair) -> NDArray[np.uint8]:
    """RSQRT: 1 / √x in fixed point, the highest int8 for 0 (TFLM `elementwise.cc`). The input's zero point is −128.

    Raises:
        OverflowError: scales for which the reference overflows or shifts by more than 31 bits.
    """
    fraction_bits = 20
    multiplier, shift = rsqrt_factor(*scales)
    if shift - fraction_bits < -31:
        raise OverflowError("the output scale is so large that the reference shifts by more than 31 bits")

    def convert(value: int) -> int:
        centred = value - zero_points[0]
        if centred == 0:
            return 127
        root_multiplier, root_shift = fx.inverse_square_root(centred)
        data = fx.requantize(1, root_multiplier, root_shift + fraction_bits)
        scaled = fx.requantize(data, multiplier, shift - fraction_bits)
        return clamp_int8(fx.int32(scaled + zero_points[1]))

    return byte_table(convert)
