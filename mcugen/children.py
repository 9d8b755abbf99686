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


_POLL = """\
import os, signal, subprocess, sys, time
parent = int(sys.argv[1])
def end(*_):
    os.killpg(os.getpgrp(), signal.SIGKILL)
signal.signal(signal.SIGTERM, end)
try:
    process = subprocess.Popen(sys.argv[2:], close_fds=False)
except OSError as error:
    print(error.strerror)
    sys.exit(126)
while process.poll() is None:
    if os.getppid() != parent:
        end()
    time.sleep(0.2)
code = process.returncode
sys.exit(code if code >= 0 else 128 - code)
"""
"""The same where the system does not report a parent's death (macOS): looks for it five times a second."""


_PYTHON = sys.executable


def dying_with_us(command: Sequence[str], *, in_group: bool = False) -> list[str]:
    """The command of a single program that ends when we do, on Linux with the thread that starts it.

    Args:
        in_group: it is started with a group of its own, see `group_of_its_own`. Then macOS ends it, too, a moment after
            this process has ended. Else, and on Windows, it is as it is.
    """
    return _through(_BECOME, command, in_group)


def _through(script: str, command: Sequence[str], in_group: bool) -> list[str]:
    if os.name == "nt" or (sys.platform != "linux" and not in_group):
        return list(command)
    script = script if sys.platform == "linux" else _POLL
    return [_PYTHON, "-I", "-S", "-c", script, str(os.getpid()), *command]


def group_of_its_own() -> dict[str, Any]:
    """Options of subprocess.Popen: the program's group is its own, so that Ctrl-C reaches us alone, and we end it."""
    if os.name == "nt":
        return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x200)}
    return {"start_new_session": True}


@contextmanager
def running_tree(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A program and all that it starts, within; whatever of it still runs at the end is killed.

    Args:
        options: of subprocess.Popen.

    Raises:
        OSError: it cannot be started, on Windows, where nothing stands between.
    """
    process = subprocess.Popen(_through(_WATCH, command, True), **group_of_its_own(), **options)
    try:
        yield process
    finally:
        end_tree(process)
        process.wait()


def end_tree(process: subprocess.Popen[Any]) -> None:
    """Kill a program with a group of its own, and all that it started."""
    if process.poll() is not None:
        return
    if os.name == "nt":
        command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        with suppress(OSError):
            subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        process.kill()
        return
    with suppress(ProcessLookupError):  # it ended just now
        os.killpg(process.pid, signal.SIGKILL)
