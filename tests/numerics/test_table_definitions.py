"""Every table, entry by entry, against its definition in real numbers or exact integers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.graph.types import DType
from mcugen.numerics import function_tables as functions
from mcugen.numerics import int16_tables, tables
from mcugen.numerics.sigmoid_table import sigmoid_table
from tests.numerics.test_exact import (
    HIGH,
    exp_by_definition,
    half_reciprocal_by_definition,
    inverse_root_by_definition,
    multiplier_by_definition,
    nearest_away,
    nearest_up,
    product,
    scaled,
)

INT8 = range(-128, 128)
SCALES = ((0.05, 0.06), (0.5, 0.5), (0.1, 0.013), (2.0**-7, 2.0**-8), (0.3, 7.0))
ZEROS = ((3, -128), (-128, 127), (127, 0), (0, -5))


def outputs(table: NDArray[np.uint8]) -> list[int]:
    """An int8 table's outputs in the order of its inputs −128 … 127."""
    assert table.dtype == np.uint8
    assert table.shape == (256,)
    return [int(table[value & 255].view(np.int8)) for value in INT8]


def float32(*scales: float) -> tuple[float, ...]:
    return tuple(float(np.float32(scale)) for scale in scales)


def clamp(value: int, low: int = -128, high: int = 127) -> int:
    return min(max(value, low), high)


def requantized(value: int, real: float) -> int:
    """value · real, rounded twice: with the multiplier's 31 bits, then with the shift's."""
    multiplier, shift = multiplier_by_definition(real) if real else (0, 0)
    high = nearest_up(Fraction((value << max(shift, 0)) * multiplier, 1 << 31))
    return nearest_away(Fraction(high, 1 << max(-shift, 0)))


def cases() -> list[tuple[tuple[float, ...], tuple[int, int]]]:
    return [(float32(*scales), zeros) for scales, zeros in itertools.product(SCALES, ZEROS)]


# tables.py


def test_a_byte_table_is_indexed_by_the_raw_byte() -> None:
    assert outputs(tables.byte_table(lambda value: -1 - value)) == [-1 - value for value in INT8]
    unsigned = tables.byte_table(lambda value: 255 - value, DType.UINT8)
    assert unsigned.tolist() == [255 - value for value in range(256)]
    assert [tables.clamp_int8(value) for value in (-129, -128, 0, 127, 128)] == [-128, -128, 0, 127, 127]


@pytest.mark.parametrize("types", list(itertools.product((DType.INT8, DType.UINT8), repeat=2)))
@pytest.mark.parametrize("scales", SCALES)
def test_requantization(types: tuple[DType, DType], scales: tuple[float, float]) -> None:
    limits = {DType.INT8: (-128, 127), DType.UINT8: (0, 255)}
    (low, high), (least, most) = (limits[dtype] for dtype in types)
    scales = float32(*scales)  # type: ignore[assignment]
    for zeros in ((low, most), (high, least), (5, 3)):
        table = tables.requantize_table(*types, scales, zeros)
        for value in range(low, high + 1):
            wanted = clamp(requantized(value - zeros[0], scales[0] / scales[1]) + zeros[1], least, most)
            assert table[value & 255] == wanted & 255


@pytest.mark.parametrize(("scales", "zeros"), cases())
def test_relu(scales: tuple[float, float], zeros: tuple[int, int]) -> None:
    wanted = [max(clamp(requantized(v - zeros[0], scales[0] / scales[1]) + zeros[1]), zeros[1]) for v in INT8]
    assert outputs(tables.relu_table(scales, zeros)) == wanted


@pytest.mark.parametrize("scale", [0.05, 0.04, 0.4, 4.0, 12.0, 12.1, 6 / 0.5 / 7])
@pytest.mark.parametrize("zero", [-128, -3, 0, 127])
def test_relu6(scale: float, zero: int) -> None:
    steps = nearest_up(Fraction(float(np.float32(6) / np.float32(scale))))
    assert outputs(tables.relu6_table(scale, zero)) == [clamp(v, zero, min(127, steps + zero)) for v in INT8]


