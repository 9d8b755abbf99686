"""Time as it passes for another program: what it computed and what it slept, not what it waited for a busy computer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

LONGEST_SLEEP_S = 0.5
"""Of one look to the next, the most that counts as slept: we may have been held up ourselves."""

SHORTEST_LOOK_S = 0.01
"""Between two looks: the system counts in such steps, and to read its reports takes longer than a short request."""

_RUNS_OR_WANTS_TO = ("R", "D")
_STATE, _USER, _SYSTEM = 0, 11, 12  # fields of /proc/PID/stat behind the program's name (man 5 proc)


class OwnTime:
    """Seconds that passed for a program: a clock that deadlines can be set by.

    A program that is ready to run and does not get to run stands still by this clock. Where the system does not tell
    (other than Linux), or the program has ended, it goes like the clock on the wall.

    Args:
        proc: where the system reports on the program.
        wall: the clock on the wall, in seconds.
    """

    def __init__(
        self, pid: int, *, proc: Path = Path("/proc"), wall: Callable[[], float] = time.monotonic, hertz: int = 0
    ) -> None:
        self._folder, self._wall = proc / str(pid), wall
        self._hertz = hertz or (os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100)
        self._passed, self._computed, self._looked = 0.0, self._look()[0], wall()

    def __call__(self) -> float:
        """Seconds since it was made."""
        now = self._wall()
        if now - self._looked < SHORTEST_LOOK_S:
            return self._passed
        computed, asleep = self._look()
        gone, did = now - self._looked, computed - self._computed
        if computed < 0 or self._computed < 0:
            self._passed += gone
        elif did > 0:
            self._passed += did
        elif asleep:
            self._passed += min(gone, LONGEST_SLEEP_S)
        self._computed, self._looked = computed, now
        return self._passed

    def _look(self) -> tuple[float, bool]:
        """Seconds computed so far (−1 if unknown), and whether all of its threads are asleep."""
        try:
            fields = _fields(self._folder / "stat")
            threads = [_fields(thread / "stat")[_STATE] for thread in (self._folder / "task").iterdir()]
        except (OSError, IndexError, ValueError):
            return -1.0, False
        computed = (int(fields[_USER]) + int(fields[_SYSTEM])) / self._hertz
        return computed, not any(state in _RUNS_OR_WANTS_TO for state in threads)


def _fields(stat: Path) -> list[str]:
    """What stands behind the program's name, which may hold anything."""
    return stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
