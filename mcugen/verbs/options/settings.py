"""`mcugen.toml` in the current folder: the model, its data and its board, so that commands need not repeat them.

Its keys are parameters of :mod:`mcugen.api`. What is typed wins. A command that names another model or folder than the
file's does not read it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcugen.errors import ProjectError
from mcugen.toml_table import read_toml
from mcugen.verbs.options.derive import PARAMETERS

FILE = "mcugen.toml"

KEYS: Mapping[str, tuple[type, ...]] = {
    "model": (str,), "data": (str,), "scaler": (str,), "board": (str,), "out": (str,), "eval_data": (str,),
    "labels": (str,), "inputs": (str,), "optimize": (str,), "rows": (str,), "activations": (str,), "runtime": (str,),
    "metric": (str,), "task": (str,), "max_drop": (int, float), "max_ms": (int, float), "samples": (int,),
    "eval_samples": (int,), "samples_on_device": (int,), "quantize": (bool,), "flash": (bool,), "auto": (bool,),
    "custom_ops": (list,), "input_shape": (list,), "reserve": (list,),
    "signature": (str,),
}  # fmt: skip
"""What the file may say. On purpose neither `trust_model` nor `custom_objects`: a file that came with a model must
neither vouch for it nor run code."""

_TYPES = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list of texts",
}

_OTHERWISE = {
    "quantize": {"out", "board"},
    "run": {"out"},
    "fit": {"board", "samples"},
    "build": {"out"},
    "flash": {"out", "flash"},
}
"""Options of verbs that mean something else than the file's keys."""

READERS = ("deploy", "verify", "run", "quantize", "inspect", "generate", "build", "flash", "fit", "ci")
"""The verbs that read it."""


@dataclass(frozen=True)
class Settings:
    """What the file says, by key."""

    values: Mapping[str, Any]

    def for_verb(self, verb: str, options: Mapping[str, str]) -> dict[str, Any]:
        """Values for a verb's command by the names of its parameters.

        Args:
            options: the command's parameters: name → "argument" or "option".
        """
        values = {key: value for key, value in self.values.items() if key not in _OTHERWISE.get(verb, ())}
        out = str(self.values.get("out", ""))
        has_project = out != "" and (Path(out) / "mcugen.json").is_file()
        found: dict[str, Any] = {}
        if "folder" in options and options["folder"] == "argument":
            return {"folder": out} if out else {}
        if "target" in options:
            if has_project:
                kept = {key: values[key] for key in ("samples", "inputs") if key in values}
                return {"target": out, **{key: value for key, value in kept.items() if key in options}}
            if "model" in values:
                found["target"] = values["model"]
        for key, value in values.items():
            spelling = PARAMETERS.get(key)
            name = (spelling.name if spelling is not None else "") or key
            if name in options:
                found[name] = not value if name.startswith("no_") else value
        return found

    def names(self, typed: str) -> bool:
        """Whether something that was typed is the file's own model or project."""
        own = [str(self.values[key]) for key in ("model", "out") if key in self.values]
        return any(Path(typed).resolve() == Path(name).resolve() for name in own)


def read_settings(path: Path) -> Settings | None:
    """The settings in a file; None if there is no such file.

    Raises:
        ProjectError: it cannot be read, or says what it must not, with the line.
    """
    try:
        text, values = read_toml(path, "mcugen's settings", ProjectError)
    except ProjectError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
    for key, value in values.items():
        where = f"{path}, line {_line(text, key)}"
        if key not in KEYS:
            raise ProjectError(f"unknown key {key[:40]!r}", where=where, hint=f"Keys: {', '.join(KEYS)}")
        allowed = KEYS[key]
        fits = type(value) in allowed and (allowed != (list,) or all(isinstance(item, str) for item in value))
        if not fits:
            raise ProjectError(f"{key} is not {_TYPES[allowed[-1]]}", where=where)
    return Settings(values)


def _line(text: str, key: str) -> int:
    """The line of a key, or of the table that it is; 1 where it is written in a way that is not found."""
    pattern = re.compile(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[.=\]]")
    return next((n for n, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)
