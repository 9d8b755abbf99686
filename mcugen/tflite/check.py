"""The one check of a hostile `.tflite`: whatever its numbers point at is there, and its sizes can be.

Every reader relies on it. Readers refuse only what they alone cannot use: types, the order of ops, options.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mcugen.errors import ModelError
from mcugen.tflite.fields import NUMPY_TYPES, ints, name_of, shape_of
from mcugen.tflite.joined import read_joined
from mcugen.tflite.schema import op_kind, type_name
from mcugen.tflite.schema_types import BufferT, ModelT, OperatorT, SubGraphT, TensorT, Vector
from mcugen.tflite.units import read_units

_MOST_SUBGRAPHS = 1000
_MOST_TENSORS = 100_000
_MOST_OPS = 100_000
_MOST_DIMENSIONS = 8
_MOST_ELEMENTS = 1 << 25
"""Of one tensor, and of all variables together: more than any board holds, yet the host can hold arrays of it."""

_CORRUPTED = "The file is corrupted: export or copy it again"


def check_model(model: ModelT) -> None:
    """Check an unpacked model. Lists that the file leaves out become empty ones.

    Raises:
        ModelError: counts, indices, sizes or quantization that cannot be, and data outside the file; says where.
    """
    _fill_in(model)
    if not model.subgraphs:
        raise ModelError("the model holds no subgraph", hint=_CORRUPTED)
    if not model.buffers:
        raise ModelError("the model holds no buffers", hint=_CORRUPTED)
    if len(model.subgraphs) > _MOST_SUBGRAPHS:
        raise ModelError(f"the model claims {len(model.subgraphs)} subgraphs", hint=_CORRUPTED)
    for what, most, count in (
        ("tensors", _MOST_TENSORS, sum(len(subgraph.tensors) for subgraph in model.subgraphs)),
        ("ops", _MOST_OPS, sum(len(subgraph.operators) for subgraph in model.subgraphs)),
    ):
        if count > most:
            raise ModelError(f"the model claims {count} {what}; {most} are the most", hint=_CORRUPTED)
    for number, subgraph in enumerate(model.subgraphs):
        _check_subgraph(model, subgraph, f" of subgraph {number}" if number else "")
    _check_interface(model.subgraphs[0])
    _check_variables(model)
    for entry in model.metadata or ():
        if not 0 <= entry.buffer < len(model.buffers):
            raise ModelError(f"names buffer {entry.buffer}, which does not exist", where="metadata", hint=_CORRUPTED)
    read_units(model)
    read_joined(model)


def _fill_in(model: ModelT) -> None:
    model.subgraphs, model.buffers = model.subgraphs or [], model.buffers or []
    model.operatorCodes = model.operatorCodes or []
    for subgraph in model.subgraphs:
        subgraph.tensors, subgraph.operators = subgraph.tensors or [], subgraph.operators or []


def _check_subgraph(model: ModelT, subgraph: SubGraphT, which: str) -> None:
    for i, tensor in enumerate(subgraph.tensors):
        _check_tensor(model.buffers, tensor, _named(subgraph, i, which))
    count = len(subgraph.tensors)
    _check_indices(subgraph.inputs, 0, count, f"inputs{which}")
    _check_indices(subgraph.outputs, 0, count, f"outputs{which}")
    for i, op in enumerate(subgraph.operators):
        _check_op(model, op, count, f"op {i}", which)
        _check_ratios(model, op, subgraph, f"op {i}", which)
    inputs = ints(subgraph.inputs)
    if len(set(inputs)) != len(inputs):
        raise ModelError("the model names the same input twice", where=which.removeprefix(" of "))
    for i in inputs:
        tensor, where = subgraph.tensors[i], _named(subgraph, i, which)
        if _held(model.buffers[tensor.buffer]):
            raise ModelError("is a model input and a constant at once", where=where)
        if tensor.isVariable:
            raise ModelError("is a model input and a variable at once", where=where)
        if 0 in shape_of(tensor):
            hint = "Export the model with a fixed input shape"
            raise ModelError("is a model input without elements", where=where, hint=hint)
        signature, shape = ints(tensor.shapeSignature), shape_of(tensor)
        if signature and len(signature) != len(shape):
            raise ModelError(
                f"has the shape {list(shape)}, but the signature {list(signature)}", where=where, hint=_CORRUPTED
            )


def _check_op(model: ModelT, op: OperatorT, tensors: int, where: str, which: str) -> None:
    if not 0 <= op.opcodeIndex < len(model.operatorCodes):
        raise ModelError("names an operator code that does not exist", where=where + which, hint=_CORRUPTED)
    where = f"{where} {op_kind(model.operatorCodes[op.opcodeIndex])}{which}"
    for name, value in vars(op.builtinOptions).items() if op.builtinOptions is not None else ():
        if isinstance(value, float) and not math.isfinite(value):
            raise ModelError(f"has the option {name} = {value}", where=where, hint=_CORRUPTED)
    for indices, low in ((op.inputs, -1), (op.outputs, 0), (op.intermediates, -1)):
        _check_indices(indices, low, tensors, where)


def _check_ratios(model: ModelT, op: OperatorT, subgraph: SubGraphT, where: str, which: str) -> None:
    """Ratios of denormal scales overflow in the reference's arithmetic, and in ours."""
    kind = op_kind(model.operatorCodes[op.opcodeIndex])
    if kind == "DEQUANTIZE":  # which takes none
        return
    for i in (*ints(op.inputs), *ints(op.outputs)):
        quantization = subgraph.tensors[i].quantization if i >= 0 else None
        scale = quantization.scale if quantization is not None else None
        scales = np.asarray(scale if scale is not None else [], np.float32)
        if np.any((scales > 0) & (scales < np.finfo(np.float32).tiny)):
            raise ModelError(
                f"a tensor has the scale {scales.min():g}, below the smallest normal float32",
                where=f"{where} {kind}{which}",
                hint=_CORRUPTED,
            )


