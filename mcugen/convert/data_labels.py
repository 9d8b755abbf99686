"""Labels in whatever form they come: class numbers, one-hot rows, text, booleans, or values to be predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.data_specs import shown
from mcugen.errors import DataError

_SHOWN = 12
_MOST_CLASSES = 10_000
_EXACT = 2.0**53
_OF_A_BOX = 5
"""Class and corners (docs/DETECTION.md)."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of samples.

    Attributes:
        targets: (N, …) numbers; of text the numbers of its classes.
        classes: (N,) class numbers; None where the labels are no classes.
        names: of the classes, by number; empty where nobody named them.
        sorted_names: the names are those that occur, in sorted order: nobody said that the model has the same order.
    """

    targets: NDArray[Any]
    classes: NDArray[np.int64] | None
    names: tuple[str, ...] = ()
    sorted_names: bool = False


def read_labels(
    raw: Any, count: int, where: str, notes: list[str], names: Sequence[str] = (), *, folders: bool = False
) -> Labels:
    """Understand labels, and say in one line as what.

    Args:
        raw: one label per sample: an array, or a sequence.
        count: the number of samples.
        notes: gets what was understood.
        names: of the classes, by number, where somebody gave them; text is looked up there.
        folders: the labels are names of folders, which Keras and torchvision number in sorted order, also "1" and "10".

    Raises:
        DataError: another number of labels, missing ones, or text that names no class.
    """
    given = _array(raw, where)
    if given.ndim == 0 or len(given) != count:
        raise DataError(f"there are {len(given) if given.ndim else 1} labels for {count} samples", where=where)
    if given.ndim > 1 and given.shape[1:] == (1,) * (given.ndim - 1) and given.dtype.kind in "bUS":
        given = given.reshape(-1)
    if given.dtype.kind in "US":
        return _from_text(given, where, notes, tuple(names), folders)
    if given.dtype.kind not in "biuf":
        raise DataError(
            f"the labels are {given.dtype} values, neither numbers nor text",
            where=where,
            hint="Use class numbers that start at 0, class names, or real values",
        )
    if given.dtype.kind == "b" and not is_one_hot(given):
        notes.append("labels: True and False, taken as classes 1 and 0" if given.ndim == 1 else "labels: True is 1")
        given = given.astype(np.int64)
        return Labels(given, _numbers(given), tuple(names))
    if given.dtype.kind == "f" and np.isnan(given).any():
        first = int(np.argwhere(np.isnan(given))[0][0])
        raise DataError(
            f"the label of sample {first} is missing (NaN)", where=where, hint="Remove the samples without a label"
        )
    if is_one_hot(given):
        notes.append(f"labels: one-hot labels of {given.shape[1]} classes were converted to class indices")
        return Labels(given, np.asarray(given.argmax(axis=1), np.int64), tuple(names))
    classes = _numbers(given)
    if classes is None:
        each = int(np.prod(given.shape[1:]))
        if given.ndim == 3 and given.shape[2] == _OF_A_BOX:
            notes.append(f"labels: up to {given.shape[1]} boxes per sample")
            return Labels(given, None, tuple(names))
        what = f"{each} real values" if each > 1 else "a real value"
        notes.append(f"labels: {what} per sample, so the labels are not class indices")
        return Labels(given, None)
    low, high = int(classes.min()), int(classes.max())
    notes.append(f"labels: whole numbers from {low} to {high}")
    return Labels(given, classes, tuple(names))


def is_one_hot(targets: NDArray[Any]) -> bool:
    """Whether every row of labels (N, classes) is 0 but for a single 1."""
    if targets.ndim != 2 or targets.shape[1] < 2 or targets.dtype.kind not in "biuf":
        return False
    return bool(np.all((targets == 0) | (targets == 1)) and np.all(targets.sum(axis=1) == 1))


def names_text(names: Sequence[str]) -> str:
    """Classes with their numbers: 0 down, 1 up."""
    listed = ", ".join(f"{number} {shown(name)}" for number, name in enumerate(names[:_SHOWN]))
    return listed + (", …" if len(names) > _SHOWN else "")


def _array(raw: Any, where: str) -> NDArray[Any]:
    """Labels as an array of numbers, booleans or text."""
    try:
        given = np.asarray(raw)
        if given.dtype.kind == "O":
            given = np.asarray([_plain(item) for item in given.tolist()])
    except ValueError:
        raise DataError("the labels differ in their shapes", where=where) from None
    if given.dtype.kind == "O":
        values = given.reshape(-1).tolist()
        missing = next((n for n, value in enumerate(values) if value is None or value != value), None)
        if missing is not None:
            raise DataError(
                f"the label of sample {missing} is missing", where=where, hint="Remove the samples without a label"
            )
    if given.dtype.kind == "S":
        given = np.char.decode(given, "utf-8", "replace")
    return given


def _plain(item: Any) -> Any:
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else item


def _from_text(given: NDArray[Any], where: str, notes: list[str], names: tuple[str, ...], folders: bool) -> Labels:
    if given.ndim != 1:
        raise DataError("the labels are several texts per sample", where=where, hint="Give one class name per sample")
    texts = [str(text).strip() for text in given.tolist()]
    if "" in texts:
        raise DataError(
            f"the label of sample {texts.index('')} is missing", where=where, hint="Remove the samples without a label"
        )
    what = "the folders are classes" if folders else "text"
    numbers = _as_numbers(texts) if not folders else None
    if numbers is not None:
        return read_labels(numbers, len(texts), where, notes, names)
    found = sorted(set(texts))
    if len(found) > _MOST_CLASSES:
        raise DataError(f"the labels are {len(found)} different texts, too many for classes", where=where)
    if not names:
        notes.append(f"labels: {what}, numbered in sorted order: {names_text(found)}")
        known, order = {text: number for number, text in enumerate(found)}, tuple(found)
    else:
        known, order = {name: number for number, name in enumerate(names)}, names
        folded = {name.casefold(): number for number, name in enumerate(names)}
        if len(folded) == len(names):  # nothing but the case differs
            known = {text: folded[text.casefold()] for text in found if text.casefold() in folded}
        unknown = next((text for text in texts if text not in known), None)
        if unknown is not None:
            raise DataError(
                f'{"the folder" if folders else "the label"} "{shown(unknown)}" is none of the class names '
                f"{names_text(names)}",
                where=where,
                hint="Give the names of all classes by `labels`, in the model's order",
            )
        notes.append(f"labels: {what}, found among the given class names: {names_text(names)}")
    classes = np.array([known[text] for text in texts], np.int64)
    return Labels(classes, classes, order, sorted_names=not names)


def _as_numbers(texts: Sequence[str]) -> NDArray[np.float64] | None:
    try:
        return np.array([float(text) for text in texts], np.float64)
    except ValueError:
        return None


def _numbers(given: NDArray[Any]) -> NDArray[np.int64] | None:
    """Class numbers, (N,), if every sample has a single whole number."""
    if given.size != len(given):
        return None
    flat = given.reshape(-1)
    real = flat.astype(np.float64)
    whole = (
        np.isfinite(real).all() and np.array_equal(np.floor(real), real) and float(np.abs(real).max(initial=0)) < 2**53
    )
    return flat.astype(np.int64) if whole else None
