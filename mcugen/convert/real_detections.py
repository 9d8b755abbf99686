"""TFLite_Detection_PostProcess of quantized inputs, and of outputs without a shape, as TensorFlow Lite alone runs it.

TensorFlow Lite dequantizes inside the op, and gives its outputs their shapes when it prepares them. TensorFlow Lite
Micro does neither. The same model with DEQUANTIZE in front of the op, which computes scale · (q − zero point) as the op
does, and with the shapes written down, is what both run.
"""

from __future__ import annotations

import numpy as np

from mcugen.tflite import fields as flat
from mcugen.tflite.detections import KIND, PostProcess, read_options
from mcugen.tflite.grafts import Graft
from mcugen.tflite.opened import OpenedModel, packed
from mcugen.tflite.schema import type_name
from mcugen.tflite.schema_types import ModelT, OperatorT

NOTE = "TFLite_Detection_PostProcess: its quantized inputs are dequantized before it, its outputs have their shapes"
_QUANTIZED = ("int8", "uint8")
_BATCH = 1


def needs_real_detections(model: ModelT) -> bool:
    """Whether a model's post-processing has quantized inputs, or outputs without a shape."""
    return any(
        flat.kind_of(model, op) == KIND and (_quantized(model, op) or _shapeless(model, op))
        for op in model.subgraphs[0].operators
    )


def with_real_detections(opened: OpenedModel) -> OpenedModel:
    """The same model with float32 inputs and shaped outputs of its post-processing.

    Options that cannot be read leave shapes as they are: whoever reads the op refuses it.
    """
    model = opened.copy()
    main = model.subgraphs[0]
    operators: list[OperatorT] = []
    for op in main.operators:
        if flat.kind_of(model, op) == KIND:
            graft = Graft(model, main, "detections")
            quantized = _quantized(model, op)
            op.inputs = np.array([_real(graft, i) if i in quantized else i for i in flat.ints(op.inputs)], np.int32)
            operators += graft.made
            if _shapeless(model, op):
                _give_shapes(model, op)
        operators.append(op)
    main.operators = operators
    return packed(model)


def _quantized(model: ModelT, op: OperatorT) -> list[int]:
    tensors = model.subgraphs[0].tensors
    found = [i for i in flat.ints(op.inputs) if i >= 0 and type_name(tensors[i].type) in _QUANTIZED]
    return [i for i in found if flat.quantization_of(tensors[i])[0] > 0]


def _shapeless(model: ModelT, op: OperatorT) -> bool:
    outputs = flat.ints(op.outputs)
    return len(outputs) == 4 and all(flat.shape_of(model.subgraphs[0].tensors[i]) == () for i in outputs[:3])


def _real(graft: Graft, i: int) -> int:
    tensor = graft.tensors[i]
    values = flat.constant(graft.model, tensor)
    if values is None:
        return graft.add("DEQUANTIZE", [i], graft.activation(flat.shape_of(tensor)), version=2)
    scale, zero = flat.quantization_of(tensor)
    return graft.constant((values.astype(np.float32) - np.float32(zero)) * np.float32(scale))


def _give_shapes(model: ModelT, op: OperatorT) -> None:
    tensors = model.subgraphs[0].tensors
    try:
        options: PostProcess = read_options(op.customOptions)
    except ValueError:
        return
    inputs = flat.ints(op.inputs)
    boxes = flat.shape_of(tensors[inputs[0]]) if inputs and inputs[0] >= 0 else ()
    rows = options.rows(boxes[1]) if len(boxes) == 3 else 0
    rows = max(rows, options.detections)
    if not 0 < rows < 1 << 20:
        return
    shapes = ((_BATCH, rows, 4), (_BATCH, rows), (_BATCH, rows), (1,))
    for i, shape in zip(flat.ints(op.outputs), shapes, strict=True):
        tensors[i].shape = np.array(shape, np.int32)
        tensors[i].shapeSignature = None
