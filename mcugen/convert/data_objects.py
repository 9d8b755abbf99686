"""Samples in Python objects: mappings, frames, data sets, loaders. Known by how they behave, none of them imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.data_shapes import rows_of
from mcugen.convert.data_specs import describe_inputs, short_name, shown
from mcugen.convert.data_tables import read_columns
from mcugen.errors import DataError
from mcugen.tflite.types import TensorSpec

Part = Literal["calibration", "evaluation"]
"""What samples are for: of data that is split into x_train and x_test, calibration takes the first."""

MAX_SAMPLES = 10_000
_PARTS: dict[Part, tuple[str, ...]] = {
    "calibration": ("train", "training", "val", "valid", "validation", "test"),
    "evaluation": ("test", "val", "valid", "validation", "train", "training"),
}
_LABEL_KEYS = ("y", "labels", "label", "targets", "target", "classes", "class", "activity")
_DATA_KEYS = (
    "x",
    "data",
    "images",
    "image",
    "samples",
    "inputs",
    "features",
    "img",
    "audio",
    "pixel_values",
    "input_values",
)


@dataclass(frozen=True, eq=False)
class Raw:
    """One array per model input as it was found; and the labels, or None. `folders`: these are names of folders."""

    arrays: list[NDArray[Any]]
    labels: Any = None
    folders: bool = False


def as_array(value: Any) -> NDArray[Any]:
    """Whatever holds numbers as an array: also tensors on another device or with gradients, and decoded sounds."""
    if isinstance(value, Mapping) and "array" in value:  # a sound of a Hugging Face data set
        value = value["array"]
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # a PyTorch tensor
        value = value.detach().cpu().numpy()
    return np.asarray(value)


def is_frame(source: Any) -> bool:
    """Whether it is a data frame, as of pandas or polars: named columns of one length."""
    return hasattr(source, "columns") and hasattr(source, "to_numpy") and hasattr(source, "__getitem__")


def is_pair(source: Any, inputs: Sequence[TensorSpec]) -> bool:
    """Whether it is (x, y): all samples, then all labels."""
    if not isinstance(source, tuple) or len(source) != 2 or len(inputs) != 1:
        return False
    x, y = source
    if not all(hasattr(part, "shape") and hasattr(part, "__len__") for part in (x, y)):
        return False
    # (x, y) of a single sample has labels of another length, or samples in the model's own shape.
    return len(x.shape) > 1 and len(y.shape) in (1, 2) and len(x) == len(y) and tuple(x.shape) != inputs[0].shape[1:]


def read_object(source: Any, inputs: Sequence[TensorSpec], part: Part, notes: list[str], *, hint: str) -> Raw:
    """Samples of a Python object.

    Args:
        source: an array, a mapping, a frame, (x, y), a data set, a loader, or any iterable of samples.
        part: which samples to take where the data comes split.
        notes: gets what was chosen.
        hint: what to pass instead of something else.

    Raises:
        DataError: it does not show which values belong to which input.
    """
    if isinstance(source, Mapping):
        split = _part_of_sets(source, part, notes)
        if split is not None:
            return read_object(split, inputs, part, notes, hint=hint)
        return from_mapping(part_of(dict(source), inputs, part, notes), inputs, "mapping")
    if is_frame(source):
        return _from_frame(source, inputs, notes)
    if is_pair(source, inputs):
        x, y = source
        x = read_object(x, inputs, part, notes, hint=hint).arrays if is_frame(x) else [as_array(x)]
        return Raw(x, _one_column(y))
    if isinstance(source, np.ndarray) or hasattr(source, "__array__"):
        return Raw(for_single_input([as_array(source)], inputs, "array"))
    items = _items(source)
    if items is None:
        raise DataError(f"data of type {type(source).__name__} cannot be read", hint=hint)
    return _from_iterable(items, inputs, notes, hint)


def single(inputs: Sequence[TensorSpec], where: str) -> TensorSpec:
    """The only input.

    Raises:
        DataError: the model has several.
    """
    if len(inputs) != 1:
        raise DataError(
            f"the model has {len(inputs)} inputs, which this format cannot store",
            where=where,
            hint=f"Pass a .npz with one array per input: {describe_inputs(inputs)}",
        )
    return inputs[0]


def for_single_input(arrays: list[NDArray[Any]], inputs: Sequence[TensorSpec], where: str) -> list[NDArray[Any]]:
    single(inputs, where)
    return arrays


def part_of(arrays: Mapping[str, Any], inputs: Sequence[TensorSpec], part: Part, notes: list[str]) -> Mapping[str, Any]:
    """Of data that comes split, such as x_train, y_train, x_test and y_test, the part that is wanted, named x and y."""
    names = {name for spec in inputs for name in (spec.name, short_name(spec.name))}
    if names & set(arrays):
        return arrays
    for which in _PARTS[part]:
        last = {k[: -len(which) - 1]: v for k, v in arrays.items() if k.lower().endswith(f"_{which}")}
        first = {k[len(which) + 1 :]: v for k, v in arrays.items() if k.lower().startswith(f"{which}_")}
        for chosen, where in ((last, f"end in _{which}"), (first, f"begin with {which}_")):
            if any(k in names or k.lower() in _DATA_KEYS for k in chosen):
                notes.append(f"the samples whose names {where} were used")
                return chosen
    return arrays


def from_mapping(arrays: Mapping[str, Any], inputs: Sequence[TensorSpec], where: str) -> Raw:
    """Arrays by name: those named as the model's inputs, in any order, or the usual names; and the labels.

    Raises:
        DataError: the names do not tell.
    """
    own = {name for spec in inputs for name in (spec.name, short_name(spec.name))}
    keys = {k: k.lower() for k in arrays if isinstance(k, str) and k not in own}  # an input may be called y, too
    found = [k for wanted in _LABEL_KEYS for k, plain in keys.items() if plain == wanted]
    labels = arrays[found[0]] if found else None
    values = {k: as_array(v) for k, v in arrays.items() if k not in found}
    names = [next((k for k in values if k in (s.name, short_name(s.name))), None) for s in inputs]
    if all(n is not None for n in names):
        return Raw([values[n] for n in names if n is not None], labels)
    if len(inputs) > 1:
        raise DataError(
            f"has the arrays {', '.join(map(shown, values)) or 'none'}, but the model takes {describe_inputs(inputs)}",
            where=where,
            hint="Name one array after each input",
        )
    key = next((k for wanted in _DATA_KEYS for k in values if keys.get(k) == wanted), None)
    if key is None:
        candidates = [k for k, v in values.items() if v.ndim >= 2 or len(values) == 1]
        if len(candidates) != 1:
            raise DataError(
                f"cannot tell which array holds the samples: it has {', '.join(map(shown, values)) or 'none'}",
                where=where,
                hint=f'Name it "x" (and the labels "y"). The model takes {describe_inputs(inputs)}',
            )
        key = candidates[0]
    return Raw([values[key]], labels)


def _part_of_sets(source: Mapping[str, Any], part: Part, notes: list[str]) -> Any:
    """Of a mapping of whole data sets, such as {"train": …, "test": …}, the one that is wanted; None if it is none."""
    sets = {
        key: value
        for key, value in source.items()
        if not hasattr(value, "__array__")
        and not isinstance(value, list | tuple | Mapping)
        and hasattr(value, "__getitem__")
        and hasattr(value, "__len__")
        and not isinstance(value, str | bytes)
    }
    if not source or len(sets) != len(source):
        return None
    for which in _PARTS[part]:
        if which in sets:
            notes.append(f'the samples of "{which}" were used')
            return sets[which]
    return None


def _from_frame(frame: Any, inputs: Sequence[TensorSpec], notes: list[str]) -> Raw:
    spec = single(inputs, "data frame")
    names = [str(name) for name in frame.columns]
    columns = [frame[name] for name in frame.columns]
    rows, labels = read_columns(names, columns, spec, "data frame", notes)
    return Raw([rows], labels)


def _one_column(labels: Any) -> Any:
    return labels.to_numpy() if is_frame(labels) else as_array(labels)


def _items(source: Any) -> Iterator[Any] | None:
    """The items of whatever can be gone through, or asked for one after the other."""
    if isinstance(source, Iterable):
        return iter(source)
    if hasattr(source, "__len__") and hasattr(source, "__getitem__"):  # a PyTorch data set
        return (source[n] for n in range(len(source)))
    return None


def _from_iterable(source: Iterator[Any], inputs: Sequence[TensorSpec], notes: list[str], hint: str) -> Raw:
    columns: list[list[NDArray[Any]]] = [[] for _ in inputs]
    labels: list[Any] = []
    count = 0
    for n, item in enumerate(source):
        if count >= MAX_SAMPLES:
            notes.append(f"only the first {count} samples were read")
            break
        values, label = _split_item(item, inputs, n)
        for column, value, spec in zip(columns, values, inputs, strict=True):
            rows = rows_of(as_array(value), spec, f"item {n}", notes)
            if column and rows.shape[1:] != column[0].shape[1:]:
                raise DataError(f"has the shape {rows.shape[1:]}, others have {column[0].shape[1:]}", where=f"item {n}")
            column.append(rows)
        count += len(columns[0][-1]) if columns and columns[0] else 1
        if label is not None:
            given = as_array(label)  # of a batch, or of one sample, which may be one-hot
            labels.extend(given if given.ndim and len(given) == len(columns[0][-1]) else [given])
    if not columns or not columns[0]:
        raise DataError("there are no samples", where="iterable", hint=hint)
    return Raw([np.concatenate(c) for c in columns], labels or None)


def _split_item(item: Any, inputs: Sequence[TensorSpec], n: int) -> tuple[list[Any], Any]:
    if isinstance(item, Mapping):
        raw = from_mapping(item, inputs, f"item {n}")
        return list(raw.arrays), raw.labels
    if isinstance(item, (tuple, list)) and not (len(inputs) == 1 and all(np.isscalar(v) for v in item)):
        if len(item) == 2 and isinstance(item[0], Mapping):  # ({"left": …, "right": …}, label)
            raw = from_mapping(item[0], inputs, f"item {n}")
            return list(raw.arrays), item[1]
        if len(item) == 2 and len(inputs) > 1 and isinstance(item[0], (tuple, list)) and len(item[0]) == len(inputs):
            return list(item[0]), item[1]  # ((left, right), label)
        if len(item) == len(inputs):
            return list(item), None
        if len(item) == len(inputs) + 1:
            return list(item[:-1]), item[-1]
        raise DataError(f"has {len(item)} parts, but the model has {len(inputs)} inputs", where=f"item {n}")
    if len(inputs) != 1:
        raise DataError(f"is one array, but the model has {len(inputs)} inputs", where=f"item {n}")
    return [item], None
