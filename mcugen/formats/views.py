"""What formats show of a model and its tensors."""

from __future__ import annotations

import re
from typing import Any

from mcugen.emit import c_text
from mcugen.emit.interface import QUANTIZED_LIMITS, units_view
from mcugen.graph.types import DType, Tensor
from mcugen.ops.common import describe
from mcugen.runtimes.program import Program

_SPEED_FLAGS = ["-O2"]
"""Of the ahead-of-time runtime unless it shall be small. The rest is built with -Os, as is what calls TFLM's
interpreter, whose kernels are built already."""

EXACT_FLOAT_FLAGS = ["-ffp-contract=off"]
"""Kernels of float32 round after every product, as the reference, in whatever project the library is built."""

_CTYPES = {
    DType.FLOAT32: "float",
    DType.INT8: "int8_t",
    DType.UINT8: "uint8_t",
    DType.INT16: "int16_t",
    DType.INT32: "int32_t",
    DType.BOOL: "uint8_t",
}


def library_flags(plan: Program) -> list[str]:
    """Compiler flags of the model library."""
    if plan.runtime != "aot":
        return []
    fast = _SPEED_FLAGS if plan.goal != "size" else []
    return [*fast, *EXACT_FLOAT_FLAGS] if has_float_kernels(plan) else fast


def has_float_kernels(plan: Program) -> bool:
    """Whether some of the model, or perhaps of what is around it, is computed in float32."""
    around = plan.app_bytes > 0 or plan.train_bytes > 0
    return plan.runtime == "aot" and (around or any("_f32" in step.kernels for step in plan.steps))


def tensor_view(tensor: Tensor) -> dict[str, Any]:
    """What templates show of an input or output."""
    quantized = tensor.quant is not None and tensor.dtype in QUANTIZED_LIMITS and tensor.scale > 0
    return {
        "name": markdown(tensor.name),
        "shown": describe(tensor),
        "ctype": _CTYPES[tensor.dtype],
        "elements": tensor.elements,
        "quantized": quantized,
        "quantization": f", scale {tensor.scale:.8g}, zero point {tensor.zero_point}" if quantized else "",
        "units": units_view(tensor),
    }


def markdown(text: str) -> str:
    """Text from outside, harmless in Markdown: one line of ASCII without markup."""
    return re.sub(r"[`|<>\[\]#*~&!]", "?", c_text.comment(text))
