"""One thread watches over as many questions as come."""

from __future__ import annotations

import threading

from mcugen.oracle.overdue import Deadline

LONG = 60.0


def test_what_takes_too_long_is_told_once() -> None:
    told = threading.Semaphore(0)
    deadline = Deadline(told.release)
    for _ in range(3):
        with deadline.watching(LONG):
            pass
    with deadline.watching(0.01):  # the thread waits for an end that is further away
        assert told.acquire(timeout=LONG)
        assert not told.acquire(timeout=0.05)
    with deadline.watching(0.01):  # and now for none
        assert told.acquire(timeout=LONG)
    deadline.close()


def test_what_ends_in_time_is_not_told() -> None:
    told = threading.Semaphore(0)
    deadline = Deadline(told.release)
    with deadline.watching(0.05):
        pass
    assert not told.acquire(timeout=0.2)
    threads = threading.active_count()
    for _ in range(50):
        with deadline.watching(LONG):
            pass
    assert threading.active_count() == threads
    deadline.close()
    assert deadline._thread is not None
    deadline._thread.join(LONG)
    assert not deadline._thread.is_alive()
