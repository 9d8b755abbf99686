"""The typed graph: what every stage between the flatbuffer and the emitted C talks about."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray


class DType(enum.Enum):
    """Element types of tensors. The value is the name used in messages and JSON."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    BOOL = "bool"
    INT4 = "int4"
    OTHER = "other"

    @property
    def itemsize(self) -> int:
        """Bytes per element (int4 is counted unpacked)."""
        return _ITEMSIZE[self]

    @property
    def numpy(self) -> np.dtype[Any]:
        return np.dtype({"int4": "int8", "other": "uint8"}.get(self.value, self.value))


_ITEMSIZE = {
    DType.FLOAT32: 4,
    DType.FLOAT16: 2,
    DType.INT8: 1,
    DType.UINT8: 1,
    DType.INT16: 2,
    DType.INT32: 4,
    DType.INT64: 8,
    DType.BOOL: 1,
    DType.INT4: 1,
    DType.OTHER: 1,
}


@dataclass(frozen=True)
class Quantization:
    """Affine quantization, real = scale · (q − zero_point), per tensor or per channel.

    `scale` and `zero_point` have one entry (per tensor) or one per slice along `axis`.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int = 0

    @property
    def per_channel(self) -> bool:
        return len(self.scale) > 1


@dataclass(frozen=True)
class Units:
    """In which units a quantized input takes its features: the tensor stands for (value − offset) / size.

    Element i of a sample is one of feature i % len(offset). All numbers are exact in float32; no size is 0.
    """

    offset: tuple[float, ...]
    size: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of the graph. `data` is set for constants, read-only, in `shape`.

    `kept` lists the channels (indices along the last axis in the model file) that are left of a tensor of which a
    pass dropped some; None where it is whole.
    `initial` is set for state, which keeps its value between inferences: the value after a reset, in `shape`.
    `units` is set for a model's input whose features come in units of their own.
    """

    id: int
    name: str
    shape: tuple[int, ...]
    dtype: DType
    quant: Quantization | None = None
    data: NDArray[Any] | None = None
    kept: tuple[int, ...] | None = None
    initial: NDArray[Any] | None = None
    units: Units | None = None

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.elements * self.dtype.itemsize

    @property
    def is_const(self) -> bool:
        return self.data is not None

    @property
    def is_state(self) -> bool:
        return self.initial is not None

    @property
    def scale(self) -> float:
        """Per-tensor scale. Ops check quantization in their constraints before they use it."""
        assert self.quant is not None, self.name
        assert len(self.quant.scale) == 1, self.name
        return self.quant.scale[0]

    @property
    def zero_point(self) -> int:
        assert self.quant is not None, self.name
        return self.quant.zero_point[0]


@dataclass(frozen=True, eq=False)
class Op:
    """One operator. `inputs` holds tensor ids, -1 for an absent optional input.

    `index` is the op's position in the model file, `name` its layer name (of its first output),
    `options` the op module's own frozen options dataclass (see :mod:`mcugen.ops.base`).
    """

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    name: str
    options: Any = None

    @property
    def where(self) -> str:
        """How messages name this op."""
        return f'op {self.index} {self.kind} "{self.name}"'


@dataclass(frozen=True, eq=False)
class Graph:
    """A subgraph, ops in execution order; a model is its first one. Immutable; passes return a new one.

    Subgraphs that ops run (IF, WHILE) are in those ops' options. `sequences`: every sample is a whole sequence, before
    which the states are reset.
    """

    tensors: Mapping[int, Tensor]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    name: str
    sha256: str
    notes: tuple[str, ...] = field(default=())
    sequences: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "tensors", MappingProxyType(dict(self.tensors)))

    def tensor(self, tensor_id: int) -> Tensor:
        return self.tensors[tensor_id]

    @property
    def states(self) -> tuple[Tensor, ...]:
        """What ops keep between inferences, in order of first use."""
        used = dict.fromkeys(i for op in self.ops for i in (*op.inputs, *op.outputs) if i >= 0)
        return tuple(self.tensors[i] for i in used if self.tensors[i].is_state)

    @property
    def streams(self) -> bool:
        """Samples are steps of a stream: each depends on those before it."""
        return bool(self.states) and not self.sequences

    def input_of(self, op: Op, position: int) -> Tensor | None:
        """The op's input tensor at `position`, or None if it is absent."""
        if position >= len(op.inputs) or op.inputs[position] < 0:
            return None
        return self.tensors[op.inputs[position]]

    def output_of(self, op: Op, position: int = 0) -> Tensor:
        return self.tensors[op.outputs[position]]

    def consumers(self, tensor_id: int) -> list[Op]:
        return [op for op in self.ops if tensor_id in op.inputs]

    def producer(self, tensor_id: int) -> Op | None:
        return next((op for op in self.ops if tensor_id in op.outputs), None)

    def with_(self, **changes: Any) -> Graph:
        return replace(self, **changes)
