"""Fixed-point arithmetic and what is derived from scales against exact fractions, at every limit and in between."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from mcugen.graph.types import DType, Quantization, Tensor
from mcugen.numerics import fixed_point as fx
from mcugen.numerics.quantized import (
    activation_range,
    integer_limits,
    integer_magnitude,
    quantize_multiplier,
    short_multiplier,
)

LOW, HIGH = -(1 << 31), (1 << 31) - 1
ONE = 1 << 31
"""Of fractions of 31 bits."""


def numbers(count: int, low: int = LOW, high: int = HIGH) -> list[int]:
    """Limits, their neighbours, and numbers of every size."""
    rng = np.random.default_rng(count)
    edges = {0, 1, -1, 2, -2, low, high, low + 1, high - 1, 1 << 30, -(1 << 30), (1 << 30) - 1, 1 << 16, -(1 << 16)}
    sizes = zip(rng.integers(LOW, HIGH, count), rng.integers(0, 31, count), strict=True)
    edges |= {int(n) >> int(bits) for n, bits in sizes}
    return sorted(n for n in edges if low <= n <= high)


def nearest_up(real: Fraction) -> int:
    return math.floor(real + Fraction(1, 2))


def nearest_away(real: Fraction) -> int:
    return nearest_up(real) if real >= 0 else -nearest_up(-real)


def test_int32() -> None:
    for value in (LOW, -1, 0, HIGH):
        assert fx.int32(value) == value
    for value in (LOW - 1, HIGH + 1):
        with pytest.raises(OverflowError, match=f"^{value} does not fit 32 bits$"):
            fx.int32(value)


def test_high_products() -> None:
    for a, b in itertools.product(numbers(40), repeat=2):
        assert fx.doubling_high_mul(a, b) == min(nearest_up(Fraction(a * b, ONE)), HIGH)


def test_rounding_shifts() -> None:
    for value, bits in itertools.product([*numbers(60), *range(-40, 40)], range(32)):
        assert fx.rounding_shift_right(value, bits) == nearest_away(Fraction(value, 1 << bits))


def test_requantization() -> None:
    multipliers = (0, 1 << 30, 0x5A827999, HIGH)
    for value, multiplier, shift in itertools.product(numbers(30), multipliers, range(-31, 31)):
        shifted = value << max(shift, 0)
        if not LOW <= shifted <= HIGH:
            with pytest.raises(OverflowError, match=f"^{shifted} does not fit 32 bits$"):
                fx.requantize(value, multiplier, shift)
            continue
        product = nearest_up(Fraction(shifted * multiplier, ONE))
        assert fx.requantize(value, multiplier, shift) == nearest_away(Fraction(product, 1 << max(-shift, 0)))


# gemmlowp's functions of reals, each step of their definition rounded as there.


def product(a: int, b: int) -> int:
    return min(nearest_up(Fraction(a * b, ONE)), HIGH)


def scaled(value: int, power: int) -> int:
    """value · 2^power, saturated."""
    exact = Fraction(value) * Fraction(2) ** power
    return max(LOW, min(HIGH, nearest_away(exact)))


def fraction_of(real: float, unit: int = ONE) -> int:
    return nearest_away(Fraction(real) * unit)


def exp_by_definition(a: int, integer_bits: int) -> int:
    """exp(a): what is left over a multiple of 1/4 by its Taylor series, times exp(−2^k) for the multiple's bits."""
    if a == 0:
        return HIGH
    unit = 1 << (31 - integer_bits)
    quarters, rest = divmod(a, unit // 4)
    x = scaled(rest - unit // 4, integer_bits) + (1 << 28)  # around −1/8
    square = product(x, x)
    third = product(scaled(product(square, square), -2) + product(square, x), fraction_of(1 / 3)) + square
    eighth = fraction_of(math.exp(-1 / 8))
    result = eighth + product(eighth, x + scaled(third, -1))
    left = -(quarters + 1)  # quarters that exp(−1/4) was not taken for
    for k in range(-2, integer_bits):
        if left >> (k + 2) & 1:
            result = product(result, fraction_of(math.exp(-(2.0**k))))
    return result


@pytest.mark.parametrize("integer_bits", [4, 5])
def test_exponentials(integer_bits: int) -> None:
    unit = 1 << (31 - integer_bits)
    rng = np.random.default_rng(integer_bits)
    edges = [-(k * unit) // 4 + d for k in range(4 * (1 << integer_bits)) for d in (-1, 0, 1)]
    drawn = [int(n) for n in rng.integers(LOW, 1, 400)]
    for a in [LOW, *edges, *drawn]:
        if LOW <= a <= 0:
            assert fx.exp_on_negative_values(a, integer_bits) == exp_by_definition(a, integer_bits)


def half_reciprocal_by_definition(a: int) -> int:
    """2 / (1 + a) with two integer bits: Newton's steps from 48/17 − 32/17 · (1 + a)/2."""
    unit = 1 << 29
    half = (a + ONE) // 2
    x = fraction_of(48 / 17, unit) + product(half, fraction_of(-32 / 17, unit))
    for _ in range(3):
        x += scaled(product(x, unit - product(half, x)), 2)
    return x


def test_reciprocals() -> None:
    for a in numbers(500, 0):
        wanted = half_reciprocal_by_definition(a)
        assert fx.one_over_one_plus(a) == scaled(wanted, 1)
        assert fx.one_minus_over_one_plus(a) == scaled(wanted - (1 << 29), 2)


def test_scaled_numbers_saturate() -> None:
    """1 / (1 + 0) is the largest fraction; and so is what is beyond it."""
    assert fx.one_over_one_plus(0) == HIGH
    assert fx.one_minus_over_one_plus(0) == HIGH
    for value, power in itertools.product(numbers(50), range(-31, 32)):
        assert fx._rescale(value, power) == scaled(value, power)


@pytest.mark.parametrize("integer_bits", [3, 4])
def test_logistic_and_tanh(integer_bits: int) -> None:
    for a in numbers(300, -HIGH):
        e = exp_by_definition(-abs(a), integer_bits)
        half = scaled(half_reciprocal_by_definition(e), 1)
        logistic = {True: half, False: HIGH - half}[a > 0] if a else 1 << 30
        assert fx.logistic(a, integer_bits) == logistic
        double = exp_by_definition(-abs(a), integer_bits + 1)
        magnitude = scaled(half_reciprocal_by_definition(double) - (1 << 29), 2)
        tanh = {True: magnitude, False: -magnitude}[a > 0] if a else 0
        assert fx.tanh(a, integer_bits) == tanh


def inverse_root_by_definition(value: int) -> tuple[int, int]:
    """Newton's steps x ← 3/2 · x − v/2 · x³ from x = 1, for v brought between 1/2 and 2 by a power of four."""
    fours = 0
    while value >= 1 << 29:
        value, fours = value // 4, fours + 1
    while value < 1 << 27:
        value, fours = value * 4, fours - 1
    half = nearest_away(Fraction(value // 2, 2))
    x = 1 << 28
    for _ in range(5):
        cube = scaled(product(product(x, x), x), 6)
        x = scaled(product(3 << 27, x) - product(half, cube), 3)
    result, right = product(x, fraction_of(math.sqrt(0.5))), 11 + fours
    return (result << -right, 0) if right < 0 else (result, -right)


def test_inverse_square_roots() -> None:
    """0 counts as 1."""
    assert fx.inverse_square_root(0) == fx.inverse_square_root(1) == (HIGH, 0)
    values = [*range(2, 70), 255, 256, 510, *(n for n in numbers(400, 2) if n > 1)]
    values += [(1 << bits) + d for bits in range(3, 31) for d in (-1, 0, 1)]
    for value in values:
        multiplier, shift = fx.inverse_square_root(value)
        assert (multiplier, shift) == inverse_root_by_definition(value)
        assert multiplier == pytest.approx(ONE / math.sqrt(value) * 2.0**-shift, rel=3e-6)


# What is derived from scales


def multiplier_by_definition(value: float) -> tuple[int, int]:
    """value = m · 2^(s − 31) with 2^30 ≤ m < 2^31, rounded half away from zero."""
    exact, shift = Fraction(value), 0
    while exact >= 1:
        exact, shift = exact / 2, shift + 1
    while exact < Fraction(1, 2):
        exact, shift = exact * 2, shift - 1
    fixed = nearest_away(exact * ONE)
    if fixed == ONE:
        fixed, shift = fixed // 2, shift + 1
    if shift < -31:
        return 0, 0
    return (fixed, shift) if shift <= 30 else (HIGH, 30)


def reals() -> Iterator[float]:
    for power in range(-36, 36):
        base = 2.0**power
        yield from (base, math.nextafter(base, 0), math.nextafter(base, math.inf), base * 1.3)
        # Of 31 bits: on a half, and beside it.
        half = base * (1 + 2.0**-31)
        yield from (half, math.nextafter(half, 0), math.nextafter(half, math.inf), base * (2 - 2.0**-31))
    rng = np.random.default_rng(0)
    yield from (float(10.0**power) for power in rng.uniform(-9, 9, 300))


def test_multipliers() -> None:
    assert quantize_multiplier(0.0) == (0, 0)
    for value in reals():
        assert quantize_multiplier(value) == multiplier_by_definition(value), value


LIMITS = {
    DType.INT8: (-128, 127),
    DType.UINT8: (0, 255),
    DType.INT16: (-(1 << 15), (1 << 15) - 1),
    DType.INT32: (LOW, HIGH),
}


@pytest.mark.parametrize("dtype", LIMITS)
def test_limits(dtype: DType) -> None:
    low, high = LIMITS[dtype]
    assert integer_limits(dtype) == (low, high)
    for zero in {low, high, 0, 5}:
        tensor = Tensor(0, "", (1,), dtype, Quantization((1.0,), (zero,)))
        assert integer_magnitude(tensor) == max(abs(low - zero), abs(high - zero))


ACTIVATIONS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}


@pytest.mark.parametrize("dtype", [DType.INT8, DType.UINT8, DType.INT16])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_fused_activations(activation: str, dtype: DType) -> None:
    low, high = LIMITS[dtype]
    for scale, zero in itertools.product((0.001, 0.05, 0.4, 2.0, 4.0, 12.0, 13.0), (low, high, 0, 7)):

        def quantized(real: float, scale: float = scale, zero: int = zero) -> int:
            quotient = np.float32(real) / np.float32(scale)
            return zero + nearest_away(Fraction(float(quotient)))

        least, most = ACTIVATIONS[activation]
        wanted = (
            low if least is None else max(low, quantized(least)),
            high if most is None else min(high, quantized(most)),
        )
        assert activation_range(activation, Quantization((scale,), (zero,)), dtype) == wanted
        if dtype is DType.INT8:
            assert activation_range(activation, Quantization((scale,), (zero,))) == wanted


@pytest.mark.parametrize("activation", ["TANH", "SIGN_BIT"])
def test_activations_without_a_quantized_form(activation: str) -> None:
    with pytest.raises(ValueError, match=f"^{activation}$"):
        activation_range(activation, Quantization((0.1,), (0,)))


@pytest.mark.parametrize(
    ("multiplier", "short"),
    [(1 << 30, 16384), (0x40007FFF, 16384), (0x40008000, 16385), (0x7FFF7FFF, 32767), ((1 << 31) - 1, 32767)],
)
def test_short_multipliers_have_fifteen_bits_rounded_up_from_a_half(multiplier: int, short: int) -> None:
    assert short_multiplier(multiplier) == short
