"""Ranges that quantization-aware training found.

Fake quantization in a Keras or TensorFlow model (:mod:`mcugen.qat`, or `tf.quantization.fake_quant_with_min_max_vars`)
reaches a float `.tflite` as a QUANTIZE to 8 bits and a DEQUANTIZE back. Its parameters tell the trained range.
"""

from __future__ import annotations

import numpy as np

from mcugen.tflite import fields as flat
from mcugen.tflite.schema import type_name
from mcugen.tflite.schema_types import ModelT

_LIMITS = {"int8": (-128, 127), "uint8": (0, 255)}


def take_fake_quantization(model: ModelT) -> dict[int, tuple[float, float]]:
    """Remove fake quantization from a float model (`ModelT`), in place.

    Returns:
        The real (lowest, highest) value by the id of the tensor that was fake-quantized.
    """
    main = model.subgraphs[0]
    operators = list(main.operators)
    kept_outputs = set(flat.ints(main.outputs))
    found: dict[int, tuple[float, float]] = {}
    instead: dict[int, int] = {}
    gone: set[int] = set()
    for op in operators:
        if flat.kind_of(model, op) != "QUANTIZE":
            continue
        source, stored = flat.ints(op.inputs)[0], flat.ints(op.outputs)[0]
        readers = [other for other in operators if stored in flat.ints(other.inputs)]
        kind = type_name(main.tensors[stored].type)
        scale, zero = flat.quantization_of(main.tensors[stored])
        if (
            type_name(main.tensors[source].type) != "float32"
            or kind not in _LIMITS
            or scale <= 0
            or stored in kept_outputs
            or any(flat.kind_of(model, reader) != "DEQUANTIZE" for reader in readers)
        ):
            continue
        low, high = (scale * (end - zero) for end in _LIMITS[kind])
        before = instead.get(source, source)
        if not flat.is_constant(model, main.tensors[before]):
            found[before] = (low, high)
        for reader in readers:
            instead[flat.ints(reader.outputs)[0]] = before
            gone.add(id(reader))
        gone.add(id(op))
    main.operators = [op for op in operators if id(op) not in gone]
    for holder in (main, *main.operators):
        for field in ("inputs", "outputs") if holder is main else ("inputs",):
            ids = [instead.get(i, i) for i in flat.ints(getattr(holder, field))]
            setattr(holder, field, np.array(ids, np.int32))
    return found
