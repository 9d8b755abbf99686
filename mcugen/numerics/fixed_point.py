"""Scalar fixed-point arithmetic, bit for bit that of gemmlowp's `fixedpoint.h` as the TFLite reference uses it.

Numbers are Python integers that stand for int32. Qm means m integer bits and 31 − m fractional bits, so a raw
value r in Qm is the real number r · 2^(m − 31). Where the reference's C++ would overflow an int32 (which is
undefined there) these functions raise OverflowError, so that a caller refuses instead of guessing.
"""

from __future__ import annotations

import math

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1


def int32(value: int) -> int:
    """`value` itself.

    Raises:
        OverflowError: it does not fit an int32.
    """
    if not INT32_MIN <= value <= INT32_MAX:
        raise OverflowError(f"{value} does not fit 32 bits")
    return value


def doubling_high_mul(a: int, b: int) -> int:
    """(a · b) / 2^31, rounded to nearest, ties towards +∞; −2^31 · −2^31 saturates.

    gemmlowp's SaturatingRoundingDoublingHighMul (Arm's VQRDMULH).
    """
    if a == INT32_MIN and b == INT32_MIN:
        return INT32_MAX
    return (a * b + (1 << 30)) >> 31


def rounding_shift_right(value: int, exponent: int) -> int:
    """value / 2^exponent, rounded to nearest, ties away from zero (gemmlowp's RoundingDivideByPOT)."""
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (1 if value < 0 else 0)
    return (value >> exponent) + (1 if (value & mask) > threshold else 0)


def requantize(value: int, multiplier: int, shift: int) -> int:
    """value · multiplier · 2^(shift − 31) with TFLM's double rounding (MultiplyByQuantizedMultiplier).

    Raises:
        OverflowError: value · 2^shift does not fit an int32 (undefined in the reference).
    """
    shifted = int32(value << max(shift, 0))
    return rounding_shift_right(doubling_high_mul(shifted, multiplier), max(-shift, 0))


def _rescale(value: int, exponent: int) -> int:
    """value · 2^exponent: saturating to the left, rounding to the right (SaturatingRoundingMultiplyByPOT)."""
    if exponent <= 0:
        return rounding_shift_right(value, -exponent)
    return max(INT32_MIN, min(INT32_MAX, value << exponent))


def _q0(real: float) -> int:
    """A real in [0, 1) as raw Q0."""
    return round(real * (1 << 31))


# exp(−2^k) in Q0, for the bits of the argument from 1/4 upwards.
_EXP_OF_BIT = tuple((k, _q0(math.exp(-(2.0**k)))) for k in range(-2, 5))
_EXP_MINUS_EIGHTH = _q0(math.exp(-0.125))
_ONE_THIRD = _q0(1.0 / 3.0)
_Q2_ONE = 1 << 29
_Q2_48_OVER_17 = round(48.0 / 17.0 * _Q2_ONE)
_Q2_MINUS_32_OVER_17 = round(-32.0 / 17.0 * _Q2_ONE)


def _exp_between_minus_quarter_and_zero(a: int) -> int:
    """exp(a) for Q0 a in [−1/4, 0): Taylor's polynomial of degree 4 around −1/8."""
    x = a + (1 << 28)
    x2 = doubling_high_mul(x, x)
    x3 = doubling_high_mul(x2, x)
    x4 = doubling_high_mul(x2, x2)
    higher = doubling_high_mul(_rescale(x4, -2) + x3, _ONE_THIRD) + x2
    return _EXP_MINUS_EIGHTH + doubling_high_mul(_EXP_MINUS_EIGHTH, x + _rescale(higher, -1))


def exp_on_negative_values(a: int, integer_bits: int) -> int:
    """exp(a) in Q0 for a ≤ 0 in Q`integer_bits` (4 or 5): the argument modulo 1/4, times one factor per higher bit."""
    if a == 0:
        return INT32_MAX
    fractional_bits = 31 - integer_bits
    quarter = 1 << (fractional_bits - 2)
    modulo = (a & (quarter - 1)) - quarter
    result = _exp_between_minus_quarter_and_zero(_rescale(modulo, integer_bits))
    remainder = modulo - a
    for bit, factor in _EXP_OF_BIT:
        if bit < integer_bits and remainder & (1 << (fractional_bits + bit)):
            result = doubling_high_mul(result, factor)
    return result


def _reciprocal_of_half_denominator(a: int) -> int:
    """2 / (1 + a) in Q2 for Q0 a in [0, 1): three Newton-Raphson steps from 48/17 − 32/17 · (1 + a)/2."""
    half_denominator = (a + INT32_MAX + 1) // 2
    x = _Q2_48_OVER_17 + doubling_high_mul(half_denominator, _Q2_MINUS_32_OVER_17)
    for _ in range(3):
        error = _Q2_ONE - doubling_high_mul(half_denominator, x)
        x += _rescale(doubling_high_mul(x, error), 2)
    return x


def one_over_one_plus(a: int) -> int:
    """1 / (1 + a) in Q0, for Q0 a in [0, 1)."""
    return _rescale(_reciprocal_of_half_denominator(a), 1)


def one_minus_over_one_plus(a: int) -> int:
    """(1 − a) / (1 + a) in Q0, for Q0 a in [0, 1)."""
    return _rescale(_reciprocal_of_half_denominator(a) - _Q2_ONE, 2)


def logistic(a: int, integer_bits: int) -> int:
    """1 / (1 + exp(−a)) in Q0, for a in Q`integer_bits`."""
    if a == 0:
        return 1 << 30
    positive = one_over_one_plus(exp_on_negative_values(-abs(a), integer_bits))
    return positive if a > 0 else INT32_MAX - positive


def tanh(a: int, integer_bits: int) -> int:
    """tanh(a) in Q0, for a in Q`integer_bits`: (1 − e) / (1 + e) with e = exp(−2·|a|)."""
    if a == 0:
        return 0
    # Twice the number has the same raw value with one more integer bit.
    magnitude = one_minus_over_one_plus(exp_on_negative_values(-abs(a), integer_bits + 1))
    return magnitude if a > 0 else -magnitude


def inverse_square_root(value: int) -> tuple[int, int]:
    """1 / √value as (Q0 multiplier, shift), value ≥ 0: multiplier · 2^(shift − 31), shift ≤ 0.

    TFLite's `GetInvSqrtQuantizedMultiplierExp`: five Newton-Raphson steps in Q3 from x = 1; 0 counts as 1.
    """
    if value <= 1:
        return INT32_MAX, 0
    right = 11
    while value >= 1 << 29:
        value //= 4
        right += 1
    pairs = (32 - value.bit_length() - 1) // 2 - 1
    right -= pairs
    value <<= 2 * pairs
    half = rounding_shift_right(value >> 1, 1)
    three_halves = (1 << 28) + (1 << 27)
    x = 1 << 28
    for _ in range(5):
        # Products of Q3 numbers have more integer bits: 9 for the cube, 6 and 12 for the difference.
        cube = _rescale(doubling_high_mul(doubling_high_mul(x, x), x), 6)
        x = _rescale(doubling_high_mul(three_halves, x) - doubling_high_mul(half, cube), 3)
    result = doubling_high_mul(x, 1518500250)  # √2 / 2
    return (result << -right, 0) if right < 0 else (result, -right)
