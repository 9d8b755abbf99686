"""The arithmetic of quantization."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcugen.convert.affine import (
    Affine,
    affine_params,
    bias_scales,
    dequantize_array,
    quantize_array,
    quantize_bias,
    quantize_weights,
    weight_scales,
)

REALS = st.floats(-1e4, 1e4, allow_nan=False, width=32)


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero"),
    [
        (0.0, 255.0, 1.0, -128),
        (-1.0, 1.0, 2 / 255, 0),  # −0.5 rounds up, as the converter does
        (-128.0, 127.0, 1.0, 0),
        (2.0, 6.0, 6 / 255, -128),  # widened to hold 0
        (-6.0, -2.0, 6 / 255, 127),
        (0.0, 0.0, 1 / 128, 0),
        (-1e-12, 1e-12, 1 / 128, 0),
    ],
)
def test_known_parameters(low: float, high: float, scale: float, zero: int) -> None:
    params = affine_params(low, high)
    assert params.scale == pytest.approx(scale, rel=1e-6)
    assert params.zero_point == zero


@given(REALS, REALS)
def test_zero_is_exact_and_the_range_fits(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    params = affine_params(low, high)
    assert -128 <= params.zero_point <= 127
    assert dequantize_array(quantize_array(np.zeros(1, np.float32), params), params)[0] == 0
    if max(high, 0) - min(low, 0) > 1e-6:
        values = np.linspace(low, high, 37, dtype=np.float32)
        error = np.abs(dequantize_array(quantize_array(values, params), params) - values)
        # Half a step inside; nudging the zero point may cost another half at the ends.
        assert error.max() <= params.scale * 1.01


def test_rounds_half_away_from_zero_and_saturates() -> None:
    values = np.array([0.5, 1.5, -0.5, -1.5, 1000.0, -1000.0], np.float32)
    assert quantize_array(values, Affine(1.0, 0)).tolist() == [1, 2, -1, -2, 127, -128]


def test_weights_per_channel_and_per_tensor() -> None:
    weights = np.array([[127.0, -254.0], [1.0, 0.5]], np.float32)
    scales = weight_scales(weights, 0, None, 1.0, 1.0)
    assert scales.tolist() == pytest.approx([2.0, 1 / 127])
    assert quantize_weights(weights, scales, 0).tolist() == [[64, -127], [127, 64]]
    whole = weight_scales(weights, None, None, 1.0, 1.0)
    assert whole.tolist() == [2.0]
    assert quantize_weights(weights, whole, None).min() == -127


def test_depthwise_axis() -> None:
    weights = np.zeros((1, 2, 2, 3), np.float32)
    weights[0, 0, 0] = [127, 254, 381]
    assert weight_scales(weights, 3, None, 1.0, 1.0).tolist() == pytest.approx([1, 2, 3])


@pytest.mark.parametrize("bias", [1.0, 1e3, 1e6, -1e6])
def test_channel_of_zero_weights_keeps_its_bias(bias: float) -> None:
    weights = np.zeros((2, 4), np.float32)
    weights[1] = 1.0
    input_scale, output_scale = 0.02, 0.05
    scales = weight_scales(weights, 0, np.array([bias, 0.0], np.float32), input_scale, output_scale)
    steps = bias_scales(scales, input_scale)
    stored = quantize_bias(np.array([bias, 0.0], np.float32), steps)
    assert stored[0] * float(steps[0]) == pytest.approx(bias, rel=1e-5)
    assert abs(int(stored[0])) < 2**31 - 1
    # The fixed-point multiplier must not vanish, or the bias would with it.
    assert steps[0] / output_scale > 2**-31


def test_bias_of_any_size_fits_per_tensor() -> None:
    weights = np.full((2, 2), 1e-4, np.float32)
    bias = np.array([5e3, -1.0], np.float32)
    scales = weight_scales(weights, None, bias, 1e-3, 1.0)
    assert abs(quantize_bias(bias, bias_scales(scales, 1e-3))).max() <= 2**30 + 1
