"""Most builds of the tests do not start PlatformIO and SCons from nothing: that would be a sixth of all their time.

The same programs run, with the same arguments, in copies of a process that has imported them. Tests of the builder
itself, and all that start mcugen as a program, do without.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

_ROOT = Path(__file__).resolve().parents[2]


class _Build:
    """As much of a subprocess.Popen as the builder needs."""

    def __init__(self, connection: socket.socket, request: Mapping[str, Any]) -> None:
        self._connection, self._stream = connection, connection.makefile("rw")
        print(json.dumps(request), file=self._stream, flush=True)
        self.pid = int(self._stream.readline())
        self._code: int | None = None

    def wait(self, timeout: float) -> int:
        self._connection.settimeout(timeout)
        try:
            self._code = int(self._stream.readline() or 1)
        except TimeoutError:
            raise subprocess.TimeoutExpired("platformio", timeout) from None
        return self._code

    def end(self) -> None:
        if self._code is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._stream.close()
        self._connection.close()


class WarmPlatformIO:
    """Stands in for `running_tree` in the builder. Its server starts with the first build."""

    def __init__(self, folder: Path) -> None:
        self._address = str(folder / "socket")
        self._server: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """End the server, which sees that its standard input ends."""
        if self._server is not None:
            self._server.communicate()

    @contextmanager
    def running_tree(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdout: BinaryIO, **_: Any
    ) -> Iterator[_Build]:
        """A PlatformIO, within."""
        assert list(command[1:3]) == ["-m", "platformio"]
        log = f"/proc/{os.getpid()}/fd/{stdout.fileno()}"
        request = {"arguments": command[3:], "cwd": str(cwd), "environment": dict(env), "log": log}
        build = _Build(self._connect(), request)
        try:
            yield build
        finally:
            build.end()

    def _connect(self) -> socket.socket:
        """Wait for the server, which imports for a moment."""
        if self._server is None:
            command = [sys.executable, "-m", "tests.warm.server", self._address]
            self._server = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=_ROOT)
        connection = socket.socket(socket.AF_UNIX)
        while True:
            try:
                connection.connect(self._address)
            except (FileNotFoundError, ConnectionRefusedError):
                if self._server.poll() is not None:
                    raise RuntimeError(f"tests.warm.server ended with {self._server.returncode}") from None
                time.sleep(0.02)
            else:
                return connection
