"""The clock of another program, told by a /proc made for the test and by real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcugen.device.own_time import OwnTime

PID = 77


class Told:
    """A process as the system tells of it; `wall` is the clock on the wall."""

    def __init__(self, proc: Path) -> None:
        self._folder, self.wall = proc / str(PID), 0.0
        self.set(0, "S")

    def set(self, ticks: int, *states: str) -> None:
        """Ticks computed so far, and the state of each thread."""
        for number, state in enumerate(states):
            thread = self._folder / "task" / str(PID + number)
            thread.mkdir(parents=True, exist_ok=True)
            text = (
                f"{PID} (a (strange) name) {state} " + " ".join(["1"] * 10) + f" {ticks - ticks // 2} {ticks // 2} 9 9"
            )
            (thread / "stat").write_text(text)
            if number == 0:
                (self._folder / "stat").write_text(text)

    def end(self) -> None:
        (self._folder / "stat").unlink()


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


@pytest.fixture
def clock(told: Told, tmp_path: Path) -> OwnTime:
    return OwnTime(PID, proc=tmp_path, wall=lambda: told.wall, hertz=100)


def test_computing_is_what_it_computed(told: Told, clock: OwnTime) -> None:
    told.wall, _ = 60.0, told.set(150, "S", "R")
    assert clock() == pytest.approx(1.5)
    told.wall, _ = 61.0, told.set(250, "S", "R")
    assert clock() == pytest.approx(2.5)


@pytest.mark.parametrize("state", ["R", "D"])
def test_waiting_for_a_processor_is_no_time_at_all(told: Told, clock: OwnTime, state: str) -> None:
    told.wall, _ = 3600.0, told.set(0, "S", state)
    assert clock() == 0


def test_sleeping_passes_as_on_the_wall_but_in_short_looks(told: Told, clock: OwnTime) -> None:
    told.wall = 0.25
    assert clock() == pytest.approx(0.25)
    told.wall = 100.0  # we were held up ourselves
    assert clock() == pytest.approx(0.75)
    told.set(0, "Z")
    told.wall = 100.5
    assert clock() == pytest.approx(1.25)


def test_a_program_that_has_ended_goes_like_the_wall(told: Told, clock: OwnTime) -> None:
    told.end()
    told.wall = 8.0
    assert clock() == pytest.approx(8.0)
    told.wall = 9.0
    assert clock() == pytest.approx(9.0)


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux tells of other processes")


@pytest.fixture
def spinning() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        yield process
        process.kill()


@needs_proc
def test_a_real_program_that_computes(spinning: subprocess.Popen[bytes]) -> None:
    clock = OwnTime(spinning.pid)
    while clock() < 0.05:
        time.sleep(0.01)


@needs_proc
def test_a_stopped_program_sleeps(spinning: subprocess.Popen[bytes]) -> None:
    """Nothing will come of it: a deadline must come."""
    os.kill(spinning.pid, signal.SIGSTOP)
    clock = OwnTime(spinning.pid)
    while clock() < 0.1:
        time.sleep(0.01)


def test_it_does_not_look_before_the_system_counts_on(told: Told, clock: OwnTime) -> None:
    told.wall, _ = 1.0, told.set(100, "R")
    assert clock() == pytest.approx(1.0)
    told.wall, _ = 1.009, told.set(500, "R")
    assert clock() == pytest.approx(1.0)
    told.wall = 1.011
    assert clock() == pytest.approx(5.0)
