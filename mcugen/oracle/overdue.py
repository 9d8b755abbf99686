"""What is done when an answer takes too long, by one thread for as many questions as come."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator


class Deadline:
    """Calls a function when a stretch of work takes too long. A thread for each would cost more than most answers.

    Args:
        overdue: called by the thread, at most once per stretch.
    """

    def __init__(self, overdue: Callable[[], None]) -> None:
        self._overdue = overdue
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._until = self._wakes = math.inf
        self._is_closed = False

    @contextlib.contextmanager
    def watching(self, seconds: float) -> Iterator[None]:
        """A stretch of work, and how long it may take."""
        with self._changed:
            self._until = time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, daemon=True)
                self._thread.start()
            elif self._until < self._wakes:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._until = math.inf

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _watch(self) -> None:
        while True:
            with self._changed:
                if self._is_closed:
                    return
                left = self._until - time.monotonic()
                if left > 0:
                    # Who is awake in time for an earlier end need not be woken for a later one.
                    self._wakes = self._until
                    self._changed.wait(None if math.isinf(left) else left)
                    continue
                self._until = math.inf
            self._overdue()
