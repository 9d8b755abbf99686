"""A graph after passes as a `.tflite` file, for an oracle that knows nothing of passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np

from mcugen.graph.types import Graph, Tensor
from mcugen.tflite.schema import load_schema

schema = load_schema()


def written(graph: Graph, model: bytes, outputs: Sequence[int]) -> bytes:
    """The model that the graph was read from, with the graph's tensors and the inputs of its ops; other outputs."""
    made = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    subgraph = made.subgraphs[0]
    while len(subgraph.tensors) <= max(graph.tensors):
        added = schema.TensorT()
        added.name, added.buffer = b"added", 0
        subgraph.tensors.append(added)
    for i, tensor in graph.tensors.items():
        _write(made, subgraph.tensors[i], tensor)
    subgraph.operators = [subgraph.operators[op.index] for op in graph.ops]
    for op, operator in zip(graph.ops, subgraph.operators, strict=True):
        operator.inputs, operator.outputs = list(op.inputs), list(op.outputs)
        if op.kind == "RESHAPE":
            shape = np.array(graph.output_of(op).shape, np.int32)
            for i in op.inputs[1:]:
                made.buffers[subgraph.tensors[i].buffer].data = shape.view(np.uint8)
            operator.builtinOptions.newShape = shape.tolist()
    subgraph.outputs = list(outputs)
    builder = flatbuffers.Builder(1024)
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())


_TYPES = {"int8": 9, "int16": 7, "int32": 2}


def _write(model: Any, to: Any, tensor: Tensor) -> None:
    to.shape, to.type = list(tensor.shape), _TYPES[tensor.dtype.value]
    if tensor.quant is not None:
        to.quantization = to.quantization or schema.QuantizationParametersT()
        to.quantization.scale = list(tensor.quant.scale)
        to.quantization.zeroPoint = list(tensor.quant.zero_point)
        to.quantization.quantizedDimension = tensor.quant.axis
    if tensor.data is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(tensor.data).tobytes(), np.uint8)
        to.buffer = len(model.buffers)
        model.buffers.append(buffer)
