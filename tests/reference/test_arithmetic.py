"""The reference's arithmetic beside the kernels', which shares none of it, and beside exact numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from mcugen.numerics import fixed_point, quantized
from mcugen.reference import arithmetic as ours

RNG = np.random.default_rng(0)
EDGES = [-(2**31), -(2**31) + 1, -(2**30), -65537, -3, -2, -1, 0, 1, 2, 3, 65535, 2**30, 2**31 - 2, 2**31 - 1]
WORDS = [*EDGES, *(int(n) for n in RNG.integers(-(2**31), 2**31, 40)), *(int(n) for n in RNG.integers(-500, 500, 20))]
SOME = WORDS[::4] + EDGES[-3:] + EDGES[:3]


def floor_half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def half_away(value: Fraction) -> int:
    return int(math.copysign(math.floor(abs(value) + Fraction(1, 2)), value))


def of(function: Callable[..., object], *values: object) -> list[int]:
    """A function of arrays, of one number each."""
    return [int(n) for n in np.atleast_1d(function(*values))]  # type: ignore[call-overload]


@pytest.mark.parametrize(("dtype", "bits"), [("int8", 8), ("int16", 16), ("int32", 32)])
def test_limits(dtype: str, bits: int) -> None:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    assert ours.limits(np.dtype(dtype)) == (low, high)
    values = np.array([low - 5, low, -1, 0, 1, high, high + 1])
    made = ours.saturated(values, np.dtype(dtype))
    assert (made.dtype, made.tolist()) == (np.dtype(dtype), [low, low, -1, 0, 1, high, high])
    assert ours.wrap(np.array([low - 1, low, 0, high, high + 1, 3 << bits]), bits).tolist() == [
        high,
        low,
        0,
        high,
        low,
        0,
    ]


def test_uint8_and_words() -> None:
    assert ours.limits(np.dtype("uint8")) == (0, 255)
    assert ours.wrap(np.array([2**31, -(2**31) - 1])).tolist() == [-(2**31), 2**31 - 1]


@pytest.mark.parametrize("value", [0.0, 0.49, 0.5, 0.51, 1.0, 1.5, 2.5, 1e9 + 0.5, 0.49999997])
def test_halves_go_away_from_zero(value: float) -> None:
    for real in (value, -value):
        assert ours.half_away(real) == half_away(Fraction(real))
        wanted = half_away(Fraction(float(np.float32(real))))
        assert ours.half_away_f32(np.float32(real)) == np.float32(wanted)
    assert ours.half_away_f32(np.float32(1)).dtype == np.float32
    with np.errstate(invalid="ignore"):
        assert np.isnan(ours.half_away_f32(np.float32("nan")))
        assert ours.half_away_f32(np.float32("-inf")) == -np.inf


REALS = [0.0, 1.0, -1.0, 0.5, 1 - 2.0**-33, 1 - 2.0**-31, 2.0**-32, 2.0**-33, 2.0**-31 * 0.99]
REALS += [2.0**29, 2.0**30, 2.0**31, 1e-12, 1e12, 0.0073, -0.3, 123.456]


@pytest.mark.parametrize("real", [*REALS, *(float(r) for r in 10.0 ** RNG.uniform(-11, 10, 40))])
def test_factors(real: float) -> None:
    m, s = ours.factor(real)
    assert (m, s) == quantized.quantize_multiplier(real)
    if 1e-8 < abs(real) < 1e8:
        assert math.isclose(m * 2.0 ** (s - 31), real, rel_tol=1e-9)


@pytest.mark.parametrize("a", WORDS)
def test_products(a: int) -> None:
    for b in SOME:
        exact = min(floor_half_up(Fraction(a * b, 2**31)), 2**31 - 1)
        assert of(ours.high_product, np.int64(a), b) == [exact]
        short, other = a >> 16, b >> 16
        exact = min(floor_half_up(Fraction(short * other, 2**15)), 32767)
        assert of(ours.high_product_16, np.int64(short), other) == [exact]


@pytest.mark.parametrize("a", WORDS)
def test_shifts(a: int) -> None:
    for bits in (0, 1, 2, 7, 15, 30, 31):
        assert of(ours.shift_right, np.int64(a), bits) == [half_away(Fraction(a, 2**bits))]
        assert of(ours.shift_right, np.int64(a), bits) == [fixed_point.rounding_shift_right(a, bits)]
    for exponent in (-5, -1, 0, 1, 6):
        exact = half_away(Fraction(a) * Fraction(2) ** exponent)
        assert of(ours._times_power, np.int64(a), exponent) == [max(-(2**31), min(2**31 - 1, exact))]


@pytest.mark.parametrize("a", WORDS)
def test_two_roundings(a: int) -> None:
    small = a >> 8
    for m in (2**30, 2**31 - 1, 1518500250, -(2**30)):
        for s in (-31, -12, -1, 0, 1, 3):
            assert of(ours.scale_by, np.int64(small), m, s) == [fixed_point.requantize(small, m, s)]
    assert ours.scale_by(np.int64([a, a]), [2**30, 2**31 - 1], [0, -3]).tolist() == [
        fixed_point.requantize(a, 2**30, 0),
        fixed_point.requantize(a, 2**31 - 1, -3),
    ]
    assert of(ours.rescaled, np.int64(small), 0.0123) == [fixed_point.requantize(small, *ours.factor(0.0123))]


@pytest.mark.parametrize("value", [0, 1, -1, 5, 2**40 + 77, -(2**40) - 3, 2**47 - 1, 123456789012])
def test_wide_sums(value: int) -> None:
    for m in (2**30, 0x7FFEFFFF, 0x7FFF0000, 0x7FFF7FFF, 2**31 - 1, 1518500250):
        for s in (-20, -1, 0, 3):
            short = quantized.short_multiplier(m)
            exact = floor_half_up(Fraction(value * short, 2 ** (15 - s)))
            assert of(ours.scale_wide_by, np.int64(value), m, s) == [exact]


NEGATIVE = [0, -1, -2, -(2**31), -(2**31) + 1, -(2**28), -(2**24), -(2**24) + 1]
NEGATIVE += [int(n) for n in RNG.integers(-(2**31), 0, 60)]


@pytest.mark.parametrize("integer_bits", [0, 1, 3, 5])
def test_functions(integer_bits: int) -> None:
    for a in NEGATIVE:
        exp = of(ours.exp_of_negative, np.int64(a), integer_bits)
        assert exp == [fixed_point.exp_on_negative_values(a, integer_bits)]
        assert abs(exp[0] / 2**31 - math.exp(a / 2.0 ** (31 - integer_bits))) < 3e-7
        size = -max(a, -(2**31) + 1)
        assert of(ours.one_over_one_plus, np.int64(size)) == [fixed_point.one_over_one_plus(size)]
        for value in (size, -size):
            assert of(ours.fixed_logistic, np.int64(value), integer_bits) == [fixed_point.logistic(value, integer_bits)]
            if integer_bits < 5:  # the kernels need no more
                assert of(ours.fixed_tanh, np.int64(value), integer_bits) == [fixed_point.tanh(value, integer_bits)]


POSITIVE = [0, 1, 2, 3, 4, 100, 2**28, 2**29 - 1, 2**29, 2**30, 2**31 - 1]
POSITIVE += [int(2**exponent) for exponent in RNG.uniform(0, 31, 60)]


@pytest.mark.parametrize("value", POSITIVE)
def test_functions_of_whole_numbers(value: int) -> None:
    assert ours.leading_zeros(value) == 32 - len(bin(value)[2:].lstrip("0"))
    m, s = ours.inverse_root(value)
    assert math.isclose(m * 2.0 ** (s - 31), max(value, 1) ** -0.5, rel_tol=2e-6)
    assert (m, s) == fixed_point.inverse_square_root(value) or value <= 1
    if value:
        inverse, bits = ours.reciprocal(value, 12)
        assert bits == 12 - ours.leading_zeros(value)
        scaled = (value << ours.leading_zeros(value)) / 2**31
        assert math.isclose(inverse / 2**31, 1 / scaled, rel_tol=1e-7, abs_tol=2e-9)
        near = math.log(value / 2**19)
        assert abs(ours.logarithm(value) / 2**26 - near) < 2e-6 or value < 1000  # few digits are kept of these
