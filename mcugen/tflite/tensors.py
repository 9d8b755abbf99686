"""Reads the tensors of a checked `.tflite` (:mod:`mcugen.tflite.check`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Quantization, Tensor
from mcugen.tflite.check import channel_axis
from mcugen.tflite.fields import ints, name_of, shape_of
from mcugen.tflite.schema import printable, type_name
from mcugen.tflite.schema_types import BufferT, ModelT, SubGraphT, TensorT
from mcugen.tflite.units import read_units

_DTYPES = {dtype.value: dtype for dtype in DType if dtype is not DType.OTHER}


def read_tensors(model: ModelT, subgraph: SubGraphT) -> dict[int, Tensor]:
    """All tensors of a subgraph by their numbers."""
    read = {i: _read_tensor(i, raw, model.buffers[raw.buffer]) for i, raw in enumerate(subgraph.tensors)}
    if subgraph is model.subgraphs[0]:
        for i, units in zip(ints(subgraph.inputs), read_units(model), strict=True):
            read[i] = replace(read[i], units=units)
    return read


def _read_tensor(index: int, raw: TensorT, buffer: BufferT) -> Tensor:
    dtype, shape = _DTYPES.get(type_name(raw.type), DType.OTHER), shape_of(raw)
    data, quant = _read_buffer(buffer, dtype, shape), _read_quantization(raw)
    initial = _initial_value(dtype, shape, quant) if raw.isVariable else None
    return Tensor(index, name_of(raw, index), shape, dtype, quant, data, initial=initial)


def _initial_value(dtype: DType, shape: tuple[int, ...], quant: Quantization | None) -> NDArray[Any]:
    """What a variable tensor holds before it was written: TFLM fills int8 with the zero point, others with 0."""
    zero = quant.zero_point[0] if quant is not None and dtype is DType.INT8 else 0
    return _frozen(np.full(shape, zero, dtype.numpy))


def _read_buffer(buffer: BufferT, dtype: DType, shape: tuple[int, ...]) -> NDArray[Any] | None:
    if buffer.data is None or len(buffer.data) == 0:
        return None
    content = np.asarray(buffer.data, dtype=np.uint8)
    if dtype is DType.OTHER:
        return _frozen(content.reshape(-1))
    if dtype is DType.INT4:
        pairs = np.stack([content & 15, content >> 4], axis=-1).reshape(-1)[: math.prod(shape)].astype(np.int8)
        return _frozen(np.where(pairs > 7, pairs - 16, pairs).astype(np.int8).reshape(shape))
    # No copy: many tensors of a hostile file may name one large buffer.
    return _frozen(content.view(dtype.numpy.newbyteorder("<")).reshape(shape))


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _read_quantization(raw: TensorT) -> Quantization | None:
    if raw.quantization is None or raw.quantization.scale is None or len(raw.quantization.scale) == 0:
        return None
    scale = tuple(float(s) for s in raw.quantization.scale)
    zero_point = ints(raw.quantization.zeroPoint) or (0,) * len(scale)
    return Quantization(scale, zero_point, channel_axis(raw))


def dynamic_batch_notes(tensors: Sequence[TensorT], inputs: Sequence[int]) -> tuple[str, ...]:
    """What a person must know about inputs whose shape the file leaves open."""
    notes = []
    for i in inputs:
        if -1 in ints(tensors[i].shapeSignature):
            shape = list(shape_of(tensors[i]))
            notes.append(f'input "{printable(tensors[i].name)}" has a dynamic dimension, frozen to {shape}')
    return tuple(notes)
