"""The arithmetic of int8 quantization: ranges to scales and zero points, reals to integers.

Follows the TFLite int8 quantization specification: activations asymmetric in [-128, 127], weights symmetric
in [-127, 127], biases int32 with zero point 0 and the product of input and weight scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.numerics.affine import WEIGHT_MAX, dequantize_reals, quantize_reals, round_half_away

QMIN, QMAX = -128, 127
WIDE_MAX = 32767
_INT8 = np.dtype(np.int8)

# Narrower ranges count as zero: their scales would leave the range of the fixed-point multipliers, and 6.0, where
# RELU6 clamps, that of int32.
_TINY_RANGE = 1e-6
_CELL_EXPONENTS = (-27, 0)
"""Of the scales of LSTM cells that the reference takes."""
# The TF converter's floor for a channel's weight range, ±5e-7: smaller weights become zero.
_TINY_WEIGHT = 5e-7
# Floor on one accumulator step, in output steps. The multiplier (accumulator step / output step) must stay
# far above 2^-32, where the reference rounds it to 0 and would lose the bias as well.
_SMALLEST_MULTIPLIER = 2.0**-20
# Biases keep a factor of two below the int32 range, so that the accumulator cannot overflow right away.
BIAS_LIMIT = 2.0**30


@dataclass(frozen=True)
class Affine:
    """real = scale · (q − zero_point). `scale` is exactly representable in float32."""

    scale: float
    zero_point: int

    @property
    def low(self) -> float:
        """Smallest real value of int8 with these parameters."""
        return self.scale * (QMIN - self.zero_point)

    @property
    def high(self) -> float:
        return self.scale * (QMAX - self.zero_point)


def affine_params(low: float, high: float) -> Affine:
    """Parameters for the real range [low, high], widened to hold 0.

    The zero point is computed from the end of the range that gives the smaller rounding error, then rounded
    ("nudged"), so that the real 0 is exact: padding and ReLU depend on it.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if high - low < _TINY_RANGE:
        return Affine(1 / 128, 0)  # below 1, which comparisons demand of their inputs
    scale = (high - low) / (QMAX - QMIN)
    from_low, from_high = QMIN - low / scale, QMAX - high / scale
    low_error, high_error = abs(QMIN) + abs(low / scale), abs(QMAX) + abs(high / scale)
    zero = from_low if low_error < high_error else from_high
    return Affine(float(np.float32(scale)), int(np.clip(np.floor(zero + 0.5), QMIN, QMAX)))


def wide_params(magnitude: float) -> Affine:
    """Parameters of int16 for reals up to this size, symmetric as the specification demands."""
    return Affine(float(np.float32(max(magnitude, _TINY_RANGE) / WIDE_MAX)), 0)


def power_of_two_scale(magnitude: float) -> float:
    """The scale of an int16 LSTM cell for reals up to this size: a power of two, as the specification demands."""
    exponent = np.ceil(np.log2(max(magnitude, _TINY_RANGE))) - 15
    return float(2.0 ** np.clip(exponent, *_CELL_EXPONENTS))


def quantize_array(values: NDArray[Any], params: Affine, dtype: np.dtype[Any] = _INT8) -> NDArray[Any]:
    """Reals as int8 or another integer type, as the device quantizes them."""
    return quantize_reals(values, params.scale, params.zero_point, dtype)


def dequantize_array(values: NDArray[Any], params: Affine) -> NDArray[np.float32]:
    return dequantize_reals(values, params.scale, params.zero_point)


def own_scales(weights: NDArray[Any], axis: int | None) -> NDArray[np.float32]:
    """Symmetric scales as `weight_scales` gives them, from the weights alone."""
    return np.asarray(np.maximum(_largest(weights, axis), _TINY_WEIGHT) / WEIGHT_MAX, np.float32)


def weight_scales(
    weights: NDArray[Any], axis: int | None, bias: NDArray[Any] | None, input_scale: float, output_scale: float
) -> NDArray[np.float32]:
    """Symmetric scales, one per channel along `axis`, or a single one if `axis` is None.

    A channel of (nearly) zero weights gets a scale that still leaves its bias representable in int32 and
    its multiplier in the fixed-point range.

    Args:
        bias: float32, one per channel, or None.
    """
    largest = _largest(weights, axis)
    if axis is None:
        bias_size = np.array([np.max(np.abs(bias), initial=0.0) if bias is not None else 0.0], np.float64)
    else:
        bias_size = np.abs(bias).astype(np.float64) if bias is not None else np.zeros_like(largest)
    floor = np.maximum(bias_size / (input_scale * BIAS_LIMIT), _SMALLEST_MULTIPLIER * output_scale / input_scale)
    return np.asarray(np.maximum(np.maximum(largest, _TINY_WEIGHT) / WEIGHT_MAX, floor), np.float32)


def _largest(weights: NDArray[Any], axis: int | None) -> NDArray[np.float64]:
    if axis is None:
        return np.array([np.max(np.abs(weights), initial=0.0)], np.float64)
    others = tuple(i for i in range(weights.ndim) if i != axis)
    return np.asarray(np.max(np.abs(weights), axis=others, initial=0.0), np.float64)


def quantize_weights(weights: NDArray[Any], scales: NDArray[np.float32], axis: int | None) -> NDArray[np.int8]:
    """Weights as symmetric int8."""
    shape = [1] * weights.ndim
    if axis is not None:
        shape[axis] = -1
    scaled = round_half_away(weights.astype(np.float64) / scales.astype(np.float64).reshape(shape))
    return np.asarray(np.clip(scaled, -WEIGHT_MAX, WEIGHT_MAX), np.int8)


def bias_scales(scales: NDArray[np.float32], input_scale: float) -> NDArray[np.float32]:
    """Input scale times weight scales, in float32 as the runtimes multiply them."""
    return np.asarray(np.float32(input_scale) * scales, np.float32)


def quantize_bias(bias: NDArray[Any], scales: NDArray[np.float32], limit: float = 2.0**31 - 1) -> NDArray[np.int32]:
    """Biases as int32 with zero point 0."""
    return np.asarray(np.clip(_bias_steps(bias, scales), -limit, limit), np.int32)


def quantize_wide_bias(bias: NDArray[Any], scales: NDArray[np.float32]) -> NDArray[np.int64]:
    """Biases as int64 with zero point 0, for int16 activations; kept below 2^40, so that no sum leaves 48 bits."""
    limit = 2.0**40
    return np.asarray(np.clip(_bias_steps(bias, scales), -limit, limit), np.int64)


def weights_error(
    weights: NDArray[Any], quantized: NDArray[np.int8], scales: NDArray[np.float32], axis: int | None
) -> NDArray[np.float64]:
    """Weights less what their quantized form stands for."""
    shape = [1] * weights.ndim
    if axis is not None:
        shape[axis] = -1
    return np.asarray(weights - quantized.astype(np.float64) * scales.astype(np.float64).reshape(shape), np.float64)


def _bias_steps(bias: NDArray[Any], scales: NDArray[np.float32]) -> NDArray[Any]:
    return np.asarray(round_half_away(bias.astype(np.float64) / scales.astype(np.float64)))