def logistic(a: int) -> int:
    if a == 0:
        return 1 << 30
    positive = scaled(half_reciprocal_by_definition(exp_by_definition(-abs(a), 4)), 1)
    return positive if a > 0 else HIGH - positive


def tanh(a: int) -> int:
    if a == 0:
        return 0
    positive = scaled(half_reciprocal_by_definition(exp_by_definition(-abs(a), 5)) - (1 << 29), 2)
    return positive if a > 0 else -positive


@pytest.mark.parametrize("scale", [2.0**-28, 1e-6, 0.002, 0.05, 0.1, 0.4, 3.0, 16.0, 1e4, 2.0**34])
@pytest.mark.parametrize("zero", [-128, -3, 127])
def test_logistic_and_tanh(scale: float, zero: int) -> None:
    """Arguments have four integer bits; from ±15 on the result is the limit, whatever the function."""
    (scale,) = float32(scale)
    mantissa, power = math.frexp(scale * 2**27)
    multiplier, limit = int(mantissa * 2**31), (15 << 27) >> power
    by_name = {
        "logistic": lambda a: nearest_away(Fraction(logistic(a), 1 << 23)) - 128,
        "tanh": lambda a: nearest_away(Fraction(tanh(a), 1 << 24)),
    }
    for name, function in by_name.items():
        got = outputs(getattr(tables, f"{name}_table")(scale, zero))
        for value, output in zip(INT8, got, strict=True):
            centred = value - zero
            if abs(centred) >= limit:
                wanted = 127 if centred >= limit and centred > -limit else -128
            else:
                wanted = clamp(function(product(centred << power, multiplier)))
            assert output == wanted, (name, value)


@pytest.mark.parametrize("scale", [2.0**-24, 0.001, 0.1, 0.37, 1.0, 20.0, 1e9])
@pytest.mark.parametrize("beta", [1.0, 0.5, 2.0])
def test_softmax_exponentials(scale: float, beta: float) -> None:
    (scale,) = float32(scale)
    real = min(beta * scale * 2**26, 2.0**31 - 1)
    multiplier, shift = multiplier_by_definition(real)
    wanted = []
    for distance in range(256):
        if distance > (31 << 26) >> shift:
            break
        value = exp_by_definition(product(-distance << shift, multiplier), 5)
        if value < 1 << 11:
            break
        wanted.append(value)
    got = tables.softmax_exp_table(beta, scale)
    assert got.dtype == np.int32
    assert got.tolist() == wanted
    assert len(got) >= 1


