"""Calibration and test data: from whatever a user has to arrays that fit the model's inputs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from mcugen.convert import data_files
from mcugen.convert.choices import CALIBRATION_SAMPLES
from mcugen.convert.data_boxes import read_boxes
from mcugen.convert.data_folders import IMAGES, MAX_FILES, SOUNDS, look_into, read_images, read_sounds
from mcugen.convert.data_labels import read_labels
from mcugen.convert.data_objects import (
    Part,
    Raw,
    for_single_input,
    from_mapping,
    is_frame,
    part_of,
    read_object,
    single,
)
from mcugen.convert.data_shapes import either_order, fit
from mcugen.convert.data_specs import describe_inputs, sample_shape
from mcugen.convert.data_tables import read_csv
from mcugen.convert.types import Samples
from mcugen.errors import DataError
from mcugen.tflite.types import TensorSpec

DataSource = Union[str, "os.PathLike[str]", NDArray[Any], Mapping[str, Any], Iterable[Any]]
"""A path, "random", an array, a mapping of names to arrays, a data frame, (x, y), or an iterable of samples."""

RANDOM_SAMPLES = 100
TABLES = (".csv", ".tsv", ".txt")


def load_samples(
    source: DataSource,
    inputs: Sequence[TensorSpec],
    *,
    scale_images: bool = True,
    seed: int = 0,
    part: Part = "calibration",
    names: Sequence[str] = (),
    glance: int | None = None,
) -> Samples:
    """Read data and check it against the model's inputs.

    Accepted: `.npy` and `.npz` (one array per input name, or x, X, data, images …; labels in y, labels, target …; or
    x_train, y_train, x_test and y_test), `.csv`, a folder of images or .wav files, with a subfolder per class or
    without, "random", NumPy arrays, a mapping, a data frame (pandas, polars), (x, y), and anything that gives one
    sample or batch after the other (`tf.data`, PyTorch, Hugging Face): arrays, (x, y) pairs, mappings, or one entry
    per input; at most 10 000 samples are read.

    Args:
        inputs: the model's inputs, shapes with the batch of 1. A quantized one takes its own integers as they are, or
            real values, which stay float32.
        scale_images: divide the 0…255 of image files by 255 (arrays are never scaled).
        seed: for "random".
        part: which samples to take where the data comes split.
        names: of the classes, by number, for labels that are text.
        glance: read no more files, or rows of a table, than that.

    Raises:
        DataError: unreadable, of the wrong shape or type, or with non-finite values.
    """
    if isinstance(source, str) and source == "random":
        return random_samples(inputs, seed=seed, pixels=not scale_images)
    notes: list[str] = []
    raw, origin = read_source(
        source, inputs, part, notes, scale_images=scale_images, hint=accepted(inputs), glance=glance
    )
    arrays = tuple(fit(a, spec, origin, notes) for a, spec in zip(raw.arrays, inputs, strict=True))
    counts = {len(a) for a in arrays}
    if len(counts) > 1:
        raise DataError(
            f"the inputs have different numbers of samples: {', '.join(str(len(a)) for a in arrays)}", where=origin
        )
    if not counts or 0 in counts:
        raise DataError("there are no samples", where=origin, hint=accepted(inputs))
    if raw.labels is None:
        return Samples(arrays, None, origin, True, tuple(dict.fromkeys(notes)), None, tuple(names))
    labels = read_labels(raw.labels, len(arrays[0]), origin, notes, names, folders=raw.folders)
    return Samples(
        arrays,
        labels.classes,
        origin,
        True,
        tuple(dict.fromkeys(notes)),
        labels.targets,
        labels.names,
        sorted_names=labels.sorted_names,
        by_folder=raw.folders,
    )


def read_source(
    source: DataSource,
    inputs: Sequence[TensorSpec],
    part: Part,
    notes: list[str],
    *,
    scale_images: bool = True,
    hint: str,
    glance: int | None = None,
) -> tuple[Raw, str]:
    """What a source holds, one array per input, as it is stored there; and how reports name the source.

    Args:
        notes: gets what was chosen.
        hint: what to pass instead of something that is none of these.

    Raises:
        DataError: it cannot be read safely, or does not show which values belong to which input.
    """
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        return _read_path(path, inputs, part, notes, scale_images, hint, glance), str(path)
    origin = "mapping" if isinstance(source, Mapping) else "data frame" if is_frame(source) else "array"
    if origin == "array" and not hasattr(source, "__array__"):
        origin = "iterable"
    return read_object(source, inputs, part, notes, hint=hint), origin


def random_samples(
    inputs: Sequence[TensorSpec], *, count: int = RANDOM_SAMPLES, seed: int = 0, pixels: bool = False
) -> Samples:
    """Seeded noise in the input's shape, marked untrusted.

    Floats are uniform in `random_range`; integers cover int8, or are 0 and 1 where they may be indices.
    """
    rng = np.random.default_rng(seed)
    arrays = []
    for spec in inputs:
        shape = (count, *sample_shape(spec))
        if spec.dtype == "float32":
            arrays.append(rng.uniform(*random_range(spec, pixels=pixels), shape).astype(np.float32))
        elif spec.dtype in ("int8", "uint8", "int16"):
            info = np.iinfo(spec.dtype)
            arrays.append(rng.integers(info.min, info.max, shape, spec.dtype, endpoint=True))
        else:
            arrays.append(rng.integers(0, 2, shape).astype(spec.dtype))
    return Samples(tuple(arrays), None, "random", False, ("random data: accuracy and ranges are meaningless",))


def random_range(spec: TensorSpec, *, pixels: bool) -> tuple[float, float]:
    """What a float input is likely to take: [0, 1) for images (four dimensions, 1 or 3 channels), [0, 255] where the
    model takes `pixels`, else [-1, 1)."""
    if pixels:
        return 0.0, 255.0
    image = len(spec.shape) == 4 and spec.shape[-1] in (1, 3)
    return (0.0, 1.0) if image else (-1.0, 1.0)


def choose(samples: Samples, limit: int = CALIBRATION_SAMPLES, seed: int = 0) -> Samples:
    """At most `limit` samples, drawn over the whole set with a fixed seed, in their old order."""
    if samples.count <= limit:
        return samples
    picked = np.random.default_rng(seed).choice(samples.count, limit, replace=False)
    return samples.take(np.sort(picked))


def accepted(inputs: Sequence[TensorSpec]) -> str:
    """What may be passed, for hints."""
    return (
        f"The model takes {describe_inputs(inputs)}. Pass a .npy, .npz or .csv file, a folder of images or .wav files, "
        'an array or an iterable (or "random" for a trial run with meaningless accuracy)'
    )


def _read_path(
    path: Path,
    inputs: Sequence[TensorSpec],
    part: Part,
    notes: list[str],
    scale_images: bool,
    hint: str,
    glance: int | None,
) -> Raw:
    where = str(path)
    if not path.exists():
        raise DataError("there is no such file or folder", where=where, hint=hint)
    if path.is_dir():
        spec = single(inputs, where)
        found = look_into(path, part == "calibration", notes, most=MAX_FILES if glance is None else glance)
        boxes = read_boxes(found.root, found.files)
        raw = _read_files(found.files, spec, where, scale_images, notes, None if boxes is not None else found.classes)
        return raw if boxes is None else replace(raw, labels=boxes)
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=where, hint=hint) from error
    if empty:
        raise DataError("the file is empty", where=where, hint=hint)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return Raw(for_single_input([data_files.read_npy(path)], inputs, where))
    if suffix == ".npz":
        return from_mapping(part_of(data_files.read_npz(path), inputs, part, notes), inputs, where)
    if suffix in TABLES:
        spec = single(inputs, where)
        if spec.was_channels_first:
            raise either_order(spec, where)
        rows, labels = read_csv(path, spec, notes, most=glance)
        return Raw([rows], labels)
    if suffix in (*IMAGES, *SOUNDS):
        return _read_files((path,), single(inputs, where), where, scale_images, notes, None)
    raise DataError(f'"{suffix or path.name}" is not a data format that mcugen reads', where=where, hint=hint)


def _read_files(
    files: Sequence[Path],
    spec: TensorSpec,
    where: str,
    scale_images: bool,
    notes: list[str],
    classes: NDArray[np.str_] | None,
) -> Raw:
    """Images or sounds, one sample each."""
    if files[0].suffix.lower() in SOUNDS:
        values = read_sounds(files, spec, where, notes)
    else:
        values = read_images(files, spec, where, scale_images, notes)
    return Raw([values], classes, folders=classes is not None)
