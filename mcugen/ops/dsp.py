"""Variants for cores with DSP instructions (Cortex-M4, M7, M33): two products per instruction.

They take the portable kernels' parameters, and weights in the same order.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mcugen.ops.base import Constant, KernelCall

_WINDOWS = 4
"""Windows that convolutions multiply at a time, MCG_WINDOWS in mcg_filter_s8_dsp.h."""


def conv_direct(portable: KernelCall) -> KernelCall:
    """mcg_conv_direct_s8_dsp."""
    depth = _field(portable, "depth")
    call = _fast_requantization(_readable_in_words(portable, depth))
    return replace(call, kernel="mcg_conv_direct_s8_dsp", scratch_bytes=_widened_bytes(depth), variant="dsp")


def conv_2d(portable: KernelCall) -> KernelCall:
    """mcg_conv_2d_s8_dsp."""
    depth = math.prod(_field(portable, f"filter_{n}") for n in ("height", "width", "channels"))
    gathered_first = 0 if _field(portable, "filter_channels") % 4 == 0 else depth
    call = _fast_requantization(_readable_in_words(portable, depth))
    scratch = _widened_bytes(depth) + gathered_first
    return replace(call, kernel="mcg_conv_2d_s8_dsp", scratch_bytes=scratch, variant="dsp")


def _field(call: KernelCall, name: str) -> int:
    value = dict(call.params)[name]
    assert isinstance(value, int), name
    return value


def _widened_bytes(depth: int) -> int:
    """Bytes of the windows that are multiplied at a time, widened to 16 bits."""
    return _WINDOWS * 2 * 4 * -(-depth // 4)


def _readable_in_words(call: KernelCall, depth: int) -> KernelCall:
    """The call with weights of which a word that begins in the last row may be read."""
    weights, *others = call.constants
    missing = -depth % 4
    if missing == 0:
        return call
    values = np.concatenate([weights.values.reshape(-1), np.zeros(missing, np.int8)])
    weights = Constant(weights.role, values, f"{weights.note}, and {missing} bytes that count nothing")
    return replace(call, constants=(weights, *others))


def _fast_requantization(call: KernelCall) -> KernelCall:
    """The call with a parameter `fast`, and where that is 1 with the constants of mcg_requantize_to_8().

    Those are one doubled multiplier (modulo 2^32) and one shift to the right for each channel.
    """
    clamps = (_field(call, "output_min"), _field(call, "output_max")) != (-128, 127)
    if clamps or not _field(call, "scale_down"):
        return replace(call, params=(*call.params, ("fast", 0)))
    weights, bias, multiplier, shift = call.constants
    channels = len(bias.values)
    factors = np.broadcast_to(multiplier.values.astype(np.int64), channels)
    # Any accumulator below 2^30 shifted by 31 is 0, which is what a multiplier of 0 makes of it.
    right = np.where(factors == 0, 31, np.broadcast_to(-shift.values.astype(np.int64), channels))
    doubled = np.where(factors == 0, 0, 2 * factors - (1 << 32))
    constants = (
        weights,
        bias,
        Constant("multiplier", doubled.astype(np.int32), f"[{channels}], Q31, doubled modulo 2^32"),
        Constant("shift", right.astype(np.int8), f"[{channels}], to the right"),
    )
    return replace(call, params=(*call.params, ("fast", 1)), constants=constants)