TOO_SMALL = "^beta times the input scale is not above 2\\^-26$"
NO_SHIFT = "^the input scale is outside what the reference can shift by$"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tables.softmax_exp_table(1.0, 2.0**-26), TOO_SMALL),
        (lambda: tables.softmax_exp_table(math.nan, 0.1), TOO_SMALL),
        (lambda: tables.softmax_exp_table(-1.0, 0.1), TOO_SMALL),
        (lambda: tables.logistic_table(math.nextafter(2.0**-28, 0), 0), NO_SHIFT),
        (lambda: tables.logistic_table(2.0**35, 0), NO_SHIFT),
        (lambda: tables.tanh_table(math.nextafter(2.0**-28, 0), 0), NO_SHIFT),
        (lambda: tables.tanh_table(2.0**35, 0), NO_SHIFT),
        (lambda: tables.relu6_table(1e-10, 0), "does not fit 32 bits$"),
        (lambda: tables.relu_table((1.0, 1e-9), (0, 0)), "does not fit 32 bits$"),
        (lambda: tables.requantize_table(DType.INT8, DType.INT8, (1.0, 1e-40), (0, 0)), "does not fit 32 bits$"),
        (lambda: functions.leaky_relu_table(0.1, (1.0, 1e-9), (0, 0)), "does not fit 32 bits$"),
        (lambda: functions.abs_table((1.0, 1e-9), (0, 0)), "does not fit 32 bits$"),
        (lambda: functions.elu_table((1.0, 1e-9), (0, 0)), "does not fit 32 bits$"),
        (lambda: functions.hard_swish_table((128.0, 0.5), (0, 0)), "^the output scale is outside"),
        (lambda: functions.hard_swish_table((1e-9, 1e-11), (0, 0)), "^the input scale is outside"),
        (lambda: functions.hard_swish_table((0.1, 1e-9), (0, 0)), "^the output scale is outside"),
        (lambda: functions.rsqrt_table((1.0, 1e4), (-128, 0)), "shifts by more than 31 bits$"),
        (lambda: int16_tables.sigmoid_factor(3.0, ()), "^an input scale of 3 is outside what the reference"),
        (lambda: int16_tables.sigmoid_factor(1e-16, ()), "^an input scale of 1e-16 is outside what the reference"),
    ],
)
def test_what_the_reference_cannot_compute(call: object, message: str) -> None:
    with pytest.raises(OverflowError, match=message):
        call()  # type: ignore[operator]


# function_tables.py


@pytest.mark.parametrize("alpha", [0.1, 0.3, 1.0, -0.2, 2.0, 0.0])
@pytest.mark.parametrize(("scales", "zeros"), cases())
def test_leaky_relu(alpha: float, scales: tuple[float, float], zeros: tuple[int, int]) -> None:
    (alpha,) = float32(alpha)
    sign = -1 if alpha < 0 else 1
    wanted = []
    for value in INT8:
        centred = value - zeros[0]
        if centred >= 0:
            steps = requantized(centred, scales[0] / scales[1])
        else:
            steps = sign * requantized(centred, scales[0] * abs(alpha) / scales[1])
        wanted.append(clamp(steps + zeros[1]))
    assert outputs(functions.leaky_relu_table(alpha, scales, zeros)) == wanted


@pytest.mark.parametrize(("scales", "zeros"), cases())
def test_abs(scales: tuple[float, float], zeros: tuple[int, int]) -> None:
    wanted = [clamp(requantized(abs(v - zeros[0]), scales[0] / scales[1]) + zeros[1]) for v in INT8]
    assert outputs(functions.abs_table(scales, zeros)) == wanted


@pytest.mark.parametrize(("scales", "zeros"), cases())
def test_elu(scales: tuple[float, float], zeros: tuple[int, int]) -> None:
    wanted = []
    for value in INT8:
        real = np.float32(scales[0]) * np.float32(value - zeros[0])
        if real < 0:
            real = np.float32(np.float32(math.exp(real)) - np.float32(1))
        steps = np.float32(real * (np.float32(1) / np.float32(scales[1])))
        wanted.append(clamp(nearest_away(Fraction(float(steps))) + zeros[1]))
    assert outputs(functions.elu_table(scales, zeros)) == wanted


@pytest.mark.parametrize("zero", [-128, 127, 0, 5])
@pytest.mark.parametrize("scales", [(0.05, 0.06), (0.1, 0.013), (1.0, 1e-3), (1e-4, 0.3), (7.0, 100.0)])
def test_rsqrt(scales: tuple[float, float], zero: int) -> None:
    scales = float32(*scales)  # type: ignore[assignment]
    factor = 1.0 / (math.sqrt(scales[0]) * scales[1])
    multiplier, shift = multiplier_by_definition(factor)
    assert functions.rsqrt_factor(*scales) == (multiplier, shift)
    got = outputs(functions.rsqrt_table(scales, (-128, zero)))
    assert got[0] == 127
    for value, output in list(zip(INT8, got, strict=True))[1:]:
        root, power = inverse_root_by_definition(value + 128) if value > -127 else (HIGH, 0)
        data = nearest_away(Fraction(nearest_up(Fraction((1 << max(power + 20, 0)) * root, 1 << 31)), 1))
        left, right = max(shift - 20, 0), max(20 - shift, 0)
        wanted = nearest_away(Fraction(nearest_up(Fraction((data << left) * multiplier, 1 << 31)), 1 << right))
        assert output == clamp(wanted + zero), value


