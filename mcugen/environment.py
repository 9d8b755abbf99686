"""Settings from environment variables."""

from __future__ import annotations

import os
import threading

from mcugen.errors import ToolError


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
