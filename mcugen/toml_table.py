"""One table of a TOML file that is not trusted, read field by field; every message names file and field."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mcugen.errors import BoardError, McugenError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

MAX_FILE_BYTES = 64 * 1024

_REQUIRED: Any = object()


def read_toml(path: Path, what: str, error: type[McugenError]) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file of at most `MAX_FILE_BYTES`, and what it says.

    Args:
        what: that it is to be, for the message about one that is larger.

    Raises:
        error: it cannot be read, is too large, or is not TOML.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise error(f"is larger than {MAX_FILE_BYTES} bytes, so not {what}", where=str(path))
        text = raw.decode()
    except OSError as problem:
        raise error(f"cannot be read: {problem.strerror}", where=str(path)) from problem
    except UnicodeDecodeError as problem:
        raise error(f"is not valid TOML: {problem}", where=str(path)) from problem
    return text, parse_toml(text, path, error)


def parse_toml(text: str, path: Path, error: type[McugenError]) -> dict[str, Any]:
    """What TOML says; `path` names it in messages.

    Raises:
        error: it is not TOML.
    """
    try:
        found: dict[str, Any] = tomllib.loads(text)
        return found
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise error(f"is not valid TOML: {problem}", where=str(path)) from problem


class Table:
    """One table of a file, a board's by default. Its keys are taken out one by one, so that what is left is unknown."""

    def __init__(
        self,
        path: Path,
        name: str,
        data: Mapping[str, Any],
        error: type[McugenError] = BoardError,
        hint: str = "docs/BOARDS.md describes the fields",
    ) -> None:
        self._path, self._name, self._data = path, name, data
        self._error, self._hint = error, hint
        self._taken: set[str] = set()

    def error(self, key: str, what: str) -> McugenError:
        field = f"{self._name}.{key}" if self._name else key
        return self._error(what, where=f"{self._path}: field {field}", hint=self._hint)

    def finish(self) -> None:
        for key in self._data:
            if key not in self._taken:
                known = ", ".join(sorted(self._taken))
                near = get_close_matches(key, sorted(self._taken), 1)
                meant = f'; did you mean "{near[0]}"?' if near else ""
                raise self.error(short(key), f"is unknown (known here: {known}){meant}")

    def keys(self, pattern: str, what: str = "a name of a-z, 0-9 and _") -> list[str]:
        for key in self._data:
            if not re.fullmatch(pattern, key):
                raise self.error(short(key), f"is not {what}")
        return list(self._data)

    def has(self, key: str) -> bool:
        if key not in self._data:
            self._taken.add(key)  # it is known
        return key in self._data

    def is_list(self, key: str) -> bool:
        return isinstance(self._data.get(key), list)

    def matching(self, key: str, pattern: str, default: Any = _REQUIRED) -> str:
        value = self.text(key, default)
        if value != default and not re.fullmatch(pattern, value):
            raise self.error(key, f"is {short(value)}, which is not allowed here; expected text of the form {pattern}")
        return value

    def all_matching(self, key: str, pattern: str) -> list[str]:
        values = self.strings(key, None)
        for value in values:
            if not re.fullmatch(pattern, value):
                raise self.error(
                    key, f"holds {short(value)}, which is not allowed here; expected text of the form {pattern}"
                )
        return values

    def _take(self, key: str, kind: type, kind_name: str, default: Any) -> Any:
        self._taken.add(key)
        if key not in self._data:
            if default is _REQUIRED:
                raise self.error(key, "is missing")
            return default
        value = self._data[key]
        if type(value) is not kind:
            raise self.error(key, f"is {short(value)}, not {kind_name}")
        return value

    def table(self, key: str) -> Table:
        value = self._take(key, dict, "a table", _REQUIRED)
        return Table(self._path, f"{self._name}.{key}" if self._name else key, value, self._error, self._hint)

    def integer(self, key: str, low: int, high: int, default: Any = _REQUIRED) -> int:
        value: int = self._take(key, int, "an integer", default)
        if not low <= value <= high:
            raise self.error(key, f"is {value}, not between {low} and {high}")
        return value

    def integers(self, key: str, low: int, high: int) -> list[int]:
        values: list[Any] = self._take(key, list, "a list of integers", _REQUIRED)
        if any(type(value) is not int or not low <= value <= high for value in values):
            raise self.error(key, f"is {short(values)}, not a list of integers between {low} and {high}")
        return list(values)

    def number(self, key: str, low: float, high: float, default: Any = _REQUIRED) -> float:
        """A finite number; an integer will do."""
        kind = float if type(self._data.get(key)) is not int else int
        value = float(self._take(key, kind, "a number", default))
        if not low <= value <= high:
            raise self.error(key, f"is {value:g}, not between {low:g} and {high:g}")
        return value

    def numbers(self, key: str, low: float, high: float, default: Any = _REQUIRED) -> list[float]:
        values: list[Any] = self._take(key, list, "a list of numbers", default)
        if any(type(value) not in (int, float) or not low <= value <= high for value in values):
            raise self.error(key, f"is {short(values)}, not a list of numbers between {low:g} and {high:g}")
        return [float(value) for value in values]

    def boolean(self, key: str, default: Any = _REQUIRED) -> bool:
        value: bool = self._take(key, bool, "true or false", default)
        return value

    def text(self, key: str, default: Any = _REQUIRED, most: int = 100) -> str:
        value: str = self._take(key, str, "a string", default)
        if len(value) > most or not all(" " <= char <= "~" for char in value):
            raise self.error(key, f"is not one line of at most {most} printable ASCII characters")
        return value

    def choice(self, key: str, choices: tuple[str, ...], default: Any = _REQUIRED) -> str:
        value: str = self._take(key, str, "a string", default)
        if value not in choices:
            raise self.error(key, f"is {short(value)}, not one of {', '.join(c for c in choices if c)}")
        return value

    def strings(self, key: str, choices: tuple[str, ...] | None) -> list[str]:
        values: list[Any] = self._take(key, list, "a list of strings", [])
        for value in values:
            if type(value) is not str:
                raise self.error(key, f"holds {short(value)}, not a string")
            if choices is not None and value not in choices:
                raise self.error(key, f"holds {short(value)}, not one of {', '.join(choices)}")
        return list(values)


def short(value: object) -> str:
    """`value` as a message can show it: one line, not too long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
