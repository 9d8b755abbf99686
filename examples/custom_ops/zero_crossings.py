"""The Python side of zero_crossings.c: what the op takes, and what it computes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcugen.custom import Call, Use


def prepare(use: Use) -> Call:
    """Checks one use of the op, and gives the kernel its parameters. A ValueError refuses the use."""
    if len(use.inputs) != 1 or len(use.outputs) != 1:
        raise ValueError("it takes one signal and gives one tensor of counts")
    signal, counts = use.inputs[0], use.outputs[0]
    if signal.dtype != "int8" or counts.dtype != "int32":
        raise ValueError(f"it counts int8 in int32, not {signal.dtype} in {counts.dtype}")
    if len(signal.shape) != 3 or signal.shape[0] != 1:
        raise ValueError(f"the signal's shape is {list(signal.shape)}, not [1, steps, channels]")
    _, steps, channels = signal.shape
    if counts.shape != (1, channels):
        raise ValueError(f"the output's shape is {list(counts.shape)}, not [1, {channels}]")
    return Call(params={"steps": steps, "channels": channels, "zero_point": signal.zero_point})


def reference(use: Use, inputs: list[NDArray[np.int8]]) -> list[NDArray[np.int32]]:
    """What the op computes, in other words than the kernel's: mcugen compares the device with it."""
    negative = inputs[0][0] < use.inputs[0].zero_point
    return [np.count_nonzero(negative[1:] != negative[:-1], axis=0)[None].astype(np.int32)]
