"""Real values to quantized ones and back, equal to the helpers in the emitted `mcg_model.h`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mcugen.graph.types import Tensor, Units

WEIGHT_MAX = 127
"""Weights are symmetric: -128 is left unused."""


def round_half_away(values: NDArray[Any] | np.floating[Any]) -> Any:
    """To the nearest whole numbers, halves away from zero, as C's round(); of the type and shape of `values`.

    Adding a half first would not do: for the float just below one half, the sum is rounded to 1.
    """
    with np.errstate(invalid="ignore"):  # infinities stay what they are
        whole = np.trunc(values)
        rest = values - whole
    return whole + (rest >= 0.5) - (rest <= -0.5)


def quantize_reals(
    values: NDArray[Any], scale: float | NDArray[np.float32], zero_point: int, dtype: DTypeLike
) -> NDArray[Any]:
    """Reals as an integer type stores them: float32 arithmetic, halves away from zero, saturated.

    Infinities saturate, and NaN becomes the lowest value, as in the emitted C.

    Args:
        values: reals of any shape.
        scale: one, or one for each of the last axis.
        dtype: int8, uint8 or int16.
    """
    info = np.iinfo(np.dtype(dtype))
    # The division may overflow to infinity for huge values; the clip then saturates it.
    with np.errstate(over="ignore"):
        scaled = np.asarray(values, np.float32) / np.float32(scale)
    low, high = info.min - zero_point, info.max - zero_point
    within = np.clip(np.where(np.isnan(scaled), low, round_half_away(scaled)), low, high)
    return np.asarray(within + zero_point, dtype)


def normalize(values: NDArray[Any], units: Units | None) -> NDArray[Any]:
    """What values of features, (…, *sample shape) in their own units, are in the unit of the tensor, float32."""
    if units is None or not values.size:
        return values
    offset, size = (np.asarray(numbers, np.float32) for numbers in (units.offset, units.size))
    return np.asarray((_by_feature(values, units) - offset) / size, np.float32).reshape(values.shape)


def in_units(values: NDArray[Any], units: Units | None) -> NDArray[Any]:
    """The way back: values in the unit of the tensor as those of features in their own units, float32."""
    if units is None or not values.size:
        return values
    offset, size = (np.asarray(numbers, np.float32) for numbers in (units.offset, units.size))
    return np.asarray(_by_feature(values, units) * size + offset, np.float32).reshape(values.shape)


def quantize_features(
    values: NDArray[Any], scale: float, zero_point: int, dtype: DTypeLike, units: Units | None
) -> NDArray[Any]:
    """As `quantize_reals`, of samples (…, *sample shape) whose features come in `units` of their own.

    One subtraction and one division in float32: (value − offset) / step.
    """
    if units is None or not values.size:
        return quantize_reals(values, scale, zero_point, dtype)
    moved = _by_feature(values, units) - np.asarray(units.offset, np.float32)
    return quantize_reals(moved, feature_steps(scale, units), zero_point, dtype).reshape(values.shape)


def feature_steps(scale: float, units: Units) -> NDArray[np.float32]:
    """What one step of the quantized tensor is in each feature's unit."""
    return np.asarray(np.float32(scale) * np.asarray(units.size, np.float32), np.float32)


def _by_feature(values: NDArray[Any], units: Units) -> NDArray[np.float32]:
    """float32 values, (…, features)."""
    return np.asarray(values, np.float32).reshape(-1, len(units.offset))


def dequantize_reals(values: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.float32]:
    """The reals that quantized `values` stand for, float32."""
    shifted = (values.astype(np.int32) - zero_point).astype(np.float32)
    return np.asarray(shifted * np.float32(scale), np.float32)


def quantize(values: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    """Reals as `tensor` stores them, which has one scale and zero point; of features with units, in these."""
    return quantize_features(values, tensor.scale, tensor.zero_point, tensor.dtype.numpy, tensor.units)


def dequantize(values: NDArray[Any], tensor: Tensor) -> NDArray[np.float32]:
    """The reals that quantized `values` of `tensor` stand for, float32."""
    return dequantize_reals(values, tensor.scale, tensor.zero_point)
