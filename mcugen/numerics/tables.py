"""Tables that kernels index instead of computing: 8-bit functions, and the exponentials of SOFTMAX.

A byte table is uint8[256], indexed by the input's raw byte (int8 −1 is index 255) and holding the output's
raw byte, so that one kernel serves int8 and uint8 alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType
from mcugen.numerics import fixed_point as fx
from mcugen.numerics.quantized import quantize_multiplier

_RANGES = {DType.INT8: (-128, 127), DType.UINT8: (0, 255)}


def byte_table(function: Callable[[int], int], input_type: DType = DType.INT8) -> NDArray[np.uint8]:
    """The table of a function from one 8-bit integer to another."""
    low, high = _RANGES[input_type]
    table = np.zeros(256, dtype=np.uint8)
    for value in range(low, high + 1):
        table[value & 255] = function(value) & 255
    return table


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))


def clamp_int8(value: int) -> int:
    return _clamp(value, -128, 127)


def requantize_table(
    input_type: DType, output_type: DType, scales: tuple[float, float], zero_points: tuple[int, int]
) -> NDArray[np.uint8]:
    """QUANTIZE between 8-bit types. `scales` and `zero_points` are (input's, output's).

    The multiplier is the quotient of the scales in double (TFLM `PrepareQuantizeReference`).

    Raises:
        OverflowError: the quotient is so large that the reference overflows.
    """
    multiplier, shift = quantize_multiplier(scales[0] / scales[1])
    low, high = _RANGES[output_type]

    def convert(value: int) -> int:
        scaled = fx.requantize(value - zero_points[0], multiplier, shift)
        return _clamp(fx.int32(scaled + zero_points[1]), low, high)

    return byte_table(convert, input_type)


def relu_table(scales: tuple[float, float], zero_points: tuple[int, int]) -> NDArray[np.uint8]:
    """RELU, int8 to int8: QUANTIZE with a clamp at zero. `scales` and `zero_points` are (input's, output's).

    The multiplier is the quotient of the scales in double: older TFLM sources divide in float32 first
    (`CalculateReluOpData`), the oracle does not, as its outputs at ties show.

    Raises:
        OverflowError: the quotient is so large that the reference overflows.
    """
    table = requantize_table(DType.INT8, DType.INT8, scales, zero_points).view(np.int8)
    clamped: NDArray[np.int8] = np.maximum(table, np.int8(zero_points[1]))
    return clamped.view(np.uint8)


def relu6_table(scale: float, zero_point: int) -> NDArray[np.uint8]:
    """RELU6, int8 to int8 of the same quantization: a clamp between quantized 0 and 6.

    Raises:
        OverflowError: the scale is so small that 6 does not fit an int32.
    """
    steps = float(np.float32(6.0) / np.float32(scale))
    six = min(127, fx.int32(math.floor(steps + 0.5) + zero_point))
    return byte_table(lambda value: _clamp(value, zero_point, six))


def _sigmoid_table(scale: float, zero_point: int, function: Callable[[int], int]) -> NDArray[np.uint8]:
    """An int8 table of a function of Q4 arguments, saturated where the argument leaves ±15 (almost Q4's range)."""
    mantissa, shift = math.frexp(scale * (1 << 27))
    if not 0 <= shift <= 62:
        raise OverflowError("the input scale is outside what the reference can shift by")
    multiplier = round(mantissa * (1 << 31))  # exact: a float32 scale has 24 significant bits
    radius = (15 << 27) >> shift

    def convert(value: int) -> int:
        centred = value - zero_point
        if centred <= -radius:
            return -128
        if centred >= radius:
            return 127
        return _clamp(function(fx.requantize(centred, multiplier, shift)), -128, 127)

    return byte_table(convert)


def logistic_table(scale: float, zero_point: int) -> NDArray[np.uint8]:
    """LOGISTIC, int8 to int8 of scale 1/256, zero point −128, from the input's scale and zero point.

    Raises:
        OverflowError: the input scale is below 2^-28, or 2^35 or more.
    """
    return _sigmoid_table(scale, zero_point, lambda a: fx.rounding_shift_right(fx.logistic(a, 4), 23) - 128)


def tanh_table(scale: float, zero_point: int) -> NDArray[np.uint8]:
    """TANH, int8 to int8 of scale 1/128, zero point 0, from the input's scale and zero point.

    Raises:
        OverflowError: the input scale is below 2^-28, or 2^35 or more.
    """
    return _sigmoid_table(scale, zero_point, lambda a: fx.rounding_shift_right(fx.tanh(a, 4), 24))


def softmax_exp_table(beta: float, scale: float) -> NDArray[np.int32]:
    """exp(−beta · scale · d) in Q0 for d = 0, 1, …, the distance of an int8 logit to its row's maximum.

    Ends before the first entry that adds nothing to the sum (its Q12 value is 0) nor to an int8 result; at
    least one entry, at most 256. Source: TFLite `PreprocessSoftmaxScaling` and the reference's `Softmax`.

    Args:
        beta: the op's beta, a float32.
        scale: the input's scale, a float32.

    Raises:
        OverflowError: beta · scale is not above 2^-26, which the reference refuses.
    """
    real = min(beta * scale * (1 << 26), float(fx.INT32_MAX))
    if not real > 1.0:
        raise OverflowError("beta times the input scale is not above 2^-26")
    multiplier, shift = quantize_multiplier(real)
    radius = (31 << 26) >> shift
    entries: list[int] = []
    for distance in range(min(255, radius) + 1):
        scaled = fx.doubling_high_mul(fx.int32(-distance << shift), multiplier)
        value = fx.exp_on_negative_values(scaled, 5)
        if value < 1 << 11:
            break
        entries.append(value)
    return np.array(entries, dtype=np.int32)
