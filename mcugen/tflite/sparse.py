"""Sparse constants, as pruning leaves them, become dense ones when a model is opened.

The format keeps a tensor's non-zero values level by level: the tensor's dimensions in `traversalOrder`, then the
dimensions inside of blocks. A level is dense, with all its indices, or lists for each position of the level before
the indices that hold something (compressed sparse rows). All of it is hostile until it is checked here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.errors import ModelError
from mcugen.tflite.fields import NUMPY_TYPES, ints, name_of, shape_of
from mcugen.tflite.schema import load_schema, op_kind, type_name
from mcugen.tflite.schema_types import ModelT, SubGraphT, TensorT

_DENSE, _COMPRESSED = 0, 1
_MOST_ELEMENTS = 1 << 22
"""Of all sparse tensors together, once they are dense. Their places take many times that on the host."""

_HINT = "Strip the pruning before converting the model"


def densify(model: ModelT) -> int:
    """Write every sparse constant of a checked model out, and leave out the ops that do so; how many there were.

    Raises:
        ModelError: sparsity that does not fit its tensor, or of a kind that converters do not write.
    """
    count = elements = 0
    made: set[int] = set()
    for subgraph in model.subgraphs:
        for i, tensor in enumerate(subgraph.tensors):
            if tensor.sparsity is None:
                continue
            where = f'tensor {i} "{name_of(tensor, i)}"'
            elements += math.prod(shape_of(tensor))
            if elements > _MOST_ELEMENTS:
                raise ModelError("the sparse weights up to here are larger than any board", where=where, hint=_HINT)
            made.add(tensor.buffer)
            values = _dense(model.buffers[tensor.buffer].data, tensor, where)
            tensor.buffer = len(model.buffers)
            model.buffers.append(load_schema().BufferT(data=values.reshape(-1).view(np.uint8)))
            tensor.sparsity = None
            count += 1
    if count:
        _clear_buffers(model, made)
        for subgraph in model.subgraphs:
            _leave_out_densify(model, subgraph)
    return count


def _clear_buffers(model: ModelT, unused: set[int]) -> None:
    used = {tensor.buffer for subgraph in model.subgraphs for tensor in subgraph.tensors}
    for number in unused - used:
        model.buffers[number].data = None


def _leave_out_densify(model: ModelT, subgraph: SubGraphT) -> None:
    """DENSIFY of a constant: its output is the constant."""
    kept = []
    for op in subgraph.operators:
        inputs, outputs = ints(op.inputs), ints(op.outputs)
        one = len(inputs) == len(outputs) == 1 and inputs[0] >= 0
        if op_kind(model.operatorCodes[op.opcodeIndex]) != "DENSIFY" or not one:
            kept.append(op)
            continue
        source, output = subgraph.tensors[inputs[0]], subgraph.tensors[outputs[0]]
        same = (source.type, shape_of(source)) == (output.type, shape_of(output))
        if not same or model.buffers[source.buffer].data is None or outputs[0] in ints(subgraph.outputs):
            kept.append(op)
            continue
        output.buffer = source.buffer
    subgraph.operators = kept


def _dense(stored: NDArray[np.uint8] | None, tensor: TensorT, where: str) -> NDArray[Any]:
    """The values of one sparse tensor, in its shape."""
    dtype = NUMPY_TYPES.get(type_name(tensor.type))
    if dtype is None:
        raise ModelError(f"is sparse and {type_name(tensor.type)}", where=where, hint=_HINT)
    data = np.ascontiguousarray(stored if stored is not None else [], np.uint8)
    if data.size % dtype.itemsize:
        raise _wrong(f"{data.size} bytes are no whole values", where)
    values = data.view(dtype)
    places = _places(tensor, where)
    if len(places) != len(values):
        raise _wrong(f"there are {len(values)} values for {len(places)} places", where)
    if len(np.unique(places)) != len(places):
        raise _wrong("two values have the same place", where)
    dense = np.zeros(math.prod(shape_of(tensor)), dtype)
    dense[places] = values
    return dense


def _places(tensor: TensorT, where: str) -> NDArray[np.int64]:
    """Where each stored value belongs in the flat tensor."""
    shape, sparsity = shape_of(tensor), tensor.sparsity
    assert sparsity is not None
    order, blocked = ints(sparsity.traversalOrder), ints(sparsity.blockMap)
    levels: Sequence[Any] = sparsity.dimMetadata if sparsity.dimMetadata is not None else []
    rank = len(shape)
    if len(order) != rank + len(blocked) or len(levels) != len(order):
        raise _wrong(f"{len(order)} levels do not describe {rank} dimensions and {len(blocked)} of blocks", where)
    if sorted(order[:rank]) != list(range(rank)) or list(order[rank:]) != list(range(rank, len(order))):
        raise _wrong(f"the traversal order {list(order)} is none", where)
    if len(set(blocked)) != len(blocked) or not all(0 <= axis < rank for axis in blocked):
        raise _wrong(f"the block map {list(blocked)} is none", where)
    indices = _indices(levels, math.prod(shape), where)
    coordinates = dict(zip(order[:rank], indices[:rank], strict=True))
    for axis, level, inner in zip(blocked, levels[rank:], indices[rank:], strict=True):
        if level.format != _DENSE:
            raise _wrong("the inside of a block is not dense", where)
        coordinates[axis] = coordinates[axis] * level.denseSize + inner
    flat = np.zeros(len(indices[0]) if indices else 1, np.int64)
    for axis, size in enumerate(shape):
        if np.any((coordinates[axis] < 0) | (coordinates[axis] >= size)):
            raise _wrong(f"a value lies outside of the {size} along axis {axis}", where)
        flat = flat * size + coordinates[axis]
    return flat


def _indices(levels: Sequence[Any], most: int, where: str) -> list[NDArray[np.int64]]:
    """The index of every stored value on every level."""
    positions = np.zeros(1, np.int64)  # of what is on the levels up to here, as the next level counts it
    found: list[NDArray[np.int64]] = []
    for level in levels:
        if level.format == _DENSE:
            if not 0 <= level.denseSize <= most or len(positions) * level.denseSize > most:
                raise _wrong("there are more places than elements", where)
            counts = np.full(len(positions), level.denseSize, np.int64)
            index = np.tile(np.arange(level.denseSize), len(positions))
            positions = np.repeat(positions * level.denseSize, counts) + index
        elif level.format == _COMPRESSED:
            segments, listed = _vector(level.arraySegments), _vector(level.arrayIndices)
            if len(segments) != positions.max(initial=-1) + 2 or segments[0] != 0 or segments[-1] != len(listed):
                raise _wrong("the segments of a level do not fit the level before", where)
            counts = np.diff(segments)[positions]
            if np.any(np.diff(segments) < 0) or len(listed) > most:
                raise _wrong("the segments of a level do not rise, or are too many", where)
            starts = np.repeat(segments[positions] - np.cumsum(counts) + counts, counts)
            positions = starts + np.arange(counts.sum())
            index = listed[positions]
        else:
            raise _wrong(f"a level has the unknown format {level.format}", where)
        found = [np.repeat(before, counts) for before in found] + [index]
    return found


def _vector(union: Any) -> NDArray[np.int64]:
    values = getattr(union, "values", None)
    return np.asarray(values if values is not None else [], np.int64)


def _wrong(what: str, where: str) -> ModelError:
    return ModelError(f"is sparse, but {what}", where=where, hint="The file is corrupted: export or copy it again")
