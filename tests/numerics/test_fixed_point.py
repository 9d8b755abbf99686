"""The fixed-point arithmetic against exact rationals and real functions, and the C kernels against it."""

from __future__ import annotations

import ctypes
import math
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcugen.numerics import fixed_point as fx
from mcugen.runtimes.aot.emit.host import WARNINGS, host_compiler
from tests.conftest import KERNEL_INCLUDES

INT32 = st.integers(fx.INT32_MIN, fx.INT32_MAX)
POSITIVE = st.integers(0, fx.INT32_MAX)


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def half_away(value: Fraction) -> int:
    rounded = math.floor(abs(value) + Fraction(1, 2))
    return rounded if value >= 0 else -rounded


@given(INT32, INT32)
def test_doubling_high_mul(a: int, b: int) -> None:
    exact = half_up(Fraction(a * b, 1 << 31))
    assert fx.doubling_high_mul(a, b) == min(exact, fx.INT32_MAX)


@given(INT32, st.integers(0, 31))
def test_rounding_shift_right(value: int, exponent: int) -> None:
    assert fx.rounding_shift_right(value, exponent) == half_away(Fraction(value, 1 << exponent))


def test_rounding_twice_differs_from_rounding_once() -> None:
    """0.4999… rounds up to a tie first, and the tie then away from zero: why the oracle's choice matters."""
    value, multiplier, shift = 3, round(Fraction(1, 6) * (1 << 33)), -2
    assert fx.requantize(value, multiplier, shift) == 1
    single = half_away(Fraction(value * (multiplier - 8), 1 << 33))
    assert fx.requantize(value, multiplier - 8, shift) == 1
    assert single == 0


def test_requantize_refuses_what_overflows() -> None:
    assert fx.requantize((1 << 30) - 1, fx.INT32_MAX, 1) == (1 << 31) - 3
    with pytest.raises(OverflowError, match="does not fit 32 bits"):
        fx.requantize(1 << 30, fx.INT32_MAX, 1)
    with pytest.raises(OverflowError, match="does not fit 32 bits"):
        fx.requantize(-(1 << 30) - 1, fx.INT32_MAX, 1)


@pytest.mark.parametrize("integer_bits", [4, 5])
def test_real_functions(integer_bits: int) -> None:
    rng = np.random.default_rng(0)
    unit = float(1 << (31 - integer_bits))
    for raw in [fx.INT32_MIN, -1, 0, *(int(v) for v in rng.integers(fx.INT32_MIN, 1, 300))]:
        assert abs(fx.exp_on_negative_values(raw, integer_bits) / 2**31 - math.exp(raw / unit)) < 4e-7
    limit = fx.INT32_MAX
    for raw in [-limit, -1, 0, 1, limit, *(int(v) for v in rng.integers(-limit, limit, 300))]:
        assert abs(fx.logistic(raw, integer_bits) / 2**31 - 1 / (1 + math.exp(-raw / unit))) < 4e-7
        if integer_bits == 4:
            assert abs(fx.tanh(raw, 4) / 2**31 - math.tanh(raw / unit)) < 4e-7


@given(POSITIVE)
def test_reciprocals(a: int) -> None:
    real = a / 2**31
    assert abs(fx.one_over_one_plus(a) / 2**31 - 1 / (1 + real)) < 2e-9 * 4
    assert abs(fx.one_minus_over_one_plus(a) / 2**31 - (1 - real) / (1 + real)) < 2e-8


def test_known_constants() -> None:
    """Spot values."""
    assert fx.exp_on_negative_values(0, 5) == fx.INT32_MAX
    assert fx.exp_on_negative_values(-(1 << 26), 5) == pytest.approx(math.exp(-1) * 2**31, abs=300)
    assert fx.exp_on_negative_values(fx.INT32_MIN, 5) == 0
    assert fx.logistic(0, 4) == 1 << 30
    assert fx.tanh(0, 4) == 0


@pytest.fixture(scope="module")
def c_library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder: Path = tmp_path_factory.mktemp("c")
    source, library = folder / "arithmetic.c", folder / "arithmetic.so"
    source.write_text(
        '#include "mcg_softmax_s8.h"\n'
        "int32_t high(int32_t a, int32_t b);\n"
        "int32_t high(int32_t a, int32_t b) { return mcg_mul_high_saturating(a, b); }\n"
        "int32_t right(int32_t a, int32_t b);\n"
        "int32_t right(int32_t a, int32_t b) { return mcg_shift_right_rounding(a, b); }\n"
        "int32_t any(int32_t a, int32_t m, int32_t s);\n"
        "int32_t any(int32_t a, int32_t m, int32_t s) { return mcg_requantize(a, m, s); }\n"
        "int32_t down(int32_t a, int32_t m, int32_t s);\n"
        "int32_t down(int32_t a, int32_t m, int32_t s) { return mcg_requantize_down(a, m, s); }\n"
        "int32_t reciprocal(int32_t a);\n"
        "int32_t reciprocal(int32_t a) { return mcg_one_over_one_plus(a); }\n"
    )
    command = [host_compiler(), *WARNINGS, "-O2", "-shared", "-fPIC", *KERNEL_INCLUDES]
    subprocess.run([*command, str(source), "-o", str(library)], check=True, timeout=60)
    return ctypes.CDLL(str(library))


EDGES = [fx.INT32_MIN, fx.INT32_MIN + 1, -(1 << 30), -(1 << 30) - 1, -1, 0, 1, (1 << 30) - 1, 1 << 30, fx.INT32_MAX]


def draws(count: int) -> list[int]:
    """Edges, then integers of every magnitude."""
    rng = np.random.default_rng(4)
    return EDGES + [
        int(v) >> int(s)
        for v, s in zip(rng.integers(-(1 << 31), 1 << 31, count), rng.integers(0, 31, count), strict=True)
    ]


def test_c_products_and_shifts(c_library: ctypes.CDLL) -> None:
    values = draws(300)
    for a in values:
        for b in values[:60]:
            assert c_library.high(a, b) == fx.doubling_high_mul(a, b)
        for bits in range(32):
            assert c_library.right(a, bits) == fx.rounding_shift_right(a, bits)


def test_c_requantization(c_library: ctypes.CDLL) -> None:
    rng = np.random.default_rng(5)
    for value in draws(2000):
        multiplier = int(rng.choice([1 << 30, fx.INT32_MAX, 0, int(rng.integers(1 << 30, 1 << 31))]))
        for shift in (-31, -30, -2, -1, int(rng.integers(-31, 0))):
            expected = fx.requantize(value, multiplier, shift)
            assert c_library.any(value, multiplier, shift) == expected
            if abs(value) <= 1 << 30:
                assert c_library.down(value, multiplier, shift) == expected
        for shift in (0, 1, 15, 30):
            if fx.INT32_MIN <= value << shift <= fx.INT32_MAX:
                assert c_library.any(value, multiplier, shift) == fx.requantize(value, multiplier, shift)


def test_c_reciprocal(c_library: ctypes.CDLL) -> None:
    for value in draws(5000):
        if value >= 0:
            assert c_library.reciprocal(value) == fx.one_over_one_plus(value)