def saturated16(value: int) -> int:
    return clamp(value, -(1 << 15), (1 << 15) - 1)


def multiplier16(real: float) -> tuple[int, int]:
    multiplier, shift = multiplier_by_definition(real)
    return min(nearest_up(Fraction(multiplier, 1 << 16)), (1 << 15) - 1), shift


@pytest.mark.parametrize("zeros", ZEROS)
@pytest.mark.parametrize(
    "scales", [(0.05, 0.06), (0.1, 0.013), (0.01, 0.4), (2.0, 3.0), (1e-4, 2e-4), (7.0, 7.0), (0.0176, 0.02)]
)
def test_hard_swish(scales: tuple[float, float], zeros: tuple[int, int]) -> None:
    """Both factors have 15 bits; the gate is saturated before and after its last doubling."""
    scales = float32(*scales)  # type: ignore[assignment]
    fine = scales[0] / 128
    (output, output_power), (gate, gate_power) = multiplier16(fine / scales[1]), multiplier16(fine / (3 / 32768))
    wanted = []
    for value in INT8:
        x = (value - zeros[0]) * 128
        g = saturated16(x << max(gate_power - 1, 0))
        g = nearest_up(Fraction(g * gate, 1 << 15))
        g = saturated16(2 * g) if gate_power > 0 else nearest_away(Fraction(g, 1 << -gate_power))
        g = (g + (1 << 15)) // 2
        whole = g * nearest_up(Fraction(x * output, 1 << 15))
        steps = int(Fraction(whole, 1 << 15))  # towards zero
        wanted.append(clamp(nearest_away(Fraction(steps, 1 << -output_power)) + zeros[1]))
    assert outputs(functions.hard_swish_table(scales, zeros)) == wanted


@pytest.mark.parametrize(
    ("allowed", "refused", "scales"),
    [
        ((-15, 0), (-16, 1), lambda factor: (1.0, 1 / 128 / factor)),
        ((-15, 31), (-16,), lambda factor: (factor * 128 * 3 / 32768, factor * 3 / 32768 / 0.75)),
    ],
    ids=["output", "gate"],
)
def test_hard_swish_shifts_as_far_as_the_reference(
    allowed: tuple[int, ...], refused: tuple[int, ...], scales: Callable[[float], tuple[float, float]]
) -> None:
    for power in allowed:
        functions.hard_swish_table(scales(0.75 * 2.0**power), (0, 0))
    for power in refused:
        with pytest.raises(OverflowError, match="outside what the reference can shift by"):
            functions.hard_swish_table(scales(0.75 * 2.0**power), (0, 0))


@pytest.mark.parametrize("a", [-32768, -32767, -3, -1, 0, 1, 2, 3, 12345, 32767])
@pytest.mark.parametrize("b", [1, 3, 8192, 16384, 24576, 32767])
def test_halves_of_16_bit_products_go_up(a: int, b: int) -> None:
    assert functions._doubling_high_mul16(a, b) == nearest_up(Fraction(a * b, 1 << 15))


def test_rsqrt_shifts_by_31_at_most() -> None:
    functions.rsqrt_table((1.0, 1 / (0.75 * 2.0**-11)), (-128, 0))
    with pytest.raises(OverflowError, match="shifts by more than 31 bits"):
        functions.rsqrt_table((1.0, 1 / (0.75 * 2.0**-12)), (-128, 0))


# int16_tables.py and sigmoid_table.py


