"""What a search remembers on disk, so that an interrupted one goes on where it was: a file of JSON lines."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from mcugen.convert.choices import Choices
from mcugen.errors import McugenError, ProjectError
from mcugen.outputs import write_file, writing
from mcugen.reading import parsing
from mcugen.tune.types import Cost, Trial

SCHEMA = "mcugen.search/1"


def search_key(*facts: bytes | str) -> str:
    """Tells searches apart: of everything that decides how a trial ends, but for its choices."""
    digest = hashlib.sha256()
    for fact in facts:
        data = fact.encode() if isinstance(fact, str) else fact
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


class State:
    """Finished trials of one search. Each is appended at once; a line that was cut off is not read.

    Args:
        path: the file; None remembers nothing.

    Raises:
        ProjectError: the file is not a search's, or cannot be read or written.
    """

    def __init__(self, path: Path | None, key: str) -> None:
        self._path = path
        self._key = key
        self.known: dict[Choices, Trial] = {}
        if path is not None and path.exists():
            if not path.is_file():
                raise _not_ours(path)
            self._read(path)

    def add(self, trial: Trial) -> None:
        """Remember a trial."""
        self.known[trial.choices] = trial
        if self._path is None:
            return
        line = json.dumps({"schema": SCHEMA, "search": self._key, "trial": dataclasses.asdict(trial)}, allow_nan=False)
        with writing(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _read(self, path: Path) -> None:
        with parsing(lambda _: _not_ours(path)):
            text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        for line in whole.splitlines():
            with parsing(lambda _: _not_ours(path)):
                facts = json.loads(line)
                if facts["schema"] != SCHEMA:
                    raise _not_ours(path)
                if facts["search"] == self._key:
                    trial = _trial(facts["trial"])
                    self.known[trial.choices] = trial
        if whole != text:
            write_file(path, whole.encode())


def _trial(facts: dict[str, Any]) -> Trial:
    given = dict(facts)
    chosen = dict(given.pop("choices"))
    cost = given.pop("cost")
    try:
        choices = Choices(**{**chosen, "wide": tuple(int(n) for n in chosen["wide"])})
    except McugenError as error:
        raise ValueError(str(error)) from error
    return Trial(choices, cost=Cost(**cost) if cost is not None else None, **given)


def _not_ours(path: Path) -> ProjectError:
    return ProjectError(
        "is not the record of a search", where=str(path), hint="Remove it, or choose another output with `out`"
    )
