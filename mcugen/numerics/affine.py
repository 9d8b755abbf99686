"""Real values to quantized ones and back, equal to the helpers in the emitted `mcg_model.h`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mcugen.graph.types import Tensor

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


def quantize_reals(values: NDArray[Any], scale: float, zero_point: int, dtype: DTypeLike) -> NDArray[Any]:
    """Reals as an integer type stores them: float32 arithmetic, halves away from zero, saturated.

    Infinities saturate, and NaN becomes the lowest value, as in the emitted C.

    Args:
        values: reals of any shape.
        dtype: int8, uint8 or int16.
    """
    info = np.iinfo(np.dtype(dtype))
    # The division may overflow to infinity for huge values; the clip then saturates it.
    with np.errstate(over="ignore"):
        scaled = np.asarray(values, np.float32) / np.float32(scale)
    low, high = info.min - zero_point, info.max - zero_point
    within = np.clip(np.where(np.isnan(scaled), low, round_half_away(scaled)), low, high)
    return np.asarray(within + zero_point, dtype)


def dequantize_reals(values: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.float32]:
    """The reals that quantized `values` stand for, float32."""
    shifted = (values.astype(np.int32) - zero_point).astype(np.float32)
    return np.asarray(shifted * np.float32(scale), np.float32)


def quantize(values: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    """Reals as `tensor` stores them, which has one scale and zero point."""
    return quantize_reals(values, tensor.scale, tensor.zero_point, tensor.dtype.numpy)


def dequantize(values: NDArray[Any], tensor: Tensor) -> NDArray[np.float32]:
    """The reals that quantized `values` of `tensor` stand for, float32."""
    return dequantize_reals(values, tensor.scale, tensor.zero_point)
