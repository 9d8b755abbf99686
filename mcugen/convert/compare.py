"""Runs int8 models on the host, and compares them with their float originals."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.affine import Affine, dequantize_array
from mcugen.convert.data_specs import short_name
from mcugen.convert.parts import Parts, columns, far_apart
from mcugen.convert.types import Agreement
from mcugen.numerics.affine import quantize_features
from mcugen.progress import Share
from mcugen.tflite.joined import join
from mcugen.tflite.opened import OpenedModel, open_model
from mcugen.tflite.types import TensorSpec
from mcugen.verify.parted_oracle import open_oracle

POOR_SQNR_DB = 15.0
"""Signal to noise below which little is left of an output."""
LITTLE_SQNR_DB = 25.0
"""The same of a part that the model joins with larger ones, which an output of its own would keep at no cost."""


def run_int8(
    model: bytes | OpenedModel,
    inputs: Sequence[NDArray[Any]],
    input_specs: Sequence[TensorSpec],
    output_specs: Sequence[TensorSpec],
    progress: Share | None = None,
) -> tuple[NDArray[Any], ...]:
    """Real-valued outputs, one (N, *shape) array each, of an int8 model on real-valued inputs (N, *shape).

    Outputs that are parts of one output of the float model are joined.

    Raises:
        ModelError: TensorFlow Lite Micro refuses the model.
        ToolError: the `tflite-micro` package is not installed.
    """
    results: list[list[NDArray[Any]]] = [[] for _ in output_specs]
    count = len(inputs[0])
    with open_oracle(model) as oracle:  # begins every sequence afresh
        for n in range(count):
            outputs = oracle.run([encode_input(a[n], spec) for a, spec in zip(inputs, input_specs, strict=True)])
            for result, output, spec in zip(results, outputs, output_specs, strict=True):
                result.append(decode_output(output, spec))
            if progress is not None:
                progress((n + 1) / count)
    return join([np.stack(r) for r in results], open_model(model).schema)


def agreement(
    floats: Sequence[NDArray[Any]],
    ints: Sequence[NDArray[Any]],
    specs: Sequence[TensorSpec],
    parts: Sequence[Parts | None] = (),
    detected: Collection[int] = (),
) -> tuple[Agreement, ...]:
    """How close the int8 model's outputs are to the float model's.

    Args:
        floats, ints: real values, (N, *shape) each.
        specs: the outputs.
        parts: of the float model's outputs, see :func:`mcugen.convert.parts.output_parts`.
        detected: which outputs are lists of detections: another order is no noise, so that none is told of these.
    """
    found = []
    known = parts or (None,) * len(specs)
    for position, (a, b, spec, cut) in enumerate(zip(floats, ints, specs, known, strict=True)):
        name = short_name(spec.name)
        figures = _agreement(a, b, name)
        if position in detected:
            found.append(replace(figures, sqnr_db=None, same_argmax=None))
            continue
        a, b = (values.reshape(len(values), *spec.shape) for values in (a, b))
        where = cut if cut is not None and far_apart(a, cut) else columns(a)
        if where is not None:
            each = zip(where.cut(a), where.cut(b), strict=True)
            of_parts = tuple(_agreement(x, y, name + where.name(n, len(spec.shape))) for n, (x, y) in enumerate(each))
            # Columns differ in size in many a classifier: only such as are lost are worth a word.
            if where is cut or any(part.sqnr_db is not None and part.sqnr_db < POOR_SQNR_DB for part in of_parts):
                figures = replace(figures, parts=of_parts)
        found.append(figures)
    return tuple(found)


def _agreement(real: NDArray[Any], quantized: NDArray[Any], name: str) -> Agreement:
    real, quantized = (values.reshape(len(values), -1).astype(np.float64) for values in (real, quantized))
    error = real - quantized
    signal, noise = float(np.sum(real**2)), float(np.sum(error**2))
    norms = float(np.linalg.norm(real) * np.linalg.norm(quantized))
    cosine = float(np.sum(real * quantized)) / norms if norms > 0 else (1.0 if noise == 0 else 0.0)
    same = None
    if real.shape[1] > 1:
        same = float(np.mean(real.argmax(axis=1) == quantized.argmax(axis=1)))
    biggest = float(np.max(np.abs(error), initial=0.0))
    return Agreement(name, len(real), cosine, sqnr_db(signal, noise), biggest, same)


def sqnr_db(signal: float, noise: float) -> float | None:
    """10·log10(signal / noise) of two sums of squares, in dB; None without noise.

    A signal that is all zero has nothing to compare with: 0 then.
    """
    if noise <= 0:
        return None
    return 10 * float(np.log10(signal / noise)) if signal > 0 else 0.0


def encode_input(values: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    """An input as the model takes it: real values quantized if it is, all others as they are."""
    if spec.dtype in ("int8", "int16") and spec.scale > 0 and values.dtype == np.float32:
        return quantize_features(values, spec.scale, spec.zero_point, np.dtype(spec.dtype), spec.units)
    return values


def decode_output(values: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    """An output's real values."""
    return dequantize_array(values, Affine(spec.scale, spec.zero_point)) if spec.scale > 0 else values
