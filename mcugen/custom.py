"""What a user's own operator is written with: the Python file beside its kernel imports this (docs/CUSTOM_OPS.md).

from mcugen.custom import Call, Use

def prepare(use: Use) -> Call:
    if use.inputs[0].dtype != "int8":
        raise ValueError("the input is not int8")
    return Call(params={"count": use.inputs[0].elements, "gain": use.options["gain"]})

def reference(use: Use, inputs):
    return [np.clip(inputs[0].astype(int) * use.options["gain"], -128, 127).astype(np.int8)]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TensorFacts:
    """An input or output of an op.

    `scale` and `zero_point` are those of a tensor that is quantized as a whole, else 0. `data` is the value of a
    constant, in `shape`.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0
    data: NDArray[Any] | None = None

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Use:
    """One use of a custom op in a model.

    `options` is the FlexBuffer map that the model holds for it; `raw_options` are its bytes, for other formats.
    Absent optional inputs are left out.
    """

    name: str
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    options: Mapping[str, Any]
    raw_options: bytes = b""


@dataclass(frozen=True, eq=False)
class Call:
    """How the kernel is called.

    Attributes:
        params: the fields of its parameter struct, in the struct's order: int → int32_t, float → float, tuple → array.
        constants: arrays that it reads beside its inputs, by a name for the emitted C, in the kernel's order.
        scratch_bytes: memory that it may use while it runs, passed last if it is not 0.
        macs: multiply-accumulates, for reports.
    """

    params: Mapping[str, int | float | tuple[int, ...] | tuple[float, ...]] = field(default_factory=dict)
    constants: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    scratch_bytes: int = 0
    macs: int = 0
