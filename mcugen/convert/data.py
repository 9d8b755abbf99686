"""Calibration and test data: from whatever a user has to arrays that fit the model's inputs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union

import numpy as np
from numpy.typing import NDArray

from mcugen.convert import data_files
from mcugen.convert.choices import CALIBRATION_SAMPLES
from mcugen.convert.types import Samples
from mcugen.errors import DataError
from mcugen.tflite.types import TensorSpec

DataSource = Union[str, "os.PathLike[str]", NDArray[Any], Mapping[str, Any], Iterable[Any]]
"""A path, "random", an array, a mapping of input names to arrays, or an iterable of samples."""

RANDOM_SAMPLES = 100
_MAX_ITERATED = 10_000
Part = Literal["calibration", "evaluation"]
"""What samples are for: of data that is split into x_train and x_test, calibration takes the first."""

_SUFFIXES: dict[Part, tuple[str, ...]] = {
    "calibration": ("_train", "_test"),
    "evaluation": ("_test", "_train"),
}
_LABEL_KEYS = ("y", "labels", "label", "targets", "target")
_DATA_KEYS = ("x", "X", "data", "images", "samples", "inputs")


def load_samples(
    source: DataSource,
    inputs: Sequence[TensorSpec],
    *,
    scale_images: bool = True,
    seed: int = 0,
    part: Part = "calibration",
) -> Samples:
    """Read data and check it against the model's inputs.

    Accepted: `.npy` and `.npz` (key x, X, data or images, or one array per input name; labels in y or labels; or
    x_train, y_train, x_test and y_test), `.csv`, a folder of images, "random", NumPy arrays, a mapping, an iterable
    of samples (arrays, (x, y) pairs, or one list entry per input; at most 10 000 are read).

    Args:
        inputs: the model's inputs, shapes with the batch of 1. A quantized one takes its own integers as they are, or
            real values, which stay float32.
        scale_images: divide the 0…255 of image files by 255 (arrays are never scaled).
        seed: for "random".
        part: which samples to take where the data comes split.

    Raises:
        DataError: unreadable, of the wrong shape or type, or with non-finite values.
    """
    if isinstance(source, str) and source == "random":
        return random_samples(inputs, seed=seed, pixels=not scale_images)
    notes: list[str] = []
    labels: Any = None
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        origin = str(path)
        raw, labels = _read_path(path, inputs, scale_images, part, notes)
    elif isinstance(source, Mapping):
        origin = "mapping"
        raw, labels = _from_mapping(_part_of(dict(source), inputs, part, notes), inputs, origin)
    elif isinstance(source, np.ndarray) or hasattr(source, "__array__"):
        origin = "array"
        raw = _for_single_input([np.asarray(source)], inputs, origin)
    elif isinstance(source, Iterable):
        origin = "iterable"
        raw, labels = _from_iterable(source, inputs, notes)
    else:
        raise DataError(f"data of type {type(source).__name__} cannot be read", hint=_accepted(inputs))
    arrays = tuple(_fit(a, spec, origin, notes) for a, spec in zip(raw, inputs, strict=True))
    counts = {len(a) for a in arrays}
    if len(counts) > 1:
        raise DataError(
            f"the inputs have different numbers of samples: {', '.join(str(len(a)) for a in arrays)}", where=origin
        )
    if not counts or 0 in counts:
        raise DataError("there are no samples", where=origin, hint=_accepted(inputs))
    targets = _targets(labels, len(arrays[0]), origin) if labels is not None else None
    classes = _classes(targets, notes) if targets is not None else None
    return Samples(arrays, classes, origin, True, tuple(dict.fromkeys(notes)), targets)


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


def sample_shape(spec: TensorSpec) -> tuple[int, ...]:
    """The shape of one sample: the input's without its batch of 1."""
    return spec.shape[1:] if len(spec.shape) > 1 and spec.shape[0] == 1 else spec.shape


def describe_inputs(inputs: Sequence[TensorSpec]) -> str:
    """What the model takes, for messages: "input": float32 (N, 28, 28, 1)."""
    return ", ".join(
        f'"{short_name(s.name)}": {s.dtype} (N, {", ".join(str(d) for d in sample_shape(s))})' for s in inputs
    )


