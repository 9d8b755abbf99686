"""Small reads on the schema's object form of a model (`ModelT` and its parts)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.tflite.schema import op_kind, printable, type_name
from mcugen.tflite.schema_types import ModelT, OperatorT, SubGraphT, TensorT, Vector
from mcugen.tflite.types import TensorSpec
from mcugen.tflite.units import read_units

NUMPY_TYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(name)
    for name in (
        "float32",
        "float16",
        "float64",
        "int8",
        "uint8",
        "int16",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "bool",
    )
}


def ints(values: Vector) -> tuple[int, ...]:
    """A schema vector as ints; empty where it is absent."""
    return () if values is None else tuple(int(v) for v in values)


def shape_of(tensor: TensorT) -> tuple[int, ...]:
    return ints(tensor.shape)


def name_of(tensor: TensorT, index: int) -> str:
    return printable(tensor.name) or f"tensor_{index}"


def layer_of(name: str) -> str:
    """The layer's name in a tensor name: converters join the names of all fused nodes with ";"."""
    return name.split(";")[0]


def layer_of_op(subgraph: SubGraphT, op: OperatorT) -> str:
    """The layer that an op computes; "" where it has no output."""
    outputs = ints(op.outputs)
    return layer_of(name_of(subgraph.tensors[outputs[0]], outputs[0])) if outputs else ""


def kind_of(model: ModelT, op: OperatorT) -> str:
    return op_kind(model.operatorCodes[op.opcodeIndex])


def where(model: ModelT, subgraph: SubGraphT, index: int) -> str:
    """How messages name an op: its number, its kind and its layer."""
    op = subgraph.operators[index]
    return f'op {index} {kind_of(model, op)} "{layer_of_op(subgraph, op)}"'


def constant(model: ModelT, tensor: TensorT) -> NDArray[Any] | None:
    """A constant tensor's values in its shape, or None for an activation."""
    data = model.buffers[tensor.buffer].data
    dtype = NUMPY_TYPES.get(type_name(tensor.type))
    if data is None or len(data) == 0 or dtype is None:
        return None
    return np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtype.newbyteorder("<")).reshape(shape_of(tensor))


def is_constant(model: ModelT, tensor: TensorT) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def activations(model: ModelT, subgraph: SubGraphT, indices: Vector) -> Iterator[TensorT]:
    """The tensors among `indices` that are present and not constant."""
    for i in ints(indices):
        if i >= 0 and not is_constant(model, subgraph.tensors[i]):
            yield subgraph.tensors[i]


def quantization_of(tensor: TensorT) -> tuple[float, int]:
    """Per-tensor (scale, zero point); (0, 0) where there is none."""
    q = tensor.quantization
    if q is None or q.scale is None or len(q.scale) == 0:
        return 0.0, 0
    zero = int(q.zeroPoint[0]) if q.zeroPoint is not None and len(q.zeroPoint) else 0
    return float(q.scale[0]), zero


def spec_of(subgraph: SubGraphT, index: int) -> TensorSpec:
    tensor = subgraph.tensors[index]
    scale, zero = quantization_of(tensor)
    return TensorSpec(name_of(tensor, index), shape_of(tensor), type_name(tensor.type), scale, zero)


def input_specs(model: ModelT) -> tuple[TensorSpec, ...]:
    main = model.subgraphs[0]
    specs = (spec_of(main, i) for i in ints(main.inputs))
    return tuple(replace(spec, units=units) for spec, units in zip(specs, read_units(model), strict=True))


def output_specs(subgraph: SubGraphT) -> tuple[TensorSpec, ...]:
    return tuple(spec_of(subgraph, i) for i in ints(subgraph.outputs))
