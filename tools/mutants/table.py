"""The tables in tests/mutants/: which tests judge a module, and which of its faults change nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Fault(Protocol):
    """What a fault is named by: its function, and the lines it changes, as they are and as they become."""

    @property
    def number(self) -> int: ...

    @property
    def line(self) -> int: ...

    @property
    def function(self) -> str: ...

    @property
    def before(self) -> str: ...

    @property
    def after(self) -> str: ...


class TableError(Exception):
    """A table that says what cannot be."""


@dataclass(frozen=True)
class Explanation:
    """Why no test can notice a fault. It holds for every fault of `function` that changes `before` to `after`."""

    function: str
    before: str
    after: str
    why: str

    def fits(self, mutant: Fault) -> bool:
        return (self.function, self.before, self.after) == (mutant.function, mutant.before, mutant.after)


@dataclass(frozen=True)
class Target:
    """A module and the test files that judge it."""

    module: str
    tests: tuple[str, ...]
    equivalent: tuple[Explanation, ...]

    def explanation(self, mutant: Fault) -> Explanation | None:
        return next((known for known in self.equivalent if known.fits(mutant)), None)


def read_targets(folder: Path) -> list[Target]:
    """Every table of a folder: one file per module, each with `module`, `tests` and any number of `[[equivalent]]`."""
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise TableError(f"{folder} holds no tables")
    return [_target(path, tomllib.loads(path.read_text(encoding="utf-8"))) for path in files]


def _target(path: Path, data: Mapping[str, Any]) -> Target:
    _check_keys(path, data, {"module", "tests"}, {"equivalent"})
    explanations = _explanations(path, data)
    tests: Sequence[str] = data["tests"]
    if not tests:
        raise TableError(f"{path}: no tests judge the module")
    return Target(data["module"], tuple(tests), tuple(explanations))


def read_explanations(path: Path) -> tuple[Explanation, ...]:
    """The explanations of a table that is about nothing but them; none if there is no such table."""
    if not path.exists():
        return ()
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    _check_keys(path, data, {"equivalent"}, set())
    return tuple(_explanations(path, data))


def _explanations(path: Path, data: Mapping[str, Any]) -> list[Explanation]:
    explanations = []
    for entry in data.get("equivalent", ()):
        _check_keys(path, entry, {"function", "before", "after", "why"}, set())
        explanations.append(Explanation(**entry))
    return explanations


def _check_keys(path: Path, data: Mapping[str, Any], needed: set[str], allowed: set[str]) -> None:
    if missing := needed - data.keys():
        raise TableError(f"{path}: {', '.join(sorted(missing))} is missing")
    if unknown := data.keys() - needed - allowed:
        raise TableError(f"{path}: {', '.join(sorted(unknown))} is unknown")
