"""The same network with int16 activations: what TensorFlow's 16x8 quantizer would make of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcugen.tflite.schema import pack_model, unpack_model
from tests.convert.float_models import S

_BIAS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2}
_FIXED = {"SOFTMAX": 2.0**-15, "LOGISTIC": 2.0**-15}


def with_int16_activations(tflite: bytes) -> bytes:
    """An int8 model's weights with int16 activations over the same ranges, symmetric, and int64 biases."""
    model = unpack_model(tflite)
    main = model.subgraphs[0]
    kinds = {getattr(S.BuiltinOperator, kind): kind for kind in (*_BIAS, *_FIXED)}
    biases: dict[int, tuple[int, int]] = {}
    fixed: dict[int, float] = {}
    for op in main.operators:
        kind = kinds.get(model.operatorCodes[op.opcodeIndex].builtinCode, "")
        if kind in _BIAS:
            data, weights, bias = (int(n) for n in op.inputs)
            biases[bias] = (data, weights)
        if kind in _FIXED:
            fixed[int(op.outputs[0])] = _FIXED[kind]
    reals = {n: _real_bias(model, main.tensors[n]) for n in biases}
    for number, tensor in enumerate(main.tensors):
        if tensor.type == S.TensorType.INT8 and not _has_data(model, tensor):
            quantization = tensor.quantization
            scale, zero = float(quantization.scale[0]), int(quantization.zeroPoint[0])
            limit = scale * max(127 - zero, 128 + zero)
            tensor.type = S.TensorType.INT16
            quantization.scale = np.array([fixed.get(number, limit / 32767)], np.float32)
            quantization.zeroPoint = np.zeros(1, np.int64)
    for number, (data, weights) in biases.items():
        tensor = main.tensors[number]
        scales = main.tensors[data].quantization.scale[0] * main.tensors[weights].quantization.scale
        values = np.round(reals[number] / scales).astype(np.int64)
        tensor.type = S.TensorType.INT64
        tensor.quantization.scale = scales.astype(np.float32)
        model.buffers[tensor.buffer].data = values.view(np.uint8)
    return pack_model(model)


def _has_data(model: Any, tensor: Any) -> bool:
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def _real_bias(model: Any, tensor: Any) -> Any:
    stored = np.asarray(model.buffers[tensor.buffer].data, np.uint8).view(np.int32)
    return stored * np.asarray(tensor.quantization.scale, np.float64)