def short_name(name: str) -> str:
    """A tensor's name without what converters add: serving_default_x:0 → x."""
    return name.removeprefix("serving_default_").split(":")[0]


def _accepted(inputs: Sequence[TensorSpec]) -> str:
    return (
        f"The model takes {describe_inputs(inputs)}. Pass a .npy, .npz or .csv file, a folder of images, "
        'an array or an iterable (or "random" for a trial run with meaningless accuracy)'
    )


def _read_path(
    path: Path, inputs: Sequence[TensorSpec], scale_images: bool, part: Part, notes: list[str]
) -> tuple[list[NDArray[Any]], Any]:
    where = str(path)
    if not path.exists():
        raise DataError("there is no such file or folder", where=where, hint=_accepted(inputs))
    if path.is_dir():
        images = data_files.read_images(path, _single(inputs, where), scale_images, notes)
        return _for_single_input([images], inputs, where), None
    return read_file(path, inputs, part, notes, hint=_accepted(inputs))


def read_file(
    path: Path, inputs: Sequence[TensorSpec], part: Part, notes: list[str], *, hint: str
) -> tuple[list[NDArray[Any]], Any]:
    """One array per input from a `.npy`, `.npz` or `.csv` file, as they are stored there; and the labels, if any.

    Args:
        part: which samples to take where the data comes split.
        notes: gets what was chosen.
        hint: what to pass instead of a file that is none of these.

    Raises:
        DataError: the file cannot be read safely, or it does not show which array belongs to which input.
    """
    where = str(path)
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=where, hint=hint) from error
    if empty:
        raise DataError("the file is empty", where=where, hint=hint)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _for_single_input([data_files.read_npy(path)], inputs, where), None
    if suffix == ".npz":
        return _from_mapping(_part_of(data_files.read_npz(path), inputs, part, notes), inputs, where)
    if suffix in (".csv", ".tsv", ".txt"):
        spec = _single(inputs, where)
        if spec.was_channels_first:
            raise _either_order(spec, where)
        rows, labels = data_files.read_csv(path, sample_shape(spec))
        return [rows], labels
    raise DataError(f'"{suffix or path.name}" is not a data format that mcugen reads', where=where, hint=hint)


def _single(inputs: Sequence[TensorSpec], where: str) -> TensorSpec:
    if len(inputs) != 1:
        raise DataError(
            f"the model has {len(inputs)} inputs, which this format cannot store",
            where=where,
            hint=f"Pass a .npz with one array per input: {describe_inputs(inputs)}",
        )
    return inputs[0]


def _for_single_input(arrays: list[NDArray[Any]], inputs: Sequence[TensorSpec], where: str) -> list[NDArray[Any]]:
    _single(inputs, where)
    return arrays


def _part_of(
    arrays: Mapping[str, Any], inputs: Sequence[TensorSpec], part: Part, notes: list[str]
) -> Mapping[str, Any]:
    """Of data that comes split (x_train, y_train, x_test, y_test), the part that is wanted, named x and y."""
    names = {name for spec in inputs for name in (spec.name, short_name(spec.name))}
    if names & set(arrays):
        return arrays
    for suffix in _SUFFIXES[part]:
        chosen = {k.removesuffix(suffix): v for k, v in arrays.items() if k.endswith(suffix)}
        if any(k in names or k in _DATA_KEYS for k in chosen):
            notes.append(f"the samples whose names end in {suffix} were used")
            return chosen
    return arrays


