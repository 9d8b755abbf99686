"""How stages report progress."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with a step's name and how much of it is done, 0 to 1; below 0 where nobody knows."""

Share = Callable[[float], None]
"""Called with how much of one step is done, 0 to 1, by what does not know its step's name."""


def no_progress(_step: str, _done: float) -> None:
    """For callers that do not want to hear about progress."""


def share_of(progress: Progress | None, step: str) -> Share | None:
    """What reports the share of one step; None where nobody wants to hear."""
    if progress is None:
        return None
    report = progress
    return lambda done: report(step, done)


def part_of(share: Share | None, number: int, count: int) -> Share | None:
    """What reports the share of part `number` of `count` equal ones as a share of them all."""
    if share is None:
        return None
    report = share
    return lambda done: report((number + done) / count)
