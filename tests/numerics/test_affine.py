"""Reals to quantized numbers and back, against exact fractions at every near-tie."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.convert.affine import Affine, dequantize_array, quantize_array, quantize_weights
from mcugen.graph.types import DType, Quantization, Tensor, Units
from mcugen.numerics.affine import (
    WEIGHT_MAX,
    dequantize,
    feature_steps,
    in_units,
    normalize,
    quantize,
    quantize_features,
    quantize_reals,
    round_half_away,
)

SCALES = (1.0, 0.5, 0.1, 0.05, 1 / 255, 3.7, 2.0**-14, 0.0078740157, 1e-30, 1e30)
ZERO_POINTS = {"int8": (-128, -3, 0, 127), "uint8": (0, 128, 255), "int16": (0,)}
CASES = [
    (dtype, float(np.float32(scale)), zero)
    for dtype, zeros in ZERO_POINTS.items()
    for scale in SCALES
    for zero in zeros
]
BELOW_HALF = float(np.nextafter(np.float32(0.5), np.float32(0)))
SPECIAL = (0.0, -0.0, math.inf, -math.inf, math.nan, 3e38, -3e38, 1e-45, -1e-45)


def near_ties(dtype: str, scale: float, zero_point: int) -> NDArray[np.float32]:
    """Reals on and next to every boundary between two numbers of the type, to both sides, and what is special."""
    limits = np.iinfo(dtype)
    steps = np.arange(limits.min - 2, limits.max + 2, dtype=np.float64) + 0.5 - zero_point
    at = (steps * scale).astype(np.float32)
    beside = [at]
    for end in (np.inf, -np.inf):
        nearer = at
        for _ in range(3):
            nearer = np.nextafter(nearer, np.float32(end))
            beside.append(nearer)
    halves = [sign * BELOW_HALF * scale for sign in (1, -1)]
    return np.concatenate([*beside, np.array([*halves, *SPECIAL], np.float32)])


def exactly(real: np.float32, dtype: str, scale: float, zero_point: int) -> int:
    """By the definition: the float32 quotient, then its nearest whole number, halves away from zero."""
    limits = np.iinfo(dtype)
    with np.errstate(over="ignore"):
        quotient = float(np.float32(np.float64(real) / np.float64(scale)))
    if math.isnan(quotient):
        return int(limits.min)
    if math.isinf(quotient):
        return int(limits.max if quotient > 0 else limits.min)
    size = math.floor(abs(Fraction(quotient)) + Fraction(1, 2))
    whole = size if quotient >= 0 else -size
    return min(max(whole + zero_point, int(limits.min)), int(limits.max))


@pytest.mark.parametrize("case", [case for case in CASES if case[0] != "int16"])
def test_exact_at_every_near_tie(case: tuple[str, float, int]) -> None:
    dtype, scale, zero_point = case
    values = near_ties(*case)
    got = quantize_reals(values, scale, zero_point, dtype)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, [exactly(value, *case) for value in values])


@pytest.mark.parametrize("case", [case for case in CASES if case[0] == "int16"])
def test_exact_at_near_ties_of_int16(case: tuple[str, float, int]) -> None:
    dtype, scale, zero_point = case
    values = near_ties(*case)
    values = np.concatenate([values[::997], values[-20:]])
    got = quantize_reals(values, scale, zero_point, dtype)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, [exactly(value, *case) for value in values])


def test_huge_reals_saturate_without_a_warning() -> None:
    with np.errstate(all="raise"):
        got = quantize_reals(np.array([3e38, -3e38, np.inf, -np.inf], np.float32), 1e-3, 5, "int8")
    assert got.tolist() == [127, -128, 127, -128]


def test_every_caller_uses_the_same_function() -> None:
    for dtype, scale, zero_point in CASES:
        values = near_ties(dtype, scale, zero_point)[::31]
        wanted = quantize_reals(values, scale, zero_point, dtype)
        tensor = Tensor(0, "", values.shape, DType(dtype), Quantization((scale,), (zero_point,)))
        np.testing.assert_array_equal(quantize(values, tensor), wanted)
        np.testing.assert_array_equal(quantize_array(values, Affine(scale, zero_point), np.dtype(dtype)), wanted)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_just_below_a_half_is_nothing(kind: type[np.floating]) -> None:  # type: ignore[type-arg]
    below = np.nextafter(kind(0.5), kind(0))
    values = np.array([below, -below, 0.5, -0.5, 1.5, -2.5, 0.0, np.inf, -np.inf], kind)
    rounded = round_half_away(values)
    assert rounded.dtype == kind
    assert rounded.tolist() == [0, 0, 1, -1, 2, -3, 0, np.inf, -np.inf]
    assert np.isnan(round_half_away(kind("nan")))


def test_weights_never_met_that_float() -> None:
    """Quotients of two float32 are a half, or further from it than the float64 that was rounded wrongly.

    So the weights of all models stay what they were when a half was added before truncation.
    """
    rng = np.random.default_rng(0)
    scales = rng.uniform(1e-4, 1, 4000).astype(np.float32)
    halves = (scales.astype(np.float64) / 2).astype(np.float32)
    for weights in (halves, np.nextafter(halves, np.float32(0)), np.nextafter(halves, np.float32(9))):
        quotients = weights.astype(np.float64) / scales.astype(np.float64)
        apart = np.abs(quotients - 0.5)
        assert np.all((apart == 0) | (apart >= 2.0**-25))
        before = np.trunc(quotients + 0.5)
        np.testing.assert_array_equal(quantize_weights(weights[:, None], scales, 0)[:, 0], before)


def test_back_to_reals() -> None:
    """The distance from the zero point is exact; its product with the scale is rounded to float32 once."""
    for dtype, scale, zero_point in CASES:
        limits = np.iinfo(dtype)
        values = np.arange(limits.min, limits.max + 1).astype(dtype)
        tensor = Tensor(0, "", values.shape, DType(dtype), Quantization((scale,), (zero_point,)))
        wanted = np.array([(int(v) - zero_point) * scale for v in values.tolist()], np.float64).astype(np.float32)
        for got in (dequantize(values, tensor), dequantize_array(values, Affine(scale, zero_point))):
            assert got.dtype == np.float32
            np.testing.assert_array_equal(got, wanted)


def test_weights_leave_the_lowest_number_unused() -> None:
    assert np.iinfo(np.int8).max == WEIGHT_MAX


UNITS = Units((100.0, -2.0), (8.0, -0.5))


def test_features_in_units_of_their_own() -> None:
    """Element i is one of feature i % 2, whatever the samples' shape; an offset, then one step per feature."""
    values = np.array([[[104.0, -1.75], [100.0, -2.25]], [[98.0, 100.0], [1e6, -1e6]]], np.float32)
    np.testing.assert_array_equal(feature_steps(0.25, UNITS), np.float32([2.0, -0.125]))
    assert feature_steps(0.25, UNITS).dtype == np.float32
    quantized = quantize_features(values, 0.25, 3, "int8", UNITS)
    np.testing.assert_array_equal(quantized, np.int8([[[5, 1], [3, 5]], [[2, -128], [127, 127]]]))
    assert quantized.dtype == np.int8
    scaled = normalize(values, UNITS)
    np.testing.assert_array_equal(scaled[0], np.float32([[0.5, -0.5], [0.0, 0.5]]))
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(in_units(scaled, UNITS)[0], values[0])
    assert in_units(scaled, UNITS).dtype == np.float32


def test_without_units_or_values_nothing_is_moved() -> None:
    values = np.array([1.0, -0.5], np.float32)
    np.testing.assert_array_equal(
        quantize_features(values, 0.5, 1, "int8", None), quantize_reals(values, 0.5, 1, "int8")
    )
    assert normalize(values, None) is values
    assert in_units(values, None) is values
    nothing = np.empty((0, 3), np.float32)
    assert normalize(nothing, UNITS) is nothing
    assert in_units(nothing, UNITS) is nothing
    assert quantize_features(nothing, 0.5, 1, "int8", UNITS).shape == (0, 3)


def test_tensors_with_units_are_quantized_by_them() -> None:
    tensor = Tensor(0, "x", (1, 2), DType.INT8, Quantization((0.25,), (3,)), units=UNITS)
    np.testing.assert_array_equal(quantize(np.float32([[104.0, -1.75]]), tensor), np.int8([[5, 1]]))
