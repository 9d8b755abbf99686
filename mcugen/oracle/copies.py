"""Processes for oracles: copies of one that has imported NumPy and TFLM, which takes longer than most models do.

The original only waits and copies itself. What a model does to its own process touches no other.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from typing import IO

from mcugen.children import dying_with_us
from mcugen.errors import ToolError
from mcugen.oracle.engines import chosen
from mcugen.oracle.processes import Process, StartedProcess

_lock = threading.Lock()
_original: _Original | None = None


class Copy(Process):
    """A process that answers for one model. It ends with the process that asked for it.

    Args:
        stderr: a file, for what it prints.

    Raises:
        ToolError: TFLM cannot be loaded.
    """

    def __init__(self, stderr: IO[bytes]) -> None:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        self.requests, self.answers = os.fdopen(ours_out, "wb"), os.fdopen(ours_in, "rb")
        try:
            self._original, self.pid = _copied([theirs_in, theirs_out, stderr.fileno()])
        except BaseException:
            self.requests.close()
            self.answers.close()
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)

    def kill(self) -> None:
        self._original.end(self.pid)


class Fresh(StartedProcess):
    """The same where processes cannot be copied.

    Args:
        stderr: a file, for what it prints.
    """

    def __init__(self, stderr: IO[bytes]) -> None:
        super().__init__("mcugen.oracle.oracle_worker", stderr)


def can_copy() -> bool:
    """Whether a process can copy itself, and be handed what it shall use."""
    return sys.platform == "linux" and hasattr(os, "fork") and hasattr(socket, "send_fds")


def start_early() -> None:
    """Start the process that is copied, which imports its packages while others of us work; once in a process.

    Does nothing where TFLM's interpreter is not the chosen reference.
    """
    global _original
    if "tflite-micro" not in chosen() or not can_copy():
        return
    with _lock:
        if _original is None or not _original.is_ours():
            with suppress(OSError):  # who needs it will say so
                _original = _Original()


def _copied(descriptors: list[int]) -> tuple[_Original, int]:
    global _original
    with _lock:
        if _original is None or not _original.is_ours():
            _original = _Original()
        try:
            return _original, _original.copy(descriptors)
        except EOFError:  # somebody killed it
            _original.close()
            _original = _Original()
        try:
            return _original, _original.copy(descriptors)
        except EOFError:
            words = _original.last_words()
            _original.close()
            _original = None
            raise ToolError(
                f"the oracle, the Python package tflite-micro, cannot be loaded{words}",
                hint="Install it again: pip install --force-reinstall tflite-micro",
            ) from None


class _Original:
    """The process that is copied."""

    def __init__(self) -> None:
        self._owner, self._lock = os.getpid(), threading.Lock()
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "mcugen.oracle.oracle_worker", str(theirs.fileno())]
        if threading.current_thread() is threading.main_thread():  # it may outlive any other
            command = dying_with_us(command)
        with theirs:
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
            )
        atexit.register(self.close)

    def is_ours(self) -> bool:
        """Whether this process started it, rather than one that this is a fork of."""
        return self._owner == os.getpid()

    def copy(self, descriptors: list[int]) -> int:
        """Number of a new copy, with these for its requests, its answers, and what it prints.

        Raises:
            EOFError: the original is gone.
        """
        return int(self._ask(b"copy", descriptors))

    def end(self, pid: int) -> None:
        """Kill a copy, unless it has ended."""
        if self.is_ours():
            with suppress(EOFError):  # then its copies are gone as well
                self._ask(b"end %d" % pid)

    def _ask(self, request: bytes, descriptors: list[int] | None = None) -> bytes:
        with self._lock:
            try:
                socket.send_fds(self._channel, [request], descriptors or [])
                answer = self._channel.recv(100)
            except OSError:
                answer = b""
        if not answer:
            raise EOFError
        return answer

    def last_words(self) -> str:
        """What it printed last, as part of a sentence."""
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""

    def close(self) -> None:
        """End it and its copies."""
        atexit.unregister(self.close)
        self._channel.close()
        if self.is_ours():
            self._process.kill()
            self._process.wait()
        self._stderr.close()
