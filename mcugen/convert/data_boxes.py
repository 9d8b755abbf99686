"""The true boxes of a folder of images: its file boxes.csv, hostile until checked."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.errors import DataError

FILE = "boxes.csv"
HEADER = ("file", "class", "ymin", "xmin", "ymax", "xmax")
_MOST_BYTES = 64 << 20
_MOST_CLASS = 10_000
_HINT = (
    f"{FILE} begins with the line {','.join(HEADER)}; classes are numbers from 0 up, corners are parts of "
    "the image's height and width, and an image without a line has no box"
)


def read_boxes(root: Path, files: Sequence[Path]) -> NDArray[Any] | None:
    """What boxes.csv says of images, (N, boxes, 5): class, ymin, xmin, ymax, xmax, and -1 in rows without a box.

    Args:
        root: the folder; None is returned where it has no such file.
        files: the images, which the file names relative to the folder.

    Raises:
        DataError: names the line that is wrong.
    """
    path = root / FILE
    if not path.is_file():
        return None
    if path.stat().st_size > _MOST_BYTES:
        raise DataError(f"has more than {_MOST_BYTES >> 20} MB", where=str(path), hint=_HINT)
    try:
        text = path.read_bytes().decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        rows = [
            (reader.line_num, [cell.strip() for cell in row]) for row in reader if any(cell.strip() for cell in row)
        ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot be read: {error}", where=str(path), hint=_HINT) from None
    if not rows or tuple(cell.lower() for cell in rows[0][1]) != HEADER:
        raise DataError(f"does not begin with the line {','.join(HEADER)}", where=str(path), hint=_HINT)
    by_file: dict[str, list[tuple[float, ...]]] = {file.relative_to(root).as_posix(): [] for file in files}
    known = set(by_file) | {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    for line, row in rows[1:]:
        where = f"{path}, line {line}"
        if len(row) != len(HEADER):
            raise DataError(f"has {len(row)} columns, not {len(HEADER)}", where=where, hint=_HINT)
        if row[0] not in known:
            raise DataError(f'there is no file "{row[0][:100]}" in the folder', where=where, hint=_HINT)
        box = _box(row, where)
        if row[0] in by_file:  # others of many files were not read
            by_file[row[0]].append(box)
    most = max((len(found) for found in by_file.values()), default=0)
    made = np.full((len(by_file), max(most, 1), 5), -1.0)
    for here, found in zip(made, by_file.values(), strict=True):
        here[: len(found)] = np.array(found).reshape(-1, 5)
    return made


def _box(row: Sequence[str], where: str) -> tuple[float, ...]:
    if not (row[1].isascii() and row[1].isdecimal() and len(row[1]) < 6 and int(row[1]) < _MOST_CLASS):
        raise DataError(f'"{row[1][:60]}" is not a class number', where=where, hint=_HINT)
    try:
        corners = [float(cell) for cell in row[2:]]
    except ValueError:
        corners = [float("nan")]
    if not np.isfinite(corners).all():
        raise DataError("a corner is not a number", where=where, hint=_HINT)
    ymin, xmin, ymax, xmax = corners
    if not (-1 <= ymin < ymax <= 2 and -1 <= xmin < xmax <= 2):
        raise DataError(
            "the corners are no parts of an image, or the box ends before it begins", where=where, hint=_HINT
        )
    return (int(row[1]), *corners)
