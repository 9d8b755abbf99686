"""What this process was started with: its command line, and settings from environment variables."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path

from mcugen.errors import ToolError

_TYPED: ContextVar[str] = ContextVar("typed", default="")


UNWRITABLE_CACHE = "mcugen keeps its cache there: set MCUGEN_CACHE_DIR to a folder that you can write to"


def cache_dir() -> Path:
    """Where mcugen keeps what it can make again: `$MCUGEN_CACHE_DIR`, else the user's cache folder."""
    override = os.environ.get("MCUGEN_CACHE_DIR")
    if override:
        return Path(override).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mcugen"


@contextlib.contextmanager
def typed(arguments: Sequence[str]) -> Iterator[None]:
    """While it lasts, this command line is being run; without the program's name."""
    token = _TYPED.set(shlex.join(["mcugen", *arguments]))
    try:
        yield
    finally:
        _TYPED.reset(token)


def typed_command() -> str:
    """The command as it was typed, ready to be typed again; "" where a program called a function."""
    return _TYPED.get()


def seconds_from(variable: str, default: float) -> float:
    """A number of seconds that a variable gives, or the default.

    Raises:
        ToolError: the variable holds no such number.
    """
    text = os.environ.get(variable, "")
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= threading.TIMEOUT_MAX:
        raise ToolError(f"{text[:40]!r} is not a number of seconds", where=variable, hint="Pass one above 0")
    return seconds


def find_host_compiler() -> str | None:
    """Path of this computer's C compiler: `$CC`, cc, gcc or clang; None if there is none."""
    names = (os.environ.get("CC", ""), "cc", "gcc", "clang")
    return next((found for name in names if name and (found := shutil.which(name))), None)
