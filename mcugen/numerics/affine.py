"""Real values to quantized ones and back, equal to the helpers in the emitted `mcg_model.h`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Tensor


def quantize(values: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    """Reals as `tensor` stores them: float32 arithmetic, halves away from zero, saturated.

    Args:
        values: finite reals of any shape.
        tensor: int8 or uint8 with one scale and zero point.
    """
    info = np.iinfo(tensor.dtype.numpy)
    # The division may overflow to infinity for huge values; the clip then saturates it.
    with np.errstate(over="ignore"):
        scaled = values.astype(np.float32) / np.float32(tensor.scale)
    rounded = np.trunc(scaled)
    rest = scaled - rounded
    rounded = rounded + (rest >= 0.5) - (rest <= -0.5)
    low, high = info.min - tensor.zero_point, info.max - tensor.zero_point
    quantized: NDArray[Any] = (np.clip(rounded, low, high) + tensor.zero_point).astype(tensor.dtype.numpy)
    return quantized


def dequantize(values: NDArray[Any], tensor: Tensor) -> NDArray[np.float32]:
    """The reals that quantized `values` stand for, float32."""
    shifted = (values.astype(np.int32) - tensor.zero_point).astype(np.float32)
    reals: NDArray[np.float32] = shifted * np.float32(tensor.scale)
    return reals


WEIGHT_MAX = 127