def _from_mapping(
    arrays: Mapping[str, Any], inputs: Sequence[TensorSpec], where: str
) -> tuple[list[NDArray[Any]], Any]:
    own = {name for spec in inputs for name in (spec.name, short_name(spec.name))}
    label_keys = [k for k in _LABEL_KEYS if k not in own]  # an input may be called y, too
    labels = next((arrays[k] for k in label_keys if k in arrays), None)
    values = {k: np.asarray(v) for k, v in arrays.items() if k not in label_keys}
    names = [next((k for k in values if k in (s.name, short_name(s.name))), None) for s in inputs]
    if all(n is not None for n in names):
        return [values[n] for n in names if n is not None], labels
    if len(inputs) > 1:
        raise DataError(
            f"has the arrays {', '.join(values) or 'none'}, but the model takes {describe_inputs(inputs)}",
            where=where,
            hint="Name one array after each input",
        )
    key = next((k for k in _DATA_KEYS if k in values), None)
    if key is None:
        candidates = [k for k, v in values.items() if v.ndim >= 2 or len(values) == 1]
        if len(candidates) != 1:
            raise DataError(
                f"cannot tell which array holds the samples: it has {', '.join(values) or 'none'}",
                where=where,
                hint=f'Name it "x" (and the labels "y"). The model takes {describe_inputs(inputs)}',
            )
        key = candidates[0]
    return [values[key]], labels


def _from_iterable(
    source: Iterable[Any], inputs: Sequence[TensorSpec], notes: list[str]
) -> tuple[list[NDArray[Any]], Any]:
    columns: list[list[NDArray[Any]]] = [[] for _ in inputs]
    labels: list[Any] = []
    for n, item in enumerate(source):
        if n >= _MAX_ITERATED:
            notes.append(f"only the first {_MAX_ITERATED} items were read")
            break
        values, label = _split_item(item, inputs, n)
        for column, value, spec in zip(columns, values, inputs, strict=True):
            rows = _rows(np.asarray(value), spec, f"item {n}", notes)
            if column and rows.shape[1:] != column[0].shape[1:]:
                raise DataError(f"has the shape {rows.shape[1:]}, others have {column[0].shape[1:]}", where=f"item {n}")
            column.append(rows)
        if label is not None:
            given = np.asarray(label)  # of a batch, or of one sample, which may be one-hot
            labels.extend(given if given.ndim and len(given) == len(rows) else [given])
    if not columns or not columns[0]:
        raise DataError("there are no samples", where="iterable", hint=_accepted(inputs))
    return [np.concatenate(c) for c in columns], labels or None


def _split_item(item: Any, inputs: Sequence[TensorSpec], n: int) -> tuple[list[Any], Any]:
    if isinstance(item, Mapping):
        return _from_mapping(item, inputs, f"item {n}")
    if isinstance(item, (tuple, list)) and not (len(inputs) == 1 and all(np.isscalar(v) for v in item)):
        if len(item) == len(inputs):
            return list(item), None
        if len(item) == len(inputs) + 1:
            return list(item[:-1]), item[-1]
        raise DataError(f"has {len(item)} parts, but the model has {len(inputs)} inputs", where=f"item {n}")
    if len(inputs) != 1:
        raise DataError(f"is one array, but the model has {len(inputs)} inputs", where=f"item {n}")
    return [item], None


def _rows(array: NDArray[Any], spec: TensorSpec, where: str, notes: list[str]) -> NDArray[Any]:
    """An array as (N, *sample shape), if there is only one way to read it so."""
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"holds {array.dtype} values, not numbers", where=where, hint="Pass an array of floats or integers"
        )
    shape = sample_shape(spec)
    if array.shape[1:] == shape:
        return array
    if array.shape == shape:
        return array[None]
    if array.shape[1:] == (1, *shape):
        return array.reshape(-1, *shape)
    if spec.was_channels_first:
        return _channels_moved(array, spec, where, notes)
    without_ones = tuple(d for d in shape if d != 1)
    if array.ndim >= 1 and tuple(d for d in array.shape[1:] if d != 1) == without_ones:
        notes.append(f"samples of shape {array.shape[1:]} were reshaped to {shape}")
        return array.reshape(-1, *shape)
    if array.ndim == 2 and array.shape[1] == int(np.prod(shape)):
        notes.append(f"rows of {array.shape[1]} values were reshaped to {shape}")
        return array.reshape(-1, *shape)
    hint = f"The model takes {describe_inputs([spec])}"
    if len(shape) == 3 and array.ndim == 4 and array.shape[1:] == (shape[2], shape[0], shape[1]):
        hint += "; the data has its channels first: transpose it with x.transpose(0, 2, 3, 1)"
    raise DataError(f"has the shape {array.shape}", where=where, hint=hint)


