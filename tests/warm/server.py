"""Runs PlatformIO in copies of a process that has imported it, and SCons in copies of these.

    python -m tests.warm.server SOCKET

Each connection sends one line of JSON, `{"arguments": …, "cwd": …, "environment": …, "log": …}`, and reads two: the
number of the process group, then the exit code. The server ends with whoever holds its standard input.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import platformio.__main__
import platformio.platform.factory
import platformio.run.cli
import SCons.Script
import SCons.Script.Main
from platformio import proc

_exec_command = proc.exec_command


def main(address: str) -> None:
    """Serve until standard input ends."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{address}.new")
    listener.listen()
    Path(f"{address}.new").rename(address)  # whoever sees it can connect
    threading.Thread(target=_end_with_our_parent, daemon=True).start()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the copies
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _in_a_copy(lambda found=connection: _build(found))  # type: ignore[misc]
        connection.close()


def _end_with_our_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def _in_a_copy(run: Callable[[], int]) -> None:
    """Run something, and end this process with what it gives: no handler of the original runs."""
    code = 1
    try:
        code = run()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(bool(error.code))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _build(connection: socket.socket) -> int:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    with connection, connection.makefile("rw") as stream:
        request = json.loads(stream.readline())
        print(os.getpid(), file=stream, flush=True)
        threading.Thread(target=_end_with, args=(stream,), daemon=True).start()
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environment"])
        with Path(request["log"]).open("wb") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        proc.exec_command = _run_scons
        code = platformio.__main__.main(["platformio", *request["arguments"]])
        sys.stdout.flush()
        print(code, file=stream, flush=True)
    return code


def _end_with(stream: IO[str]) -> None:
    """Whoever asked was killed: so is the build, with all that it started."""
    stream.readline()
    os.killpg(0, signal.SIGKILL)


def _run_scons(command: list[str], **options: Any) -> dict[str, Any]:
    """PlatformIO's own function for programs, but for SCons."""
    if not command[1].endswith("scons.py"):
        return _exec_command(command, **options)  # type: ignore[no-any-return]
    out, error = options["stdout"], options["stderr"]
    child = os.fork()
    if child == 0:
        os.dup2(out.fileno(), 1)
        os.dup2(error.fileno(), 2)
        sys.argv = command[1:]
        _in_a_copy(SCons.Script.main)
    _, status = os.waitpid(child, 0)
    out.close()
    error.close()
    return {"out": "", "err": "", "returncode": os.waitstatus_to_exitcode(status)}


if __name__ == "__main__":
    main(sys.argv[1])
