"""Brings a float model into the form that is run and quantized: float32, without ops on constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcugen.convert import calibrate
from mcugen.convert.equivalents import use_equivalents
from mcugen.convert.inspect_source import Inspection, refuse_subgraphs
from mcugen.convert.prepare import constant_outputs, fold_constants, widen_constants
from mcugen.convert.trained_ranges import take_fake_quantization
from mcugen.tflite import fields as flat
from mcugen.tflite.opened import OpenedModel, packed
from mcugen.tflite.types import TensorSpec


@dataclass(frozen=True, eq=False)
class Plain:
    """A float32 `.tflite` without ops on constants.

    Attributes:
        notes: what was done.
        trained: ranges that the model brought along, by tensor id.
    """

    model: OpenedModel
    notes: tuple[str, ...]
    trained: Mapping[int, tuple[float, float]]


def plain_float(given: OpenedModel, inspection: Inspection, *, for_int8: bool = False) -> Plain:
    """Bring a model to float32 without ops on constants.

    `for_int8` also replaces ops that run in float32 alone by others of the same result.

    Raises:
        ModelError: quantized weights without a scale; `for_int8`, and several subgraphs.
    """
    if for_int8:
        refuse_subgraphs(given.schema)
    notes = []
    model = given.copy()
    trained = take_fake_quantization(model)
    if trained:
        what = "give the ranges for int8" if for_int8 else "were left out of float32"
        notes.append(f"{len(trained)} fake quantizations that the model was trained with {what}")
    widened = widen_constants(model)
    if widened and inspection.form == "hybrid":
        notes.append(
            f"the model came with {widened} quantized weight tensors (dynamic range), which were widened to float32 "
            "first; converting from the original float model keeps more accuracy"
        )
    elif widened:
        notes.append(f"{widened} float16 weight tensors were widened to float32")
    folded = constant_outputs(model)
    if folded:
        zeros = [np.zeros((1, *s.shape), host_type(s)) for s in inspection.inputs]
        plain = packed(model) if trained or widened else given
        values = calibrate.observe(plain, zeros, (), flat.ints(plain.main.outputs), keep=folded).values
        fold_constants(model, values)
        notes.append(f"{len(folded)} tensors that depend on constants and shapes alone were computed once")
    rewritten = use_equivalents(model) if for_int8 else []
    if rewritten:
        notes.append(f"{', '.join(rewritten)} became ops of the same result that run in int8")
    changed = trained or widened or folded or rewritten
    return Plain(packed(model) if changed else given, tuple(notes), trained)


def host_type(spec: TensorSpec) -> np.dtype[Any]:
    """NumPy's type for an input."""
    return flat.NUMPY_TYPES.get(spec.dtype, np.dtype("int8"))
