"""Factors that make requantization cheap on cores with SMMLAR or SMLAL (firmware/kernels/mcg_requantize.h)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcugen.ops.base import Constant, KernelCall


def with_doubled_factors(call: KernelCall, *, expand: bool = True) -> KernelCall:
    """The call with a parameter `fast`, and where that is 1 with the constants of mcg_requantize_to_8().

    Those are doubled multipliers (modulo 2^32) and shifts to the right: one for each channel if `expand`, else as
    many as there were.

    Args:
        call: a portable call whose parameters end with those of an `OutputStage`, and whose constants are weights,
            bias, multiplier and shift.
        expand: whether the kernel wants factors per channel in any case.
    """
    params = dict(call.params)
    clamps = (params["output_min"], params["output_max"]) != (-128, 127)
    if clamps or not params["scale_down"]:
        return replace(call, params=(*call.params, ("fast", 0)))
    weights, bias, multiplier, shift = call.constants
    entries = len(bias.values) if expand else len(multiplier.values)
    factors = [doubled_factors(int(m), int(s)) for m, s in zip(multiplier.values, shift.values, strict=True)]
    multipliers, right = np.broadcast_to(np.array(factors, np.int64).T.reshape(2, -1), (2, entries))
    constants = (
        weights,
        bias,
        Constant("multiplier", multipliers.astype(np.int32), f"[{entries}], Q31, doubled modulo 2^32"),
        Constant("shift", right.astype(np.int8), f"[{entries}], to the right"),
    )
    return replace(call, params=(*call.params, ("fast", 1)), constants=constants)


def doubled_factors(multiplier: int, shift: int) -> tuple[int, int]:
    """Factors as mcg_requantize_to_8() takes them: the multiplier doubled modulo 2^32, and the shift to the right."""
    if multiplier == 0:
        # Any value below 2^30 shifted by 31 is 0, which is what a multiplier of 0 makes of it.
        return 0, 31
    return 2 * multiplier - (1 << 32), -shift
