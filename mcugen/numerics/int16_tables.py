"""Tables between whose entries int16 kernels interpolate: activations of models with int16 activations ("16x8")."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mcugen.numerics.affine import round_half_away

_STEPS = 512
_LOW, _HIGH = -(1 << 15), (1 << 15) - 1


def softmax_exp_table() -> NDArray[np.int16]:
    """exp(10 · (i − 512) / 512) as fractions of 2^15, i = 0 … 512 (TFLM `InitializeLutForInt16`)."""
    span = np.float32(_HIGH - _LOW)
    return _interpolation_table(np.float32(10.0) / span, _HIGH, np.float32(2.0) / span, math.exp)


def softmax_reciprocal_table() -> NDArray[np.int16]:
    """1 / (1 + i/512) as fractions of 2^15, i = 0 … 512 (TFLM `InitializeLutForInt16`)."""
    span = np.float32(_HIGH - _LOW)
    return _interpolation_table(np.float32(1.0) / span, _LOW, np.float32(2.0) / span, lambda x: 1.0 / (1.0 + x))


def _interpolation_table(
    input_scale: np.float32, input_zero: int, output_scale: np.float32, function: Callable[[float], float]
) -> NDArray[np.int16]:
    """513 entries of a function over all int16 inputs, each moved by half of what interpolation is wrong in the
    middle after it (`LUTPopulateInt16`). All arithmetic is float32, as there; the function is rounded to it.
    """
    low, high = np.float32(input_scale * (_LOW - input_zero)), np.float32(input_scale * (_HIGH - input_zero))
    output_low, output_high = np.float32(output_scale * _LOW), np.float32(output_scale * _HIGH)
    step = np.float32((high - low) / np.float32(_STEPS))
    half = np.float32(step / np.float32(2.0))
    inverse = np.float32(np.float32(_HIGH - _LOW + 1) / np.float32(output_high - output_low))

    def scaled(x: np.float32) -> np.float32:
        value: np.float32 = np.float32(function(float(x))) * inverse
        return value

    entries = []
    for i in range(_STEPS):
        start = np.float32(low + np.float32(np.float32(i) * step))
        here, middle = _rounded(scaled(start)), _rounded(scaled(np.float32(start + half)))
        after = scaled(np.float32(low + np.float32(np.float32(i + 1) * step)))
        between = _rounded(np.float32(np.float32(after + here) / np.float32(2.0)))
        bias = _rounded(np.float32(np.float32(between - middle) / np.float32(2.0)))
        entries.append(np.float32(here - bias))
    entries.append(_rounded(scaled(high)))
    table: NDArray[np.int16] = np.array([min(max(float(e), _LOW), _HIGH) for e in entries]).astype(np.int16)
    return table


def _rounded(value: np.float32) -> np.float32:
    """The nearest whole number, halves away from zero (`TfLiteRound`)."""
    whole: np.float32 = round_half_away(value)
    return whole


def binary_logarithm(scale: float) -> tuple[int, bool]:
    """(The nearest whole binary logarithm of a float32, whether that is it within 0.001), as `CheckedLog2`."""
    logarithm = np.float32(np.log(np.float32(scale)) * (np.float32(1.0) / np.log(np.float32(2.0))))
    whole = _rounded(logarithm)
    return int(whole), bool(abs(np.float32(logarithm - whole)) < np.float32(1e-3))


def sigmoid_factor(scale: float, exact_shifts: tuple[int, ...]) -> tuple[int, int]:
    """Multiplier and shift to the right that bring an input of this scale to 1/12288 (TFLM `TanhPrepare`).

    Args:
        exact_shifts: scales of 2^(k − 12) with k among these are multiplied by 3 · 2^k.

    Raises:
        OverflowError: the scale is above 2.66, or so small that nothing is left of it.
    """
    power, exact = binary_logarithm(scale)
    if exact and power + 12 in exact_shifts:
        return 3 << (power + 12), 0
    multiplier, shift = scale * 4096.0 * 3.0, 0
    while multiplier <= 32767.0 / 2.0 and shift <= 30:
        multiplier *= 2.0
        shift += 1
    if not 1 <= int(multiplier) <= _HIGH:
        raise OverflowError(f"an input scale of {scale:g} is outside what the reference multiplies by")
    return int(multiplier), shift
