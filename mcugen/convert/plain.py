"""Brings a float model into the form that is run and quantized: float32, without ops on constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcugen.convert import calibrate
from mcugen.convert.equivalents import use_equivalents
from mcugen.convert.inspect_source import Inspection
from mcugen.convert.loops.merged import merge, split
from mcugen.convert.loops.prepared import check_control_flow, prepare_loops
from mcugen.convert.prepare import constant_outputs, fold_constants, widen_constants
from mcugen.convert.trained_ranges import take_fake_quantization
from mcugen.errors import ConversionError
from mcugen.tflite import fields as flat
from mcugen.tflite.opened import OpenedModel, packed
from mcugen.tflite.schema_types import ModelT
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

    Ops that do not run on microcontrollers are replaced by others of the same result, with `for_int8` also those that
    run in float32 alone.

    Raises:
        ModelError: quantized weights without a scale; `for_int8`, and conditions or variables.
        ConversionError: `for_int8`, and a loop or an LSTM that has no int8 form.
    """
    model = given.copy()
    notes, changed = _bring_loops(model, for_int8)
    merged = merge(model)
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
    trained = _moved(trained, split(model, merged))
    changed = changed or bool(trained or widened)
    folded = constant_outputs(model)
    if folded:
        zeros = [np.zeros((1, *s.shape), host_type(s)) for s in inspection.inputs]
        plain = packed(model) if changed else given
        values = calibrate.observe(plain, zeros, (), flat.ints(plain.main.outputs), keep=folded).values
        fold_constants(model, values)
        notes.append(f"{len(folded)} tensors that depend on constants and shapes alone were computed once")
    if for_int8:
        merged = merge(model)
        rewritten = use_equivalents(model)
        trained = _moved(trained, split(model, merged))
    else:
        rewritten = use_equivalents(model, for_int8=False)
    if rewritten:
        runs = "run in int8" if for_int8 else "run on microcontrollers"
        notes.append(f"{', '.join(rewritten)} became ops of the same result that {runs}")
    changed = changed or bool(folded or rewritten)
    return Plain(packed(model) if changed else given, tuple(notes), trained)


def _bring_loops(model: ModelT, for_int8: bool) -> tuple[list[str], bool]:
    """Bring loops into the form that runs, or is quantized; notes, and whether anything changed."""
    if for_int8:
        check_control_flow(model)
        notes = prepare_loops(model, fuse=True)
    else:
        try:
            notes = prepare_loops(model, fuse=False)
        except ConversionError:
            notes = []  # what is not counted is left as it is
    return notes, bool(notes)


def _moved(ranges: Mapping[int, tuple[float, float]], moved: Mapping[int, int]) -> dict[int, tuple[float, float]]:
    return {moved[i]: ends for i, ends in ranges.items() if i in moved}


def host_type(spec: TensorSpec) -> np.dtype[Any]:
    """NumPy's type for an input."""
    return flat.NUMPY_TYPES.get(spec.dtype, np.dtype("int8"))
