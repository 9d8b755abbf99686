"""A few kills of every kind; `make fuzz` does hundreds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fuzz import kills

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which processes are left"),
]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_killed_leaves_nothing_half_done(seed: int, tmp_path: Path) -> None:
    found = kills.attack(tmp_path, seed, 6, longest=4.0)
    assert found.faults == []
    assert found.count == 6
    assert found.killed > 0


def test_a_process_that_is_left_is_found(tmp_path: Path) -> None:
    """The check itself: a sleeper with the mark is seen."""
    import os
    import subprocess
    import time

    with subprocess.Popen(["sleep", "60"], env={**os.environ, kills.MARK: "abc"}) as process:
        try:
            end = time.monotonic() + 30
            # A program that has just started has no environment yet that others could read.
            while not (found := kills._left("abc", 0.0)) and time.monotonic() < end:
                time.sleep(0.01)
            assert found == ["sleep 60 "]
        finally:
            process.kill()
    assert kills._left("abc", 5.0) == []