def _check_indices(indices: Vector, low: int, count: int, where: str) -> None:
    if any(not low <= i < count for i in ints(indices)):
        raise ModelError("names a tensor that does not exist", where=where, hint=_CORRUPTED)


def _check_interface(main: SubGraphT) -> None:
    """The subgraph that an inference runs takes something, computes something, and both are one number per value."""
    for what, indices in (("inputs", ints(main.inputs)), ("outputs", ints(main.outputs))):
        if not indices:
            raise ModelError(f"the model has no {what}", hint="Export it again with inputs and outputs")
        for i in indices:
            quantization = main.tensors[i].quantization
            if quantization is not None and quantization.scale is not None and len(quantization.scale) > 1:
                raise ModelError(
                    f"has {len(quantization.scale)} scales, but inputs and outputs have one",
                    where=_named(main, i, ""),
                    hint="Only weights and biases are quantized per channel: quantize the model again",
                )
    if not main.operators:
        raise ModelError("the model holds no operators", hint="Export it again")


def _check_variables(model: ModelT) -> None:
    total = 0
    for number, subgraph in enumerate(model.subgraphs):
        for i, tensor in enumerate(subgraph.tensors):
            if not tensor.isVariable:
                continue
            where = _named(subgraph, i, f" of subgraph {number}" if number else "")
            if _held(model.buffers[tensor.buffer]):
                # TFLM would begin by overwriting the constant, which is in flash on a device.
                raise ModelError(
                    "is a variable and a constant at once",
                    where=where,
                    hint="Variables begin with zeros: convert the model without initial values",
                )
            total += math.prod(shape_of(tensor))
            if total > _MOST_ELEMENTS:
                raise ModelError("the variables up to here are larger than any board", where=where, hint=_CORRUPTED)


def _check_tensor(buffers: Sequence[BufferT], tensor: TensorT, where: str) -> None:
    kind, shape = type_name(tensor.type), shape_of(tensor)
    if len(shape) > _MOST_DIMENSIONS or any(d < 0 for d in shape) or math.prod(shape) > _MOST_ELEMENTS:
        raise ModelError(f"has the impossible shape {list(shape)}", where=where, hint=_CORRUPTED)
    if not 0 <= tensor.buffer < len(buffers):
        raise ModelError(f"names buffer {tensor.buffer}, which does not exist", where=where, hint=_CORRUPTED)
    buffer = buffers[tensor.buffer]
    # Schemas older than these fields have neither; an offset of 0 or 1 means that the data is in the buffer.
    if getattr(buffer, "offset", 0) > 1 or getattr(tensor, "externalBuffer", 0):
        raise ModelError("keeps its data outside the flatbuffer", where=where, hint="Export a model below 2 GB")
    held, needed = _held(buffer), _needed(kind, shape)
    if tensor.sparsity is not None and not held:
        raise ModelError("is sparse and no constant", where=where, hint=_CORRUPTED)
    # Of sparse constants, `mcugen.tflite.sparse` knows how many values there are.
    if held and needed is not None and held != needed and tensor.sparsity is None:
        raise ModelError(
            f"holds {held} bytes where its shape {list(shape)} needs {needed}", where=where, hint=_CORRUPTED
        )
    _check_quantization(tensor, kind, shape, where)


def _check_quantization(tensor: TensorT, kind: str, shape: tuple[int, ...], where: str) -> None:
    if tensor.quantization is None:
        return
    scale = tensor.quantization.scale
    scales = np.asarray(scale if scale is not None else [], np.float32)
    zeros = ints(tensor.quantization.zeroPoint)
    if not np.all(np.isfinite(scales)) or np.any(scales < 0):
        raise ModelError("has a scale that is not a finite, non-negative number", where=where, hint=_CORRUPTED)
    limits = np.iinfo(kind if kind in ("int8", "uint8", "int16") else "int32")
    if any(not limits.min <= z <= limits.max for z in zeros):
        raise ModelError(f"has a zero point outside the range of {kind}", where=where, hint=_CORRUPTED)
    if len(scales) and zeros and len(zeros) != len(scales):
        raise ModelError(f"has {len(scales)} scales but {len(zeros)} zero points", where=where, hint=_CORRUPTED)
    axis = channel_axis(tensor)
    if len(scales) > 1 and (not shape or shape[axis] != len(scales)):
        raise ModelError(
            f"has {len(scales)} scales for shape {list(shape)} along axis {axis}", where=where, hint=_CORRUPTED
        )


def channel_axis(tensor: TensorT) -> int:
    """The axis along which a tensor's scales lie; 0 where there is one scale, or none."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None or len(quantization.scale) < 2:
        return 0
    axis = int(quantization.quantizedDimension)
    # Old converters wrote an axis out of range on one-dimensional biases; TFLM takes them, so do we.
    return axis if 0 <= axis < len(shape_of(tensor)) else 0


def _held(buffer: BufferT) -> int:
    return 0 if buffer.data is None else len(buffer.data)


def _needed(kind: str, shape: tuple[int, ...]) -> int | None:
    """Bytes of a constant; None for types whose values have no fixed size."""
    elements = math.prod(shape)
    if kind == "int4":
        return (elements + 1) // 2
    dtype = NUMPY_TYPES.get(kind)
    return elements * dtype.itemsize if dtype is not None else None


def _named(subgraph: SubGraphT, i: int, which: str) -> str:
    return f'tensor {i} "{name_of(subgraph.tensors[i], i)}"{which}'
