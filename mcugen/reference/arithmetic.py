"""The integer arithmetic of TensorFlow Lite's reference kernels, on arrays of int64 that hold int32 numbers.

Written from docs/NUMERICS.md and the papers and libraries that it names; it shares nothing with mcugen's kernels nor
with what prepares their constants, so that a mistake in one is not a mistake in the other.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

LOW32, HIGH32 = -(2**31), 2**31 - 1
_LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "int32": (LOW32, HIGH32)}


def limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Lowest and highest value of an integer type."""
    return _LIMITS[np.dtype(dtype).name]


def saturated(values: Ints, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Integers clamped to a type, in that type."""
    return np.clip(values, *limits(dtype)).astype(dtype)


def wrap(values: Ints, bits: int = 32) -> Ints:
    """Integers modulo 2^bits, as signed numbers."""
    half = 1 << (bits - 1)
    return ((values + half) & ((1 << bits) - 1)) - half


def half_away(real: float) -> int:
    """The nearest whole number of a double, halves away from zero."""
    whole = math.floor(abs(real))
    return int(math.copysign(whole + (abs(real) - whole >= 0.5), real))


def half_away_f32(values: Any) -> Any:
    """The nearest whole numbers of float32, in an array or alone, halves away from zero; NaN and infinities stay."""
    size = np.abs(values)
    whole = np.floor(size)
    return np.copysign(whole + (size - whole >= np.float32(0.5)), values).astype(np.float32)


def factor(real: float) -> tuple[int, int]:
    """(m, s) with real ≈ m · 2^(s − 31), |m| in [2^30, 2^31); (0, 0) for what is below 2^−32 (`QuantizeMultiplier`)."""
    if real == 0.0:
        return 0, 0
    fraction, exponent = math.frexp(real)
    fixed = half_away(fraction * 2.0**31)
    if abs(fixed) == 1 << 31:
        fixed, exponent = fixed // 2, exponent + 1
    if exponent < -31:
        return 0, 0
    return (HIGH32, 30) if exponent > 30 else (fixed, exponent)


def high_product(a: Ints, b: Ints | int) -> Ints:
    """a · b / 2^31 to the nearest, ties towards +∞; the one overflow saturates (SaturatingRoundingDoublingHighMul)."""
    return np.minimum((np.asarray(a, np.int64) * np.asarray(b, np.int64) + (1 << 30)) >> 31, HIGH32)


def high_product_16(a: Ints, b: Ints | int) -> Ints:
    """The same of int16 numbers, a · b / 2^15."""
    return np.minimum((np.asarray(a, np.int64) * np.asarray(b, np.int64) + (1 << 14)) >> 15, 32767)


def shift_right(values: Ints, bits: int | Ints) -> Ints:
    """values / 2^bits to the nearest, ties away from zero (RoundingDivideByPOT)."""
    values = np.asarray(values, np.int64)
    half = (np.int64(1) << np.asarray(bits, np.int64)) >> 1
    return np.sign(values) * ((np.abs(values) + half) >> bits)


def scale_by(values: Ints, m: int | Ints, s: int | Ints) -> Ints:
    """values · m · 2^(s − 31) with two roundings (`MultiplyByQuantizedMultiplier`); m and s may be one per channel."""
    s = np.asarray(s, np.int64)
    shifted = wrap(np.asarray(values, np.int64) << np.maximum(s, 0))
    return shift_right(high_product(shifted, np.asarray(m, np.int64)), np.maximum(-s, 0))


def scale_wide_by(values: Ints, m: int | Ints, s: int | Ints) -> Ints:
    """64-bit sums times a factor with one rounding and a multiplier of 15 bits (the function's form for int64)."""
    m, s = np.asarray(m, np.int64), np.asarray(s, np.int64)
    short = np.where(m < 0x7FFF0000, (m + (1 << 15)) >> 16, 0x7FFF)
    right = 15 - s
    return (np.asarray(values, np.int64) * short + (np.int64(1) << (right - 1))) >> right


def rescaled(values: Ints, real: float) -> Ints:
    """values · real, through the factor's integers."""
    return scale_by(values, *factor(real))


# Fixed-point functions of gemmlowp. Qn: n integer bits, 31 − n fractional ones.


def _times_power(values: Ints, exponent: int) -> Ints:
    """values · 2^exponent: saturating to the left, rounding to the right (SaturatingRoundingMultiplyByPOT)."""
    if exponent < 0:
        return shift_right(values, -exponent)
    return np.clip(values << exponent, LOW32, HIGH32)


def _fraction(real: float) -> int:
    return half_away(real * 2.0**31)


def exp_of_negative(values: Ints, integer_bits: int) -> Ints:
    """exp of numbers from 0 downwards, in Q`integer_bits`; the result is in Q0."""
    quarter = 1 << (29 - integer_bits)
    rest = (values & (quarter - 1)) - quarter
    x = _times_power(rest, integer_bits) + (1 << 28)
    x2 = high_product(x, x)
    cubic, quartic = high_product(x2, x), high_product(x2, x2)
    tail = high_product(shift_right(quartic, 2) + cubic, _fraction(1 / 3)) + x2
    middle = _fraction(math.exp(-1 / 8))
    result = middle + high_product(x + shift_right(tail, 1), middle)
    whole = rest - values
    for power in range(-2, integer_bits):
        taken = (whole >> (31 - integer_bits + power)) & 1
        result = np.where(taken == 1, high_product(result, _fraction(math.exp(-(2.0**power)))), result)
    return np.where(values == 0, HIGH32, result)


def _two_over_one_plus(values: Ints) -> Ints:
    """2 / (1 + a) in Q2 for a in Q0, by three steps of Newton and Raphson."""
    half = (values + HIGH32 + 1) >> 1
    one = 1 << 29
    x = half_away(48 / 17 * one) + high_product(half, half_away(-32 / 17 * one))
    for _ in range(3):
        x = x + _times_power(high_product(x, one - high_product(half, x)), 2)
    return x


def one_over_one_plus(values: Ints) -> Ints:
    """1 / (1 + a), for a in [0, 1) in Q0."""
    return _times_power(_two_over_one_plus(values), 1)


def fixed_logistic(values: Ints, integer_bits: int) -> Ints:
    """1 / (1 + exp(−a)) in Q0."""
    upper = one_over_one_plus(exp_of_negative(-np.abs(values), integer_bits))
    return np.where(values == 0, 1 << 30, np.where(values > 0, upper, HIGH32 - upper))


def fixed_tanh(values: Ints, integer_bits: int) -> Ints:
    """tanh(a) in Q0."""
    e = exp_of_negative(-np.abs(values), integer_bits + 1)
    size = _times_power(_two_over_one_plus(e) - (1 << 29), 2)
    return np.where(values == 0, 0, np.sign(values) * size)


def leading_zeros(value: int) -> int:
    """Of a number from 0 upwards, in 32 bits."""
    return 32 - value.bit_length()


def reciprocal(value: int, integer_bits: int) -> tuple[int, int]:
    """(1/x in Q0 for x scaled into [1, 2), by how many bits more it is shifted) of x ≥ 1 with so many integer bits."""
    zeros = leading_zeros(value)
    inverse = one_over_one_plus(np.asarray((value << zeros) - (1 << 31), np.int64))
    return int(inverse), integer_bits - zeros


def inverse_root(value: int) -> tuple[int, int]:
    """(m, s) with 1/√value ≈ m · 2^(s − 31); value from 0 upwards, 0 counts as 1."""
    if value <= 1:
        return HIGH32, 0
    shift = 11
    while value >= 1 << 29:
        value, shift = value // 4, shift + 1
    pairs = leading_zeros(value) - 1
    pairs = pairs // 2 - 1
    value, shift = value << 2 * pairs, shift - pairs
    q3 = np.int64(value >> 1)  # of value / 2, in Q3
    half = shift_right(q3, 1)
    three_halves, x = np.int64(3 << 27), np.int64(1 << 28)
    for _ in range(5):
        cube = _times_power(high_product(high_product(x, x), x), 6)
        x = _times_power(high_product(x, three_halves) - high_product(half, cube), 3)
    result = int(high_product(x, half_away(math.sqrt(0.5) * 2.0**31)))
    return (result << -shift, 0) if shift < 0 else (result, -shift)


def logarithm(value: int) -> int:
    """The natural logarithm, in Q5, of a number from 1 upwards in Q12 (TensorFlow Lite's `common.h`)."""
    root, fourth_root, quarter = _fraction(math.sqrt(0.5)), _fraction(0.5**0.25), 1 << 23
    zeros = leading_zeros(value)
    first = int(_times_power(high_product(np.int64(value << (zeros - 1)), root), 1))
    first_power = (12 - zeros) * (1 << 25) + quarter
    zeros = leading_zeros(int(high_product(np.int64(value), root))) - 1
    second = min(value << zeros, HIGH32)
    second_power = (12 - zeros) * (1 << 25) - quarter
    z, power = np.int64(min(first, second)), max(first_power, second_power)
    half_sum = (z + fourth_root + 1) >> 1
    q = (z - fourth_root) * 2
    square = high_product(q, q)
    # The coefficients of the rational function are those of `log_x_for_x_greater_than_or_equal_to_1_impl`.
    numerator = high_product(q, z) + high_product(high_product(q, square), 117049297)
    denominator = high_product(half_sum, 1057819769 + q + high_product(square, 127690142)) + high_product(q, 638450708)
    part = high_product(shift_right(numerator, 6), one_over_one_plus(denominator))
    return 2 * int(high_product(np.int64(power), 1488522236) + part)
