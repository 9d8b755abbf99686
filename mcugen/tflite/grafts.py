"""Adds tensors and ops to a model's object form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.tflite import fields as flat
from mcugen.tflite.schema import load_schema
from mcugen.tflite.schema_types import ModelT, OperatorT, QuantizationT, Reals, SubGraphT, TensorT, Vector


def quantization(scales: Reals, zeros: Vector = None, axis: int = 0) -> QuantizationT:
    """Scales and zero points (0 for all if None) of a tensor, along an axis where there are several."""
    values = np.asarray(scales, np.float32)
    made: QuantizationT = load_schema().QuantizationParametersT(
        scale=values,
        zeroPoint=np.zeros(len(values), np.int64) if zeros is None else np.asarray(zeros, np.int64),
        quantizedDimension=axis,
    )
    return made


@dataclass(frozen=True)
class Graft:
    """New tensors and ops of one subgraph. Tensors are appended to it; ops wait in `made`, to be put where they belong.

    Attributes:
        name: what the names of new tensors begin with.
    """

    model: ModelT
    subgraph: SubGraphT
    name: str
    made: list[OperatorT] = field(default_factory=list)

    @property
    def tensors(self) -> list[TensorT]:
        return self.subgraph.tensors

    def constant(self, values: NDArray[Any]) -> int:
        """A constant with these values; its id."""
        schema = load_schema()
        content = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self.model.buffers.append(schema.BufferT(data=content))
        return self._add_tensor(values.shape, values.dtype.name, len(self.model.buffers) - 1, "constant")

    def activation(self, shape: tuple[int, ...], dtype: str = "float32", *, variable: bool = False) -> int:
        """A tensor that ops compute, or one that keeps its value between inferences; its id."""
        self.model.buffers.append(load_schema().BufferT())
        made = self._add_tensor(shape, dtype, len(self.model.buffers) - 1, "state" if variable else "step")
        self.tensors[made].isVariable = variable
        return made

    def copy_of(self, tensor: TensorT, role: str) -> int:
        """An activation of another tensor's type and shape."""
        self.model.buffers.append(load_schema().BufferT())
        made = self._add_tensor(flat.shape_of(tensor), "float32", len(self.model.buffers) - 1, role)
        self.tensors[made].type = tensor.type
        return made

    def add(self, kind: str, inputs: list[int], output: int, options: Any = None, version: int = 1) -> int:
        """An op with one output; the output's id."""
        schema = load_schema()
        number = getattr(schema.BuiltinOperator, kind)
        codes = self.model.operatorCodes
        codes.append(schema.OperatorCodeT(builtinCode=number, deprecatedBuiltinCode=min(number, 127), version=version))
        op = schema.OperatorT(opcodeIndex=len(codes) - 1)
        op.inputs, op.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        if options is not None:
            op.builtinOptions = options
            op.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.made.append(op)
        return output

    def _add_tensor(self, shape: tuple[int, ...], dtype: str, buffer: int, role: str) -> int:
        schema = load_schema()
        name = f"{self.name}/{role}{len(self.tensors)}"
        kind = getattr(schema.TensorType, dtype.upper())
        self.tensors.append(schema.TensorT(shape=np.array(shape, np.int32), type=kind, buffer=buffer, name=name))
        return len(self.tensors) - 1
