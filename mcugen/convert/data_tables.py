"""Tables, a sample per row: CSV files, and data frames of whatever library. Which column is the label?"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.data_specs import sample_shape, shown
from mcugen.errors import DataError
from mcugen.reading import parsing
from mcugen.tflite.types import TensorSpec

_MAX_CSV_BYTES = 256 << 20
_LABEL_COLUMNS = ("label", "labels", "target", "targets", "class", "classes", "activity", "category")
_PERHAPS_LABEL = "y"
"""A label, or one of the axes x, y and z."""
_INDEX_COLUMNS = ("", "index", "id", "unnamed: 0", "unnamed:0")
_FEW_ROWS = 3


@dataclass(frozen=True)
class _Columns:
    """Which columns of a table hold what. `guessed`: nobody named the label."""

    width: int
    features: tuple[int, ...]
    label: int | None
    guessed: bool = False


def read_csv(
    path: Path, spec: TensorSpec, notes: list[str], *, most: int | None = None
) -> tuple[NDArray[np.float32], NDArray[Any] | None]:
    """Rows of numbers, each one sample, flattened in C order; and the labels, text or numbers, if there are any.

    A first row of text is a header. A column named label, target, class, activity or y holds the labels; where a row
    has one value more than a sample and no such name, its last one is the label.

    Args:
        notes: gets what was taken for what.
        most: read no more rows than that.

    Raises:
        DataError: rows of the wrong length, or cells that are no numbers; names the line.
    """
    shape = sample_shape(spec)
    wanted = math.prod(shape)
    rows: list[NDArray[np.float32]] = []
    labels: list[str] = []
    columns: _Columns | None = None
    names: list[str] | None = None
    counts = True
    with parsing(lambda _: DataError("is not a readable CSV file", where=str(path), hint="Save it as UTF-8 text")):
        if path.stat().st_size > _MAX_CSV_BYTES:
            raise DataError(
                f"has more than {_MAX_CSV_BYTES >> 20} MB", where=str(path), hint="Pass fewer samples: 200 are used"
            )
        for number, cells in _lines(path):
            if names is None and columns is None and _is_header(cells, wanted):
                names = [cell.strip() for cell in cells]
                continue
            where = f"{path}, line {number}"
            if columns is None:
                columns = _choose(names, [_is_number(cell) for cell in cells], wanted, shape, str(path), notes)
            if len(cells) != columns.width:
                raise DataError(
                    f"has {len(cells)} values, but the rows before it have {columns.width}"
                    if rows
                    else f"has {len(cells)} values, but the header names {columns.width}",
                    where=where,
                )
            values = [_number(cells[i], where, i, names) for i in columns.features]
            if columns.label is not None:
                labels.append(cells[columns.label].strip())
            counts = counts and _is_number(cells[0]) and float(cells[0]) in (len(rows), len(rows) + 1)
            rows.append(np.array(values, np.float32))
            if most is not None and len(rows) >= most:
                break
    if columns is None:
        raise DataError("holds no rows of numbers", where=str(path))
    if columns.guessed and names is None and counts and len(rows) >= _FEW_ROWS:
        raise DataError(
            "does not show whether its first column, which counts the rows, or its last one is more than the sample",
            where=str(path),
            hint="Add a header line that names the label column label, and the column that counts index",
        )
    return np.stack(rows).reshape(-1, *shape), _labels(labels) if columns.label is not None else None


def read_columns(
    names: Sequence[str], columns: Sequence[Any], spec: TensorSpec, where: str, notes: list[str]
) -> tuple[NDArray[np.float32], NDArray[Any] | None]:
    """The same of named columns, such as those of a data frame.

    Raises:
        DataError: columns that are no numbers, or not as many as a sample has values.
    """
    shape = sample_shape(spec)
    arrays = [np.asarray(column) for column in columns]
    numeric = [array.dtype.kind in "biuf" or _all_numbers(array) for array in arrays]
    chosen = _choose(list(names), numeric, math.prod(shape), shape, where, notes)
    for i in chosen.features:
        if not numeric[i]:
            raise DataError(
                f'the column "{shown(names[i])}" holds {arrays[i].dtype} values, not numbers',
                where=where,
                hint="Encode it as in training, or remove it",
            )
    rows = np.stack([arrays[i].astype(np.float32) for i in chosen.features], axis=1)
    return rows.reshape(-1, *shape), arrays[chosen.label] if chosen.label is not None else None


def _choose(
    names: list[str] | None,
    numeric: Sequence[bool],
    wanted: int,
    shape: tuple[int, ...],
    where: str,
    notes: list[str],
) -> _Columns:
    """Which columns hold the sample, and which one the label.

    Args:
        names: of the columns, if the table has any.
        numeric: whether each column (of a file: its first row) holds numbers.
    """
    width = len(numeric) if names is None else len(names)
    plain = [name.lower() for name in names] if names is not None else [None] * width
    labels = [i for i, name in enumerate(plain) if name in _LABEL_COLUMNS]
    if not labels and width > wanted:
        labels = [i for i, name in enumerate(plain) if name == _PERHAPS_LABEL]
    if len(labels) > 1:
        assert names is not None
        raise DataError(
            f"has several columns that may be the label: {', '.join(shown(names[i]) for i in labels)}",
            where=where,
            hint="Rename or remove all but one",
        )
    label = labels[0] if labels else None
    rest = [i for i in range(width) if i != label]
    counters = [i for i in rest if plain[i] in _INDEX_COLUMNS]
    if len(rest) > wanted and len(counters) == 1 and names is not None:
        rest.remove(counters[0])
        notes.append(f'the column "{shown(names[counters[0]])}" counts the rows and was left out')
    guessed = label is None and len(rest) == wanted + 1
    if guessed:
        texts = [i for i in rest if not (i < len(numeric) and numeric[i])]
        label = texts[0] if len(texts) == 1 else rest[-1]
        rest.remove(label)
        what = f'the column "{shown(names[label])}"' if names is not None else f"column {label + 1} of {width}"
        notes.append(f"{what}, one more than a sample has, was taken for the label")
    if len(rest) != wanted:
        named = f" besides the label ({shown(names[label])})" if names is not None and label is not None else ""
        raise DataError(
            f"has {len(rest)} values{named}, but one sample {shape} takes {wanted}",
            where=where,
            hint="One row is one sample, all of its values one after the other; the label may be one column more, "
            "named label",
        )
    return _Columns(width, tuple(rest), label, guessed)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, with their line numbers from 1."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        start = file.read(4096)
        file.seek(0)
        first_line = start.splitlines()[0] if start else ""
        delimiter = max(",;\t", key=first_line.count)
        reader = csv.reader(file, delimiter=delimiter)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells


def _is_header(cells: Sequence[str], wanted: int) -> bool:
    """Whether a first row names columns: it holds text, and not only as the label of a sample."""
    texts = [cell for cell in cells if not _is_number(cell)]
    if len(texts) == 1 and len(cells) == wanted + 1:
        return texts[0].strip().lower() in (*_LABEL_COLUMNS, *_INDEX_COLUMNS, _PERHAPS_LABEL)
    # A sample with text in it is refused as such; a header has hardly a number in it.
    return len(texts) > len(cells) // 2


def _number(cell: str, where: str, column: int, names: Sequence[str] | None) -> float:
    try:
        return float(cell)
    except ValueError:
        pass
    name = f' "{shown(names[column])}"' if names is not None and column < len(names) else ""
    if not cell.strip():
        raise DataError(
            f"column {column + 1}{name} is empty", where=where, hint="Remove the row, or fill in as in training"
        )
    comma = _is_number(cell.replace(",", "."))
    raise DataError(
        f'column {column + 1}{name} holds "{shown(cell)}", which is not a number',
        where=where,
        hint="Write decimals with a point" if comma else "Encode it as in training, or remove the column",
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _all_numbers(array: NDArray[Any]) -> bool:
    """Whether a column of objects holds numbers alone."""
    return array.dtype.kind == "O" and all(isinstance(value, int | float) for value in array.tolist())


def _labels(cells: Sequence[str]) -> NDArray[Any]:
    """Labels as numbers if all are, else as text."""
    if all(_is_number(cell) for cell in cells):
        return np.array([float(cell) for cell in cells], np.float64)
    return np.array(list(cells))
