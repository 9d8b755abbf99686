"""Arithmetic and checks that several operators share.

Quantization arithmetic follows TensorFlow Lite's `quantization_util.cc` and gemmlowp's fixed-point rules:
doubles are used exactly where the reference uses doubles, so that multipliers and shifts are equal.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcugen.graph.types import Tensor


@dataclass(frozen=True)
class Pads:
    """Rows and columns of padding around an NHWC image."""

    top: int
    bottom: int
    left: int
    right: int


def same_or_valid_padding(
    padding_is_same: bool, in_size: int, filter_size: int, stride: int, dilation: int = 1
) -> tuple[int, int, int]:
    """(output size, padding before, padding after) along one axis, as TFLite's `ComputePaddingWithOffset`.

    An odd padding puts the extra row or column after.
    """
    effective = (filter_size - 1) * dilation + 1
    if padding_is_same:
        out = -(-in_size // stride)
        total = max((out - 1) * stride + effective - in_size, 0)
        return out, total // 2, total - total // 2
    return (in_size + stride - effective) // stride, 0, 0


def fused_activation_name(code: int) -> str:
    """Name of a schema `ActivationFunctionType` value."""
    names = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
    return names[code] if 0 <= code < len(names) else f"activation {code}"


def describe(tensor: Tensor) -> str:
    """A tensor as messages and comments show it: int8[1,49,10,1]."""
    return f"{tensor.dtype.value}[{','.join(str(d) for d in tensor.shape)}]"
