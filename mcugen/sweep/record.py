"""Outcomes on disk: written as they come, read back by the next run, so that nothing is done twice."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import IO

from mcugen.builder.locks import file_lock
from mcugen.outputs import writing
from mcugen.sweep.jobs import Outcome, parse_outcome

OUTCOMES = "outcomes.jsonl"
TABLE = "table.csv"


class Record:
    """The folder of a sweep. A context manager: while it is open, no other sweep writes there.

    Args:
        folder: made if absent.

    Raises:
        ToolError: another sweep is running there, or the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = file_lock(
            folder / ".lock",
            timeout=0,
            busy="another sweep is running in this folder",
            unwritable="Choose another folder",
        )
        self._file: IO[str] | None = None

    def __enter__(self) -> Record:
        self._lock.__enter__()
        try:
            with writing(self.folder):
                path = self.folder / OUTCOMES
                whole = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
                self.known = {found.key: found for found in map(_parse_line, whole.splitlines()) if found is not None}
                self._file = path.open("a", encoding="utf-8")
                if whole and not whole.endswith("\n"):
                    self._file.write("\n")  # a run that was killed in the middle of a line
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # each outcome was written out when it came
                self._file.close()
        self._lock.__exit__(kind, error, trace)

    def add(self, outcome: Outcome) -> None:
        """Write an outcome at once. Failures are not kept as known: the next run tries them again."""
        assert self._file is not None
        with writing(self.folder / OUTCOMES):
            self._file.write(json.dumps(outcome.to_dict(), sort_keys=True) + "\n")
            self._file.flush()


def _parse_line(line: str) -> Outcome | None:
    try:
        found = parse_outcome(json.loads(line))
    except (ValueError, RecursionError):
        return None
    return found if found is not None and found.status != "failed" else None


def table_csv(outcomes: Iterable[Outcome]) -> str:
    """The outcomes as CSV with a heading."""
    text = io.StringIO()
    names = [field.name for field in fields(Outcome) if field.name != "key"]
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(outcome.to_dict() for outcome in outcomes)
    return text.getvalue()
