"""A process that has imported much, and copies of it that do the work: what servers and their clients share.

A request is one message of JSON with open files; the answers are the number of the copy, which leads a process group,
and its exit code.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_LARGEST = 1 << 20


class Copy:
    """A copy at work, with as much of a subprocess.Popen as its users need."""

    def __init__(self, address: str, request: Mapping[str, Any], files: Sequence[int]) -> None:
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._connection.connect(address)
        socket.send_fds(self._connection, [json.dumps(request).encode()], files)
        self.pid = int(self._connection.recv(100))
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self.returncode = int(self._connection.recv(100) or -signal.SIGKILL)
            except TimeoutError:
                raise subprocess.TimeoutExpired("a copy", timeout or 0.0) from None
            self._connection.close()
        return self.returncode

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(1e-6)
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


@contextmanager
def serving(module: str, address: Path, environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """A server, within: its address, once it has imported what it imports."""
    command = [sys.executable, "-m", module, str(address)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=_ROOT, env=environment) as server:
        while not address.exists():
            if server.poll() is not None:
                raise RuntimeError(f"{module} ended with {server.returncode}")
            time.sleep(0.02)
        yield str(address)


def serve(address: str, work: Callable[[Mapping[str, Any], Sequence[int]], int], *, dies_with_client: bool) -> None:
    """Make a copy for each connection, until standard input ends.

    Args:
        work: what a copy does with a request and its files; gives the exit code.
        dies_with_client: a thread of the copy ends it, with all that it started, when the client goes.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"{address}.new")
    listener.listen()
    Path(f"{address}.new").rename(address)  # whoever sees it can connect
    threading.Thread(target=_end_with_our_parent, daemon=True).start()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the copies
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            in_a_copy(lambda found=connection: _work(found, work, dies_with_client))  # type: ignore[misc]
        connection.close()


def in_a_copy(run: Callable[[], Any], told: Callable[[int], None] = lambda code: None) -> None:
    """Run something, and end this process with what it gives: no handler of the original runs."""
    code = 1
    try:
        code = run() or 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(bool(error.code))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        with suppress(OSError):
            told(code)
        os._exit(code)


def _work(
    connection: socket.socket, work: Callable[[Mapping[str, Any], Sequence[int]], int], dies_with_client: bool
) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    text, files, _, _ = socket.recv_fds(connection, _LARGEST, 4)
    request = json.loads(text)
    connection.send(str(os.getpid()).encode())
    if dies_with_client:
        threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None
    in_a_copy(lambda: work(request, files), lambda code: connection.send(str(code).encode()) and None)


def _end_with(connection: socket.socket) -> None:
    if not connection.recv(1):
        os.killpg(0, signal.SIGKILL)


def _end_with_our_parent() -> None:
    sys.stdin.read()
    os._exit(0)
