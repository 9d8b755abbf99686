"""A recording, played back as it happened, or faster."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path

from mcugen.monitor.record import read_recording
from mcugen.monitor.types import Message, Opened

_TICK_S = 0.1
LONGEST_PAUSE_S = 10.0
"""What lies further apart was a break, which nobody wants to sit through."""


def play(path: Path, speed: float, hold: bool = False) -> Generator[Message | None, None, None]:
    """A recording's messages at `speed` times the pace at which they came; None where nothing comes for a moment.

    Args:
        speed: 0 for no waiting at all.
        hold: go on with None after the end.

    Raises:
        DataError, ToolError: see `read_recording`.
    """
    before: float | None = None
    for message in read_recording(path):
        if not isinstance(message, Opened):
            if before is not None and speed > 0:
                until = time.monotonic() + min(LONGEST_PAUSE_S, max(0.0, message.time - before) / speed)
                while (rest := until - time.monotonic()) > 0:
                    time.sleep(min(rest, _TICK_S))
                    if rest > _TICK_S:
                        yield None
            before = message.time
        yield message
    while hold:
        time.sleep(_TICK_S)
        yield None
