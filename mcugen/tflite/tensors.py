"""Reads and checks the parts of a `.tflite` that every reader relies on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.errors import ModelError
from mcugen.graph.types import DType, Quantization, Tensor
from mcugen.tflite.schema import printable, type_name

_MAX_ELEMENTS = 1 << 25
"""Of one tensor: more than any board holds, and passes reckon with arrays of that size."""


_DTYPES = {dtype.value: dtype for dtype in DType if dtype is not DType.OTHER}


_ZERO_POINT_RANGE = {DType.INT8: (-128, 127), DType.UINT8: (0, 255)}


def _indices(raw: Any, limit: int, what: str) -> tuple[int, ...]:
    indices = tuple(int(i) for i in (raw if raw is not None else ()))
    if any(i < 0 or i >= limit for i in indices):
        raise ModelError(f"{what} name a tensor that does not exist; the file is corrupted")
    return indices


def read_tensor(index: int, raw: Any, buffers: list[Any]) -> Tensor:
    """One tensor of the schema's, checked.

    Raises:
        ModelError: sizes, indices or numbers that cannot be.
    """
    name = printable(raw.name) or f"tensor_{index}"
    where = f'tensor {index} "{name}"'
    dtype = _DTYPES.get(type_name(raw.type), DType.OTHER)
    shape = tuple(int(d) for d in (raw.shape if raw.shape is not None else ()))
    if any(d < 0 for d in shape) or math.prod(shape) > _MAX_ELEMENTS or len(shape) > 8:
        raise ModelError(f"impossible shape {list(shape)}", where=where, hint="The file is corrupted")
    if raw.sparsity is not None:
        raise ModelError(
            "sparse weights are not supported",
            where=where,
            hint="Convert without sparsity: strip the pruning",
        )
    if not 0 <= raw.buffer < max(len(buffers), 1):
        raise ModelError(f"names buffer {raw.buffer}, which does not exist", where=where)
    data = _read_buffer(buffers[raw.buffer], dtype, shape, where) if buffers else None
    quant = _read_quantization(raw.quantization, dtype, shape, where)
    initial = _initial_value(dtype, shape, quant) if raw.isVariable and data is None else None
    return Tensor(index, name, shape, dtype, quant, data, initial=initial)


def _initial_value(dtype: DType, shape: tuple[int, ...], quant: Quantization | None) -> NDArray[Any]:
    """What a variable tensor holds before it was written: TFLM fills int8 with the zero point, others with 0."""
    zero = quant.zero_point[0] if quant is not None and dtype is DType.INT8 else 0
    return _frozen(np.full(shape, zero, dtype.numpy))


def _read_buffer(buffer: Any, dtype: DType, shape: tuple[int, ...], where: str) -> NDArray[Any] | None:
    if getattr(buffer, "offset", 0) > 1:
        raise ModelError("keeps its data outside the flatbuffer, which is not supported", where=where)
    raw = buffer.data
    if raw is None or len(raw) == 0:
        return None
    content = np.asarray(raw, dtype=np.uint8)
    if dtype is DType.OTHER:
        return _frozen(content.reshape(-1))
    elements = math.prod(shape)
    expected = (elements + 1) // 2 if dtype is DType.INT4 else elements * dtype.itemsize
    if len(content) != expected:
        raise ModelError(f"holds {len(content)} bytes where its shape needs {expected}", where=where)
    if dtype is DType.INT4:
        pairs = np.stack([content & 15, content >> 4], axis=-1).reshape(-1)[:elements].astype(np.int8)
        return _frozen(np.where(pairs > 7, pairs - 16, pairs).astype(np.int8).reshape(shape))
    return _frozen(np.frombuffer(content.tobytes(), dtype=dtype.numpy.newbyteorder("<")).reshape(shape))


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _read_quantization(raw: Any, dtype: DType, shape: tuple[int, ...], where: str) -> Quantization | None:
    if raw is None or raw.scale is None or len(raw.scale) == 0:
        return None
    scale = tuple(float(s) for s in raw.scale)
    zero_point = tuple(int(z) for z in raw.zeroPoint) if raw.zeroPoint is not None else ()
    if not zero_point:
        zero_point = (0,) * len(scale)
    if len(zero_point) != len(scale):
        raise ModelError(f"has {len(scale)} scales but {len(zero_point)} zero points", where=where)
    if not all(math.isfinite(s) and s >= 0 for s in scale):
        raise ModelError("has a quantization scale that is not a finite, non-negative number", where=where)
    low, high = _ZERO_POINT_RANGE.get(dtype, (-(1 << 31), (1 << 31) - 1))
    if not all(low <= z <= high for z in zero_point):
        raise ModelError(f"has a zero point outside the range of {dtype.value}", where=where)
    axis = int(raw.quantizedDimension)
    if len(scale) > 1:
        # Old converters wrote an axis out of range on one-dimensional biases; TFLM takes them, so do we.
        if not 0 <= axis < len(shape):
            axis = 0
        if not shape or shape[axis] != len(scale):
            raise ModelError(f"has {len(scale)} scales for shape {list(shape)} along axis {axis}", where=where)
    return Quantization(scale, zero_point, axis if len(scale) > 1 else 0)


def dynamic_batch_notes(raw_tensors: list[Any], inputs: tuple[int, ...]) -> tuple[str, ...]:
    """What a person must know about inputs whose shape the file leaves open."""
    notes = []
    for i in inputs:
        signature = raw_tensors[i].shapeSignature
        if signature is not None and any(int(d) == -1 for d in signature):
            shape = [int(d) for d in raw_tensors[i].shape]
            notes.append(f'input "{printable(raw_tensors[i].name)}" has a dynamic dimension, frozen to {shape}')
    return tuple(notes)
