"""A limit for the time of an inference."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mcugen.boards.types import Board
from mcugen.cost.estimate import Estimate, time_is_known, why_no_time
from mcugen.cost.types import Bounds
from mcugen.errors import BoardError


@dataclass(frozen=True)
class TimeLimit:
    """Whether an inference keeps to a limit.

    Attributes:
        max_ms: the limit.
        time_ms: what an inference takes; None where that is not known.
        why: then, why not.
    """

    max_ms: float
    time_ms: Bounds | None
    why: str = ""

    @property
    def passed(self) -> bool:
        """The nominal time is known, and not above the limit."""
        return self.time_ms is not None and self.time_ms.nominal <= self.max_ms

    @property
    def text(self) -> str:
        """What came of it, in a line."""
        if self.time_ms is None:
            return f"the time is not known, {self.max_ms:g} ms are allowed: {self.why}"
        said = f"an inference takes about {self.time_ms.nominal:.4g} ms, {self.max_ms:g} ms are allowed"
        if self.passed and self.time_ms.high > self.max_ms:
            said += f"; it may take up to {self.time_ms.high:.4g} ms"
        return said

    def to_dict(self) -> dict[str, Any]:
        return {
            "max_ms": self.max_ms,
            "passed": self.passed,
            "text": self.text,
        }


def check_limit(max_ms: float | None, board: Board, *, measures: bool) -> None:
    """Refuse a limit that nothing could be compared with, before the work.

    Args:
        measures: the firmware runs on the board itself, which tells its time.

    Raises:
        BoardError: the limit is no time, or that of the board cannot be told.
    """
    if max_ms is None:
        return
    if not (max_ms > 0 and math.isfinite(max_ms)):
        raise BoardError(f"{max_ms:g} ms is no time", where="`max_ms`", hint="Give milliseconds above 0")
    if not measures and not time_is_known(board):
        raise BoardError(
            f"the time of an inference cannot be told: {why_no_time(board)}",
            where=f"board {board.name}",
            hint="Omit `max_ms`, or measure on the board itself with `port`",
        )


def limited(max_ms: float | None, estimate: Estimate | None) -> TimeLimit | None:
    """What comes of a limit; None where there is none."""
    if max_ms is None:
        return None
    if estimate is None:
        return TimeLimit(max_ms, None, "no trace was taken")
    return TimeLimit(max_ms, estimate.time_ms, estimate.why)
