"""`mcugen` in processes that are forked from one that has loaded it, and so cost nothing to start.

What a command says and does needs a process of its own, with its folder, environment and streams, but not that each
loads the same modules again. What belongs to the start itself is tested with processes that really start: signals,
closed streams, what a verb imports (test_start.py, test_outputs.py, test_device.py).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from mcugen.builder import platformio
from tests.warm import WarmPlatformIO

_LARGEST = 1 << 20
"""Bytes of a command line with its environment."""

_READ_AT_THE_START = ("PYTHON", "LC_", "LANG")
"""Of variables that an interpreter looks at when it starts."""

_UNLOADED = ("mcugen.qat", "mcugen.pytest_plugin", "mcugen.testing", "mcugen.__main__")
"""What no command loads before it needs it: TensorFlow and pytest."""

_LATE = ("numpy.random", "platformio.dependencies", "rich.traceback", "semantic_version", "tflite_micro", "yaml")
"""What commands load when they need it, and which is not worth a process of its own either."""


class Loaded:
    """The process that has loaded everything. Use as a context manager.

    Args:
        environment: variables that it starts with.
        warm: what its commands build with.
    """

    def __init__(self, environment: Mapping[str, str], warm: WarmPlatformIO) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel = ours
        self._start = _of_the_start(environment)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.cli.loaded", str(theirs.fileno()), warm.address],
                cwd=Path(__file__).resolve().parents[2],
                env=environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def __enter__(self) -> Loaded:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()
        self._process.wait(60)

    def can_run(self, environment: Mapping[str, str]) -> bool:
        """Whether a command with these variables would start as this process did."""
        return self._start == _of_the_start(environment)

    def run(
        self, arguments: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout: float
    ) -> tuple[int, str, str]:
        """Run a command without a terminal: its exit code, and what it wrote to stdout and stderr.

        Raises:
            TimeoutError: it takes longer than `timeout` seconds.
        """
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            request = json.dumps([list(arguments), str(cwd), dict(environment)])
            socket.send_fds(self._channel, [request.encode()], [out.fileno(), err.fileno()])
            self._channel.settimeout(timeout)
            code = int(self._channel.recv(100))
            said = []
            for stream in (out, err):
                stream.seek(0)
                said.append(stream.read().decode())
        return code, said[0], said[1]


def _of_the_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_AT_THE_START)}


def _load() -> None:
    import mcugen

    for module in pkgutil.walk_packages(mcugen.__path__, "mcugen."):
        if not module.name.startswith(_UNLOADED):
            importlib.import_module(module.name)
    for name in _LATE:
        importlib.import_module(name)
    with contextlib.redirect_stdout(io.StringIO()):
        importlib.import_module("mcugen.cli").run(["boards", "--help"])  # what help and options are shown with
    assert "tensorflow" not in sys.modules
    gc.collect()
    gc.freeze()  # forked processes do not touch, and so do not copy, what is never freed


def _fork_commands(channel: socket.socket) -> list[str]:
    """Fork a process for every command that comes; returns its arguments, within that process alone."""
    while True:
        request, streams, _flags, _address = socket.recv_fds(channel, _LARGEST, 2)
        if not request:
            sys.exit()
        pid = os.fork()
        if pid == 0:
            channel.close()
            return _become(json.loads(request), streams)
        for stream in streams:
            os.close(stream)
        _, status = os.waitpid(pid, 0)
        channel.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(request: list[Any], streams: Sequence[int]) -> list[str]:
    arguments, folder, environment = request
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    return list(arguments)


if __name__ == "__main__":
    _load()
    platformio.running_tree = WarmPlatformIO(sys.argv[2]).running_tree
    sys.argv[1:] = _fork_commands(socket.socket(fileno=int(sys.argv[1])))
    sys.path[0] = str(Path.cwd())  # as it is for `python -m mcugen`
    runpy.run_module("mcugen", run_name="__main__", alter_sys=True)
