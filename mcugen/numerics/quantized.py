"""The limits of quantized types, and what quantized arithmetic derives from scales."""

from __future__ import annotations

import math

import numpy as np

from mcugen.graph.types import DType, Quantization, Tensor
from mcugen.numerics.affine import round_half_away

INT8_MIN, INT8_MAX = -128, 127
INT16_MIN, INT16_MAX = -(1 << 15), (1 << 15) - 1
INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1


_LIMITS = {
    DType.UINT8: (0, 255),
    DType.INT8: (INT8_MIN, INT8_MAX),
    DType.INT16: (INT16_MIN, INT16_MAX),
    DType.INT32: (INT32_MIN, INT32_MAX),
}


def integer_limits(dtype: DType) -> tuple[int, int]:
    """Lowest and highest value of an integer type."""
    return _LIMITS[dtype]


def integer_magnitude(tensor: Tensor) -> int:
    """The largest |q − zero point| of a quantized tensor."""
    low, high = _LIMITS[tensor.dtype]
    return max(tensor.zero_point - low, high - tensor.zero_point)


def short_multiplier(multiplier: int) -> int:
    """A Q31 multiplier in 15 bits, as the reference's 64-bit requantization uses it."""
    return min((multiplier + (1 << 15)) >> 16, INT16_MAX)


def quantize_multiplier(value: float) -> tuple[int, int]:
    """A real from 0 upwards as (Q31 multiplier, shift): value ≈ multiplier · 2^(shift − 31).

    Equal to `tflite::QuantizeMultiplier`: shift > 0 is a left shift.
    """
    mantissa, shift = math.frexp(value)  # of 0: 0 and 0
    # The reference rounds half away from zero (TfLiteRound); mantissa is positive here.
    fixed = math.floor(mantissa * (1 << 31) + 0.5)
    if fixed == 1 << 31:
        fixed //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        return (1 << 31) - 1, 30
    return fixed, shift


def activation_range(activation: str, quant: Quantization, dtype: DType = DType.INT8) -> tuple[int, int]:
    """Clamp limits of a fused activation in quantized units (`CalculateActivationRangeQuantized`).

    Raises:
        ValueError: an activation that has no quantized form (TANH, SIGN_BIT).
    """
    low, high = _LIMITS[dtype]
    scale, zero = quant.scale[0], quant.zero_point[0]

    def quantized(real: float) -> int:
        # float32 division and round-half-away, as TfLiteRound(f / scale) on floats.
        return zero + int(round_half_away(np.float32(real) / np.float32(scale)))

    if activation == "NONE":
        return low, high
    if activation == "RELU":
        return max(low, quantized(0.0)), high
    if activation == "RELU6":
        return max(low, quantized(0.0)), min(high, quantized(6.0))
    if activation == "RELU_N1_TO_1":
        return max(low, quantized(-1.0)), min(high, quantized(1.0))
    raise ValueError(activation)
