"""A program of ours that runs beside us: ended in every case, its death reported with what it said."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from mcugen.children import dying_with_us, end_tree, group_of_its_own
from mcugen.errors import DeviceError


class Child:
    """A running program. It also ends when we do, see :func:`mcugen.children.dying_with_us`.

    Args:
        command: the program's path and its arguments.
        name: the program in messages.
        pass_fds: file descriptors that it inherits.
        cwd: its working folder; None for ours.
        on_end: called once it has ended and is ended for good.
    """

    def __init__(
        self,
        command: Sequence[str],
        name: str,
        *,
        pass_fds: Sequence[int] = (),
        cwd: Path | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self._name = name
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by stop)
        try:
            self._process = subprocess.Popen(
                dying_with_us(command, in_group=True),
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                pass_fds=pass_fds,
                cwd=cwd,
                **group_of_its_own(),
            )
        except BaseException:
            self._output.close()
            raise
        self._finalizer = weakref.finalize(self, _end, self._process, self._output, on_end)

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self, seconds: float) -> None:
        """Raises DeviceError when the program has ended, or ends within `seconds`."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        reason = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        said = self.said()
        raise DeviceError(f"the emulator ended {reason}{': ' if said else ''}{said}", where=self._name)

    def said(self) -> str:
        """The end of what the program printed."""
        if self._output.closed:
            return ""
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - 4000))
        return self._output.read(4000).decode("utf-8", "replace").strip()

    def stop(self) -> None:
        """End the program, and what it started, and wait until it has ended. May be called any number of times."""
        self._finalizer()


def _end(process: subprocess.Popen[bytes], output: IO[bytes], on_end: Callable[[], None] | None) -> None:
    try:
        if process.poll() is None:
            end_tree(process)
            process.wait(10)
    finally:
        output.close()
        if on_end is not None:
            on_end()
