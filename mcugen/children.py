"""Programs that we start end when we do, however that happens: on Ctrl-C, on SIGTERM, and when we are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

_BECOME = """\
import ctypes, os, sys
parent = int(sys.argv[1])
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == parent:
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""Asks Linux to kill this process when its parent dies (PR_SET_PDEATHSIG), then becomes the program. The second look at
the parent closes the gap in which it may have died already."""

CANNOT_RUN = 126
"""Exit code of a tree whose program cannot be started; why is what it prints."""

_WATCH = """\
import ctypes, os, signal, subprocess, sys
def end(*_):
    os.killpg(os.getpgrp(), signal.SIGKILL)
signal.signal(signal.SIGTERM, end)
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
try:
    code = subprocess.Popen(sys.argv[2:]).wait()
except OSError as error:
    print(error.strerror)
    sys.exit(126)
sys.exit(code if code >= 0 else 128 - code)
"""
"""Stays between us and a program that starts others, all in one group, and ends the group when we die."""


_PYTHON = sys.executable


def dying_with_us(command: Sequence[str]) -> list[str]:
    """The command of a single program that Linux ends with the thread that starts it; on other systems as it is."""
    return _through(_BECOME, command)


def _through(script: str, command: Sequence[str]) -> list[str]:
    if sys.platform != "linux":
        return list(command)
    return [_PYTHON, "-I", "-S", "-c", script, str(os.getpid()), *command]


@contextmanager
def running_tree(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A program and all that it starts, within; whatever of it still runs at the end is killed.

    Args:
        options: of subprocess.Popen.

    Raises:
        OSError: it cannot be started, on systems other than Linux, where nothing stands between.
    """
    process = subprocess.Popen(_through(_WATCH, command), start_new_session=True, **options)
    try:
        yield process
    finally:
        end_tree(process)
        process.wait()


def end_tree(process: subprocess.Popen[Any]) -> None:
    """Kill a program that `running_tree` runs, with all that it started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):  # it ended just now
            os.killpg(process.pid, signal.SIGKILL)
