"""Whether a converted model computes what the original does: both run on the same drawn inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert import calibrate
from mcugen.convert.layout import ChangedInput
from mcugen.errors import ConversionError
from mcugen.outputs import write_arrays
from mcugen.tflite import fields as flat
from mcugen.tflite.opened import OpenedModel

_SAMPLES = 3
_TOLERANCE = 1e-3
"""Largest difference of an output, as a share of its largest value: sums of float32 in another order."""


@dataclass(frozen=True)
class Slot:
    """An input of the original model: `shape` with its batch of 1, `dtype` as NumPy names it."""

    name: str
    shape: tuple[int, ...]
    dtype: str


def drawn_inputs(slots: Sequence[Slot], count: int = _SAMPLES) -> list[NDArray[Any]]:
    """One array (count, *shape) per input, seeded: normal for floats, 0 and 1 for integers, which may be indices."""
    rng = np.random.default_rng(0)
    arrays = []
    for slot in slots:
        shape = (count, *slot.shape)
        drawn = rng.normal(size=shape) if np.dtype(slot.dtype).kind == "f" else rng.integers(0, 2, shape)
        arrays.append(drawn.astype(slot.dtype))
    return arrays


def write_reference(folder: Path, inputs: Sequence[NDArray[Any]], outputs: Sequence[NDArray[Any]]) -> None:
    """Keep what the original computes, in `reference.npz`: input_0 …, output_0 …, each (samples, *shape)."""
    arrays = {f"input_{n}": a for n, a in enumerate(inputs)} | {f"output_{n}": a for n, a in enumerate(outputs)}
    write_arrays(folder / "reference.npz", **arrays)


def output_shapes(folder: Path, count: int) -> list[tuple[int, ...]]:
    """The outputs' shapes in the original model."""
    with np.load(folder / "reference.npz", allow_pickle=False) as stored:
        return [stored[f"output_{n}"].shape[1:] for n in range(count)]


def check_conversion(model: OpenedModel, changed: Sequence[ChangedInput], folder: Path, framework: str) -> str:
    """Run a converted model on what the original ran on.

    Where TensorFlow Lite Micro computes something else, LiteRT is asked as well: either may be wrong about a loop.

    Args:
        model: the model, with inputs and outputs in the original's order.
        changed: inputs that take their channels last now.

    Returns:
        "ok", or who disagrees.

    Raises:
        ConversionError: an output is not what the original computes, or no interpreter runs the model.
    """
    inputs, outputs = flat.input_specs(model.schema), flat.output_specs(model.main)
    moved = {change.position for change in changed}
    with np.load(folder / "reference.npz", allow_pickle=False) as stored:
        given = [stored[f"input_{n}"] for n in range(len(inputs))]
        wanted = [stored[f"output_{n}"] for n in range(len(outputs))]
    feeds = [
        (np.moveaxis(a, 2, -1) if n in moved else a).astype(flat.NUMPY_TYPES[spec.dtype]).reshape(len(a), *spec.shape)
        for n, (a, spec) in enumerate(zip(given, inputs, strict=True))
    ]
    observation = calibrate.observe(model, feeds, (), flat.ints(model.main.outputs))
    position, problem = _difference(wanted, observation.outputs)
    if not problem:
        return "ok"
    judge = "" if calibrate.ran_in_tflm(observation) else " in LiteRT"
    if not judge:
        second = calibrate.second_witness(model, feeds)
        if second is None:
            judge = " in TensorFlow Lite Micro; LiteRT, which could say who of both is wrong, does not run it here"
        elif not _difference(wanted, second)[1]:
            return f"ok in LiteRT; in TensorFlow Lite Micro, which runs it wrongly, an output {problem}"
        else:
            judge = ", in TensorFlow Lite Micro and in LiteRT alike"
    raise ConversionError(
        f"the converted model does not compute what {framework} computes: its output {problem}{judge}",
        where=f'output "{outputs[position].name}"',
        hint="Write the layers before that output with other ops, or convert the model to .tflite by other means",
    )


def _difference(wanted: Sequence[NDArray[Any]], computed: Sequence[NDArray[Any]]) -> tuple[int, str]:
    """The first output that is not as wanted: its position, and what is wrong with it, "" if nothing."""
    for position, (original, found) in enumerate(zip(wanted, computed, strict=True)):
        if original.shape != found.shape:
            return position, f"has the shape {list(found.shape[1:])}, not {list(original.shape[1:])}"
        difference = np.abs(found.astype(np.float64) - original)
        if not bool(np.all(difference <= _TOLERANCE * max(float(np.abs(original).max()), 1e-6))):
            return position, f"differs by up to {float(difference.max()):.3g}" if np.isfinite(
                found
            ).all() else "is NaN or infinite"
    return 0, ""
