"""How stages report progress."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with a step's name and how much of it is done, 0 to 1; below 0 where nobody knows."""


def no_progress(_step: str, _done: float) -> None:
    """For callers that do not want to hear about progress."""
