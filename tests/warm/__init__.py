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


@contextmanager
def warm_platformio(folder: Path) -> Iterator[WarmPlatformIO]:
    """The server, within. Its socket lies in `folder`."""
    address = folder / "socket"
    command = [sys.executable, "-m", "tests.warm.server", str(address)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=_ROOT) as server:
        while not address.exists():  # it imports for a moment
            if server.poll() is not None:
                raise RuntimeError(f"tests.warm.server ended with {server.returncode}")
            time.sleep(0.02)
        yield WarmPlatformIO(str(address))


class WarmPlatformIO:
    """Stands in for `running_tree` in the builder, in any process of this computer."""

    def __init__(self, address: str) -> None:
        self.address = address

    @contextmanager
    def running_tree(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdout: BinaryIO, **_: Any
    ) -> Iterator[_Build]:
        """A PlatformIO, within."""
        assert list(command[1:3]) == ["-m", "platformio"]
        log = f"/proc/{os.getpid()}/fd/{stdout.fileno()}"
        request = {"arguments": command[3:], "cwd": str(cwd), "environment": dict(env), "log": log}
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.address)
        build = _Build(connection, request)
        try:
            yield build
        finally:
            build.end()
