"""Makes a float model plain before it is quantized: float32 constants, no ops on constants.

Both happen on the object form of the flatbuffer (`ModelT`), in place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.inspect_source import QUANTIZED_TYPES
from mcugen.errors import ModelError
from mcugen.tflite import fields as flat
from mcugen.tflite.int8_rules import RULES
from mcugen.tflite.schema import load_schema, printable, type_name
from mcugen.tflite.schema_types import ModelT, SubGraphT, TensorT

# Ops without state or randomness, beyond the quantizable ones, whose results on constants are constants.
_PURE = frozenset(RULES) | {
    "SHAPE",
    "RANK",
    "CAST",
    "FILL",
    "RANGE",
    "REDUCE_PROD",
    "FLOOR_DIV",
    "FLOOR_MOD",
    "NEG",
    "ZEROS_LIKE",
    "BROADCAST_ARGS",
    "DEQUANTIZE",
    "SQRT",
    "SQUARE",
    "EXP",
    "LOG",
    "LOGICAL_AND",
    "LOGICAL_OR",
    "LOGICAL_NOT",
}


def widen_constants(model: ModelT) -> int:
    """Turn float16 and quantized weights of a float or hybrid model into float32 ones; how many there were.

    Raises:
        ModelError: quantized weights without a scale.
    """
    main = model.subgraphs[0]
    kept = []
    widened: set[int] = set()
    for i, op in enumerate(main.operators):
        kind = flat.kind_of(model, op)
        for j in flat.ints(op.inputs):
            tensor = main.tensors[j]
            if j < 0 or j in widened or not flat.is_constant(model, tensor):
                continue
            if type_name(tensor.type) in ("float16", *QUANTIZED_TYPES):
                _widen(model, tensor, flat.where(model, main, i))
                widened.add(j)
        source = flat.ints(op.inputs)[0] if flat.ints(op.inputs) else -1
        if kind == "DEQUANTIZE" and source in widened:
            # The DEQUANTIZE of a constant that is float32 now: its readers read the constant itself.
            _redirect(main, flat.ints(op.outputs)[0], source)
        else:
            kept.append(op)
    main.operators = kept
    return len(widened)


def constant_outputs(model: ModelT) -> list[int]:
    """Tensors that ops compute from constants and static shapes alone, so that they can be folded."""
    main = model.subgraphs[0]
    known: set[int] = set()
    found: list[int] = []
    for op in main.operators:
        kind = flat.kind_of(model, op)
        inputs = [i for i in flat.ints(op.inputs) if i >= 0]
        static = kind in ("SHAPE", "RANK", "ZEROS_LIKE") or (
            bool(inputs) and all(i in known or flat.is_constant(model, main.tensors[i]) for i in inputs)
        )
        if static and kind in _PURE:
            known.update(flat.ints(op.outputs))
            found.extend(flat.ints(op.outputs))
    return found


def fold_constants(model: ModelT, values: dict[int, NDArray[Any]]) -> None:
    """Make constants of the tensors in `values` (tensor → its value) and drop the ops that computed them."""
    schema = load_schema()
    main = model.subgraphs[0]
    for i, value in values.items():
        main.tensors[i].buffer = len(model.buffers)
        content = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
        model.buffers.append(schema.BufferT(data=content))
    main.operators = [op for op in main.operators if not set(flat.ints(op.outputs)) <= set(values)]


def _widen(model: ModelT, tensor: TensorT, where: str) -> None:
    schema = load_schema()
    name = printable(tensor.name)
    stored = flat.constant(model, tensor)
    if stored is None:
        raise ModelError(f'weights "{name}" are {type_name(tensor.type)}', where=where, hint="Pass the float model")
    value = stored.astype(np.float32)
    if stored.dtype != np.float16:
        q = tensor.quantization
        if q is None or q.scale is None or len(q.scale) == 0:
            raise ModelError(f'quantized weights "{name}" have no scale', where=where, hint="Pass the float model")
        scale = np.asarray(q.scale, np.float32)
        zero = np.asarray(q.zeroPoint if q.zeroPoint is not None else 0, np.float32)
        axis_shape = [1] * stored.ndim
        if len(scale) > 1:
            axis = q.quantizedDimension
            if not 0 <= axis < stored.ndim or stored.shape[axis] != len(scale) or zero.size not in (1, len(scale)):
                raise ModelError(f'the scales of weights "{name}" do not fit their shape', where=where)
            axis_shape[axis] = -1
        if zero.size > len(scale):
            raise ModelError(f'the zero points of weights "{name}" do not fit their scales', where=where)
        zeros = zero.reshape(axis_shape) if zero.size > 1 else zero.reshape(-1)[:1]
        value = (value - zeros) * (scale.reshape(axis_shape) if len(scale) > 1 else scale[0])
    tensor.type = schema.TensorType.FLOAT32
    tensor.quantization = None
    tensor.buffer = len(model.buffers)
    model.buffers.append(schema.BufferT(data=np.frombuffer(value.astype(np.float32).tobytes(), np.uint8)))


def _redirect(subgraph: SubGraphT, old: int, new: int) -> None:
    for op in subgraph.operators:
        if op.inputs is not None:
            op.inputs = np.array([new if i == old else i for i in flat.ints(op.inputs)], np.int32)
