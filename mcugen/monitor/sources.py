"""What devices are fed: files, folders, and generators, by position, so that a run can be had again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.data import load_samples
from mcugen.convert.data_files import read_npy
from mcugen.convert.data_specs import sample_shape
from mcugen.convert.types import PIXELS_BEYOND
from mcugen.errors import DataError
from mcugen.monitor.types import Sample, as_tensor, limits, reals
from mcugen.numerics.affine import in_units, normalize, quantize
from mcugen.tflite.types import TensorSpec

Range = tuple[float, float] | None
"""What a model was calibrated for, in real units; None where nobody knows."""

GENERATORS = ("noise", "sine", "chirp")
_SWEEP = 64
"""Samples of a chirp from its lowest tone to its highest."""
_LOWEST, _HIGHEST = 2.0, 0.25
"""Of a chirp: waves per sample, and waves per value."""


@dataclass(frozen=True, eq=False)
class Source:
    """Inputs for a model. `at(n)` is the sample of the n-th inference, the same whenever it is asked for."""

    origin: str
    at: Callable[[int], Sample]
    notes: tuple[str, ...] = ()


def open_source(
    text: str, specs: Sequence[TensorSpec], ranges: Sequence[Range], indices: Sequence[int | None] = (), seed: int = 0
) -> Source:
    """The inputs that a user names: "noise", "sine", "chirp", a data file, a folder of images or of .npy files.

    Args:
        specs: the model's inputs, with the batch of 1.
        ranges: per input, what it was calibrated for.
        indices: per input, the largest value if ops take it for an index.
        seed: seed of the noise.

    Raises:
        DataError: there is no such thing, it cannot be read, or does not fit the model.
    """
    if text == "device":
        raise DataError(
            "this firmware runs no loop of its own to observe; it only answers requests",
            where="`inputs`",
            hint=f"Pass a file, a folder, or {', '.join(GENERATORS)}",
        )
    if text in GENERATORS:
        limited = indices or [None] * len(specs)
        origin = f"noise, seed {seed}" if text == "noise" else text
        return Source(origin, _generator(text, specs, ranges, limited, seed))
    path = Path(text)
    if not path.exists():
        hint = f"Pass a data file, a folder, or {', '.join(GENERATORS)}"
        raise DataError("there is no such file or folder", where=text, hint=hint)
    notes: tuple[str, ...] = ()
    if path.is_dir() and (files := sorted(path.glob("*.npy"))):
        columns, notes = _read_folder(files, specs)
    else:
        loaded = load_samples(path, specs, scale_images=not _takes_pixels(specs[0], ranges[0]), part="evaluation")
        columns, notes = loaded.inputs, loaded.notes
    count = len(columns[0])

    def at(number: int) -> Sample:
        position = number % count
        return make_sample([column[position] for column in columns], specs, ranges, position)

    return Source(text, at, notes)


def make_sample(
    values: Sequence[NDArray[Any]], specs: Sequence[TensorSpec], ranges: Sequence[Range], number: int
) -> Sample:
    """A sample of reals, or of the inputs' own types, as the device takes it."""
    arrays, outside = [], 0.0
    for given, spec, known in zip(values, specs, ranges, strict=True):
        tensor = as_tensor(spec)
        real = given.dtype.kind == "f"
        array = quantize(given, tensor) if real and spec.scale > 0 else given.astype(tensor.dtype.numpy)
        bounds = known or limits(spec)
        if bounds is not None:
            room = spec.scale  # the calibration's own limits were rounded to the scale
            meant = normalize(given, spec.units).reshape(-1).astype(np.float64) if real else reals(given, spec)
            outside = max(outside, float(np.mean((meant < bounds[0] - room) | (meant > bounds[1] + room))))
        arrays.append(array.reshape(spec.shape))
    return Sample(tuple(arrays), number, outside)


def _read_folder(
    files: Sequence[Path], specs: Sequence[TensorSpec]
) -> tuple[tuple[NDArray[Any], ...], tuple[str, ...]]:
    """The samples of all .npy files of a folder, in name order."""
    if len(specs) != 1:
        raise DataError(
            f"a folder of .npy files is for models with one input; this one has {len(specs)}",
            where=str(files[0].parent),
            hint="Pass a .npz file with one array per input",
        )
    parts = []
    for file in files:
        try:
            parts.append(load_samples(read_npy(file), specs))
        except DataError as error:
            raise DataError(error.what, where=str(file), hint=error.hint) from error
    if len({part.inputs[0].dtype for part in parts}) > 1:
        raise DataError("some files hold integers and some reals", where=str(files[0].parent), hint="Save all alike")
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    return (np.concatenate([part.inputs[0] for part in parts]),), tuple(notes)


def _takes_pixels(spec: TensorSpec, known: Range) -> bool:
    """Whether images go in as 0…255, to judge by what the model was quantized for."""
    bounds = known or limits(spec)
    size = 1.0 if spec.units is None else max(map(abs, spec.units.size))
    return bounds is not None and (bounds[1] - bounds[0]) * size > PIXELS_BEYOND


def _generator(
    kind: str, specs: Sequence[TensorSpec], ranges: Sequence[Range], indices: Sequence[int | None], seed: int
) -> Callable[[int], Sample]:
    def at(number: int) -> Sample:
        rng = np.random.default_rng((seed, number))
        values = [
            _generated(kind, spec, known, limit, number, rng)
            for spec, known, limit in zip(specs, ranges, indices, strict=True)
        ]
        return make_sample(values, specs, ranges, number)

    return at


def _generated(
    kind: str, spec: TensorSpec, known: Range, limit: int | None, number: int, rng: np.random.Generator
) -> NDArray[Any]:
    shape = sample_shape(spec)
    if limit is not None or (spec.scale <= 0 and spec.dtype != "float32"):
        return rng.integers(0, 1 if limit is None else limit, shape, endpoint=True)
    low, high = known or limits(spec) or (-1.0, 1.0)
    level = rng.uniform(0, 1, shape) if kind == "noise" else 0.5 + 0.5 * np.sin(_phase(kind, shape, number))
    return in_units((low + (high - low) * level).astype(np.float32), spec.units)


def _phase(kind: str, shape: tuple[int, ...], number: int) -> NDArray[np.float64]:
    """The angle of a wave at every value: over time for signals, along the diagonal for images.

    Tones go on from sample to sample; chirps rise from one sample to the next and then begin again.
    """
    if len(shape) == 3 and min(shape[:2]) > 1:
        rows, columns = np.indices(shape[:2])
        place = np.repeat((rows + columns)[..., None], shape[2], axis=2).astype(np.float64)
        length = shape[0] + shape[1]
    else:
        place = np.arange(math.prod(shape), dtype=np.float64).reshape(shape)
        length = place.size
    slow = _LOWEST / max(length, 1)
    waves = slow * 2 if kind == "sine" else slow * (_HIGHEST / slow) ** ((number % _SWEEP) / (_SWEEP - 1))
    drift = number * 0.1 if place.size > 1 else number / 40
    return 2 * np.pi * (waves * place + drift)
