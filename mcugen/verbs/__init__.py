"""One module per verb: a public function of the verb's name, and `command`, its thin command line.

Adding a verb is adding a module here. Modules whose names start with "_" are what verbs share. Verb modules import
nothing heavy at their top, so that `mcugen --help` answers at once.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

ORDER = (
    "new",
    "deploy",
    "verify",
    "run",
    "quantize",
    "inspect",
    "generate",
    "export",
    "build",
    "flash",
    "boards",
    "doctor",
)
"""How `--help` lists the verbs; others follow in alphabetical order."""


def verb_names() -> tuple[str, ...]:
    """All verbs, in the order of `--help`."""
    found = {module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg}
    return (*(name for name in ORDER if name in found), *sorted(found - set(ORDER)))


def verb_function(name: str) -> Callable[..., Any]:
    """The public function of the verb `name`."""
    function: Callable[..., Any] = getattr(importlib.import_module(f"{__name__}.{name}"), name)
    return function


def verb_command(name: str) -> Callable[..., int]:
    """The command of the verb `name`: parses, calls the public function, prints, returns the exit code."""
    command: Callable[..., int] = importlib.import_module(f"{__name__}.{name}").command
    return command