def _channels_moved(array: NDArray[Any], spec: TensorSpec, where: str, notes: list[str]) -> NDArray[Any]:
    """Samples in the order of the model that was converted; nothing else can be told apart."""
    shape = sample_shape(spec)
    first = (shape[-1], *shape[:-1])
    if array.shape != first and array.shape[1:] != first:
        raise _either_order(spec, where, array.shape)
    notes.append(f"samples of shape {first} have their channels first and were transposed to {shape}")
    return np.moveaxis(array.reshape(-1, *first), 1, -1)


def _either_order(spec: TensorSpec, where: str, shape: tuple[int, ...] | None = None) -> DataError:
    last = sample_shape(spec)
    what = "rows of numbers do not show" if shape is None else f"the shape {shape} does not show"
    return DataError(
        f"{what} whether channels come first or last",
        where=where,
        hint=f"Pass an array (N, {', '.join(map(str, (last[-1], *last[:-1])))}), as the original model takes it, "
        f"or (N, {', '.join(map(str, last))})",
    )


def _fit(array: NDArray[Any], spec: TensorSpec, where: str, notes: list[str]) -> NDArray[Any]:
    rows = _rows(array, spec, where, notes)
    if rows.dtype.kind == "f":
        finite = np.isfinite(rows)
        if not finite.all():
            first = int(np.argwhere(~finite)[0][0])
            raise DataError(
                f"holds values that are NaN or infinite ({int((~finite).sum())} of {rows.size}), "
                f"the first in sample {first}",
                where=where,
                hint="Remove or replace them",
            )
    if spec.dtype == "float32":
        if rows.dtype.kind in "iu":
            notes.append(f"{rows.dtype} values are taken as real numbers, without scaling")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # overflow is an error of our own, below
            converted = rows.astype(np.float32)
        if not np.isfinite(converted).all():
            raise DataError(
                "holds values beyond the range of float32",
                where=where,
                hint="Scale them as in training",
            )
        return converted
    target = np.dtype(spec.dtype)
    if spec.scale > 0 and rows.dtype.kind == "f":
        return rows.astype(np.float32)
    converted = rows.astype(target)
    if not np.array_equal(converted, rows):
        raise DataError(
            f'holds values that {spec.dtype} cannot hold, but input "{short_name(spec.name)}" is {spec.dtype}',
            where=where,
        )
    return converted


def _targets(raw: Any, count: int, where: str) -> NDArray[Any]:
    """Labels as they were given, one row per sample."""
    try:
        targets = np.asarray(raw)
    except ValueError:
        raise DataError("the labels differ in their shapes", where=where) from None
    if targets.ndim == 0 or len(targets) != count:
        raise DataError(f"there are {len(targets) if targets.ndim else 1} labels for {count} samples", where=where)
    return targets


def _classes(targets: NDArray[Any], notes: list[str]) -> NDArray[np.int64] | None:
    """Class numbers, if the labels are such or one-hot."""
    if is_one_hot(targets):
        notes.append("one-hot labels were converted to class indices")
        return np.asarray(targets.argmax(axis=1), np.int64)
    labels = targets.reshape(-1) if targets.ndim == 2 and targets.shape[1] == 1 else targets
    if labels.ndim != 1 or labels.dtype.kind not in "biuf" or not _whole(labels):
        notes.append("the labels are not class indices")
        return None
    return labels.astype(np.int64)


def _whole(labels: NDArray[Any]) -> bool:
    real = labels.astype(np.float64)
    return bool(np.all(np.floor(real) == real))


def is_one_hot(targets: NDArray[Any]) -> bool:
    """Whether every row of labels (N, classes) is 0 but for a single 1."""
    if targets.ndim != 2 or targets.shape[1] < 2 or targets.dtype.kind not in "biuf":
        return False
    return bool(np.all((targets == 0) | (targets == 1)) and np.all(targets.sum(axis=1) == 1))
