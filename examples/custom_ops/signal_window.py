"""The Python side of signal_window.c. TensorFlow Lite Micro has this op, so that its answers can be compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcugen.custom import Call, Use


def prepare(use: Use) -> Call:
    """Whole frames of int16, one window of int16, and a shift that leaves the product in 32 bits."""
    if len(use.inputs) != 2 or len(use.outputs) != 1:
        raise ValueError("it takes frames and a window, and gives frames")
    frames, window, output = *use.inputs, *use.outputs
    if {frames.dtype, window.dtype, output.dtype} != {"int16"}:
        raise ValueError(f"it takes int16, not {frames.dtype} and {window.dtype}, and gives int16, not {output.dtype}")
    if len(window.shape) != 1 or not frames.shape or frames.shape[-1:] != window.shape or output.shape != frames.shape:
        raise ValueError(f"{list(frames.shape)} and {list(window.shape)} do not make {list(output.shape)}")
    shift = use.options.get("shift")
    if not isinstance(shift, int) or not 0 <= shift < 32:
        raise ValueError(f"the shift is {shift}")
    size = window.elements
    return Call({"frames": frames.elements // size, "size": size, "shift": shift}, macs=frames.elements)


def reference(use: Use, inputs: list[NDArray[np.int16]]) -> list[NDArray[np.int16]]:
    """Numpy's products in 64 bits."""
    frames, window = (array.astype(np.int64) for array in inputs)
    return [np.clip(frames * window >> use.options["shift"], -32768, 32767).astype(np.int16)]
