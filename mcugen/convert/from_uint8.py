"""Networks of uint8, as TensorFlow quantized them until 2019, brought to int8: 128 less everywhere, zero points too.

Today's kernels take weights with a zero point of 0. What is left of those of uint8 once their zero point is taken from
them must fit int8, then; each op must compute the same in both types.
"""

from __future__ import annotations

import numpy as np

from mcugen.errors import ModelError
from mcugen.tflite import fields as flat
from mcugen.tflite.opened import OpenedModel, packed
from mcugen.tflite.schema import load_schema, type_name
from mcugen.tflite.schema_types import ModelT, OperatorT, SubGraphT, TensorT

_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
_ALIKE = (
    frozenset(
        {"ADD", "AVERAGE_POOL_2D", "CONCATENATION", "MAX_POOL_2D", "MUL", "PAD", "RELU", "RELU6", "RESHAPE", "SOFTMAX"}
        | {"SQUEEZE", "SUB", "DEQUANTIZE", "QUANTIZE"}
    )
    | _WEIGHTED
)
"""Ops whose reference kernels for uint8 and int8 do the same arithmetic."""
_MIDDLE = 128
_VALID = 1
_HINT = (
    "Pass the float model with `data`: it is quantized to int8 here. If only this file is left, look for a newer one "
    "of the same network: int8 and float32 files are published of most"
)
NOTE = "the network of uint8 was brought to int8, value by value: inputs and outputs are int8 now, 128 less"


def computes_in_uint8(model: ModelT) -> bool:
    """Whether a layer with weights takes uint8."""
    return any(_is_uint8_layer(model, graph, op) for graph in model.subgraphs for op in graph.operators)


def from_uint8(opened: OpenedModel) -> OpenedModel:
    """The same network in int8.

    Raises:
        ModelError: it would not be the same, and why.
    """
    model = opened.copy()
    for subgraph in model.subgraphs:
        for number, op in enumerate(subgraph.operators):
            reason = _reason(model, subgraph, op)
            if reason:
                raise ModelError(
                    f"the model computes in uint8, as TensorFlow quantized until 2019, and {reason}",
                    where=flat.where(model, subgraph, number),
                    hint=_HINT,
                )
        weights = {flat.ints(op.inputs)[1] for op in subgraph.operators if flat.kind_of(model, op) in _WEIGHTED}
        for i, tensor in enumerate(subgraph.tensors):
            if type_name(tensor.type) == "uint8":
                _shift(model, tensor, is_weight=i in weights)
    return packed(model)


def _is_uint8_layer(model: ModelT, graph: SubGraphT, op: OperatorT) -> bool:
    operands = flat.activations(model, graph, flat.ints(op.inputs)[:1])
    known = flat.kind_of(model, op) in (_WEIGHTED | {"TRANSPOSE_CONV"})
    return known and any(type_name(t.type) == "uint8" for t in operands)


def _reason(model: ModelT, graph: SubGraphT, op: OperatorT) -> str:
    """Why an op would not compute the same in int8; "" if it would."""
    kind = flat.kind_of(model, op)
    tensors = [graph.tensors[i] for i in (*flat.ints(op.inputs), *flat.ints(op.outputs)) if i >= 0]
    if all(type_name(t.type) != "uint8" for t in tensors):
        return ""
    if kind not in _ALIKE:
        return f"{kind} does not compute the same in int8"
    if kind in _WEIGHTED:
        weights = graph.tensors[flat.ints(op.inputs)[1]]
        values = flat.constant(model, weights)
        q = weights.quantization
        if values is None or q is None or q.scale is None or len(q.scale) != 1:
            return "its weights are not constants with one scale"
        left = values.astype(np.int32) - flat.quantization_of(weights)[1]
        if left.min() < -128 or left.max() > 127:
            return (
                f"its weights reach from {left.min()} to {left.max()} once their zero point is taken from them, while "
                "today's kernels take int8 with a zero point of 0"
            )
    if kind == "AVERAGE_POOL_2D":
        options = op.builtinOptions
        if options.padding != _VALID or options.filterHeight * options.filterWidth % 2 == 0:
            return "averages of an even number of values round halves in another direction in int8"
    if kind == "CONCATENATION" and len({flat.quantization_of(tensor) for tensor in tensors}) > 1:
        return "joining tensors of different scales rounds otherwise in int8"
    return ""


def _shift(model: ModelT, tensor: TensorT, *, is_weight: bool) -> None:
    schema = load_schema()
    zero = flat.quantization_of(tensor)[1] if tensor.quantization is not None else 0
    by = zero if is_weight else _MIDDLE
    values = flat.constant(model, tensor)
    if values is not None:
        content = (values.astype(np.int32) - by).astype(np.int8)
        tensor.buffer = len(model.buffers)
        model.buffers.append(schema.BufferT(data=content.reshape(-1).view(np.uint8)))
    tensor.type = schema.TensorType.INT8
    if tensor.quantization is not None and tensor.quantization.zeroPoint is not None:
        tensor.quantization.zeroPoint = np.array([zero - by], np.int64)
