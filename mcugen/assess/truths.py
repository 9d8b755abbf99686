"""What is true of recordings: a file of labelled intervals, hostile until checked, or a folder per label."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Mapping
from pathlib import Path

from mcugen.assess.detections import Truth
from mcugen.errors import DataError
from mcugen.text import enumerated, plain

HEADER = ("file", "start", "end", "label")
_MOST_BYTES = 64 << 20
_MOST_ROWS = 1_000_000
_SLACK_S = 1.0
"""An end may lie so far behind the recording's: people round up."""

_HINT = "A line is file,start,end,label, with times in seconds"


def read_truths(path: str | Path, durations: Mapping[str, float], labels: Collection[str]) -> tuple[Truth, ...]:
    """The intervals of a .csv file, in its order.

    Args:
        durations: of the recordings by name, in seconds.
        labels: all that the pipeline knows, the background's among them.

    Raises:
        DataError: names the line that is wrong.
    """
    path = Path(path)
    rows = _rows(path)
    if not rows or tuple(cell.strip().lower() for cell in rows[0][1]) != HEADER:
        raise DataError(f"does not begin with the line {','.join(HEADER)}", where=str(path), hint=_HINT)
    found: list[Truth] = []
    lines: dict[Truth, int] = {}
    for line, row in rows[1:]:
        truth = _truth(row, f"{path}, line {line}", durations, labels)
        if truth in lines:
            raise DataError(f"says the same as line {lines[truth]}", where=f"{path}, line {line}", hint="Remove one")
        lines[truth] = line
        found.append(truth)
    _check_overlaps(path, lines)
    return tuple(found)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The lines that are not empty, with their numbers."""
    hint = "Pass a .csv file with the line file,start,end,label first"
    if not path.is_file():
        raise DataError("there is no such file", where=str(path), hint=hint)
    if path.stat().st_size > _MOST_BYTES:
        raise DataError(f"has more than {_MOST_BYTES >> 20} MB", where=str(path), hint=hint)
    try:
        text = path.read_bytes().decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"is no readable .csv file: {error}", where=str(path), hint=hint) from None
    if len(rows) > _MOST_ROWS:
        raise DataError(f"has more than {_MOST_ROWS:,} lines", where=str(path), hint="Split it")
    return rows


def _truth(row: list[str], where: str, durations: Mapping[str, float], labels: Collection[str]) -> Truth:
    if len(row) != len(HEADER):
        raise DataError(f"has {len(row)} values, not {len(HEADER)}", where=where, hint=_HINT)
    file, label = row[0].strip().replace("\\", "/"), row[3].strip()
    start, end = (_seconds(text, name, where) for text, name in ((row[1], "start"), (row[2], "end")))
    if file not in durations:
        names = enumerated([plain(name) for name in sorted(durations)])
        raise DataError(f'"{plain(file)}" is not among the recordings', where=where, hint=f"They are {names}")
    if label not in labels:
        known = enumerated([plain(one) for one in labels], 8)
        raise DataError(f'"{plain(label)}" is no label of the pipeline', where=where, hint=f"Its labels are {known}")
    if end < start:
        raise DataError(f"ends at {end:g} s, before its start at {start:g} s", where=where, hint=_HINT)
    if start >= durations[file] or end > durations[file] + _SLACK_S:
        raise DataError(
            f"is from {start:g} to {end:g} s, but the recording has {durations[file]:.4g} s",
            where=where,
            hint="Times are in seconds from the recording's begin",
        )
    return Truth(file, start, end, label)


def _seconds(text: str, name: str, where: str) -> float:
    try:
        value = float(text) if "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise DataError(f'{name} is "{plain(text.strip()[:40])}", no number of seconds', where=where, hint=_HINT)
    return value


def _check_overlaps(path: Path, lines: Mapping[Truth, int]) -> None:
    """Refuse intervals of a label that overlap: which of them a detection is of, nobody can say."""
    last: dict[tuple[str, str], Truth] = {}
    for truth in sorted(lines, key=lambda truth: (truth.start, truth.end)):
        before = last.get((truth.recording, truth.label))
        if before is not None and truth.start < before.end:
            first, second = sorted((lines[before], lines[truth]))
            raise DataError(
                f'overlaps line {first}, of the same label "{plain(truth.label)}"',
                where=f"{path}, line {second}",
                hint="Join them, or part them",
            )
        last[truth.recording, truth.label] = truth


def folder_truths(
    classes: Mapping[str, str], durations: Mapping[str, float], labels: Collection[str], where: str
) -> tuple[Truth, ...]:
    """A truth for every clip in a folder that has a label's name, from its begin to its end.

    Args:
        classes: the folder of each recording by its name; "" for one that is in none.
        durations: in seconds.
        labels: those that can be detected. In other folders nothing may be.

    Raises:
        DataError: a recording is in no folder.
    """
    for name, folder in classes.items():
        if not folder:
            raise DataError(
                f'"{plain(name)}" is in no folder with the name of a label, so nothing tells what is to be detected',
                where=where,
                hint="Pass `events=TRUTH.csv`, or a folder per class",
            )
    return tuple(Truth(name, 0.0, durations[name], folder) for name, folder in classes.items() if folder in labels)
