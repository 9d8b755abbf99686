"""Clears a changed model of what nothing refers to any more, and of what it holds twice."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from mcugen.tflite import fields as flat
from mcugen.tflite.schema import load_schema, printable, type_name
from mcugen.tflite.schema_types import ModelT, SubGraphT, TensorT

# Facts about the float model that are untrue of the int8 one.
_STALE_METADATA = ("min_runtime_version", "CONVERSION_METADATA")


def drop_unused(model: ModelT) -> None:
    """Remove tensors, buffers, operator codes and metadata that nothing refers to any more."""
    schema = load_schema()
    for subgraph in model.subgraphs:
        take_tensors(model, subgraph, subgraph.tensors)
    drop_unused_codes(model)
    model.metadata = [m for m in model.metadata or [] if printable(m.name) not in _STALE_METADATA]
    model.metadataBuffer = None
    buffers = [schema.BufferT()]  # buffer 0 is empty by convention
    tensors = [tensor for subgraph in model.subgraphs for tensor in subgraph.tensors]
    for holder in (*tensors, *model.metadata):
        content = model.buffers[holder.buffer]
        holder.buffer = 0
        if content.data is not None and len(content.data) > 0:
            holder.buffer = len(buffers)
            buffers.append(content)
    model.buffers = buffers


def drop_unused_codes(model: ModelT) -> None:
    """Remove the codes of ops that the model does not have (any more)."""
    operators = [op for subgraph in model.subgraphs for op in subgraph.operators]
    codes = sorted({op.opcodeIndex for op in operators})
    model.operatorCodes = [model.operatorCodes[i] for i in codes]
    for op in operators:
        op.opcodeIndex = codes.index(op.opcodeIndex)


def take_tensors(model: ModelT, subgraph: SubGraphT, tensors: Sequence[TensorT]) -> dict[int, int]:
    """Give a subgraph those of `tensors` that it names, and no others, in place: their new ids by the old ones."""
    used = set(flat.ints(subgraph.inputs)) | set(flat.ints(subgraph.outputs))
    for op in subgraph.operators:
        ids = (*flat.ints(op.inputs), *flat.ints(op.outputs), *flat.ints(op.intermediates))
        used.update(i for i in ids if i >= 0)
    order = {old: new for new, old in enumerate(sorted(used))}
    subgraph.tensors = [tensors[i] for i in order]
    for holder in (subgraph, *subgraph.operators):
        for field in ("inputs", "outputs"):
            setattr(holder, field, np.array([order.get(i, -1) for i in flat.ints(getattr(holder, field))], np.int32))
    for op in subgraph.operators:
        if op.intermediates is not None:
            op.intermediates = np.array([order[i] for i in flat.ints(op.intermediates)], np.int32)
    if subgraph is model.subgraphs[0]:
        for signature in model.signatureDefs or []:
            for entry in (*(signature.inputs or []), *(signature.outputs or [])):
                entry.tensorIndex = order.get(entry.tensorIndex, 0)
    return order


def own_constants(model: ModelT) -> None:
    """Give every op float constants of its own, in place: TensorFlow's quantizer wants no shared ones."""
    main = model.subgraphs[0]
    taken: set[int] = set()
    for op in main.operators:
        inputs = list(flat.ints(op.inputs))
        for position, i in enumerate(inputs):
            tensor = main.tensors[i]
            if i < 0 or not flat.is_constant(model, tensor) or type_name(tensor.type) != "float32":
                continue
            if i in taken:
                main.tensors.append(copy.copy(tensor))
                inputs[position] = len(main.tensors) - 1
                model.buffers.append(load_schema().BufferT(data=model.buffers[tensor.buffer].data))
                main.tensors[-1].buffer = len(model.buffers) - 1
            taken.add(inputs[position])
        op.inputs = np.array(inputs, np.int32)


def share_equal_constants(model: ModelT) -> None:
    """Make one of the constants that are equal in values, type, shape and scale, in place."""
    for subgraph in model.subgraphs:
        first: dict[tuple[object, ...], int] = {}
        instead: dict[int, int] = {}
        for i, tensor in enumerate(subgraph.tensors):
            if flat.is_constant(model, tensor):
                instead[i] = first.setdefault(_facts(model, tensor), i)
        for op in subgraph.operators:
            op.inputs = np.array([instead.get(i, i) for i in flat.ints(op.inputs)], np.int32)
    drop_unused(model)


def _facts(model: ModelT, tensor: TensorT) -> tuple[object, ...]:
    data, q = model.buffers[tensor.buffer].data, tensor.quantization
    scales = () if q is None or q.scale is None else tuple(float(s) for s in q.scale)
    zeros = () if q is None else flat.ints(q.zeroPoint)
    axis = 0 if q is None else q.quantizedDimension
    return tensor.type, flat.shape_of(tensor), scales, zeros, axis, np.asarray(data, np.uint8).tobytes()