def between(function: object, low: float, high: float) -> list[float]:
    """Entries at 512 steps, less half of what a straight line is wrong in the middle, in units of 2^-15."""
    step = (high - low) / 512
    entries = []
    for n in range(513):
        at = low + n * step
        here, middle, after = (function(at + part * step) * 2**15 for part in (0, 0.5, 1))  # type: ignore[operator]
        entries.append(here - ((here + after) / 2 - middle) / 2 if n < 512 else here)
    return entries


@pytest.mark.parametrize(
    ("table", "function", "low", "high"),
    [
        (int16_tables.softmax_exp_table, math.exp, -10.0, 0.0),
        (int16_tables.softmax_reciprocal_table, lambda x: 1 / (1 + x), 0.0, 1.0),
    ],
)
def test_interpolation_tables(table: object, function: object, low: float, high: float) -> None:
    """Within what the roundings of its parts may add up to; the largest entry is one."""
    got = table()  # type: ignore[operator]
    assert got.dtype == np.int16
    assert len(got) == 513
    wanted = np.minimum(between(function, low, high), 32767)
    assert np.abs(got - wanted).max() < 1.6
    assert got.max() == 32767


def test_sigmoid() -> None:
    """Half as far above the function at its entries as straight lines would be below it in between."""
    table = sigmoid_table()
    assert table.dtype == np.uint16
    assert len(table) == 256
    assert table[255] == 65535

    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    for n in range(255):
        s = sigmoid(n / 24)
        second = s * (1 - s) * (1 - 2 * s)
        raised = s - second / (16 * 24**2)
        assert table[n] == math.floor(65536 * raised + 0.5)
    for n in range(254):
        line = (int(table[n]) + int(table[n + 1])) / 2
        here = [int(table[n]) - 65536 * sigmoid(n / 24), line - 65536 * sigmoid((n + 0.5) / 24)]
        assert abs(here[0]) < 4
        assert abs(here[1]) < 4


@pytest.mark.parametrize("power", [-20, -15, -12, -3, 0, 1])
def test_binary_logarithms(power: int) -> None:
    assert int16_tables.binary_logarithm(2.0**power) == (power, True)
    assert int16_tables.binary_logarithm(2.0**power * 1.0005) == (power, True)
    assert int16_tables.binary_logarithm(2.0**power * 1.0009) == (power, False)
    assert int16_tables.binary_logarithm(2.0**power * 1.3) == (power, False)
    assert int16_tables.binary_logarithm(2.0**power * 1.5) == (power + 1, False)


@pytest.mark.parametrize("scale", [2.0**-12, 2.0**-11, 2.0**-9, 2.0**-13, 0.001, 0.3, 1.3, 2.66, 1e-8, 2.4e-13])
def test_sigmoid_factors(scale: float) -> None:
    """scale · 12288 with as many bits as fit 15, shifted by up to 31; scales that are powers of two are exact."""
    exact = {2.0 ** (k - 12): 3 << k for k in (0, 1, 3)}
    multiplier, shift = int16_tables.sigmoid_factor(scale, (0, 1, 3))
    if scale in exact:
        assert (multiplier, shift) == (exact[scale], 0)
        return
    steps = 0
    while scale * 12288 * 2.0**steps <= 32767 / 2 and steps <= 30:
        steps += 1
    assert (multiplier, shift) == (int(scale * 12288 * 2.0**steps), steps)
    assert 1 <= multiplier <= 32767


@pytest.mark.parametrize(
    ("product", "expected"), [(1.5 * 2.0**-31, (1, 31)), (32767.4, (32767, 0)), (1.1 * 3 * 2.0**1, (27033, 12))]
)
def test_the_least_and_the_largest_sigmoid_factor_and_one_of_no_power_of_two(
    product: float, expected: tuple[int, int]
) -> None:
    """By scale · 12288."""
    assert int16_tables.sigmoid_factor(product / 12288, (0, 1, 3)) == expected
