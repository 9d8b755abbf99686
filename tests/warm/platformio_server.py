"""Runs PlatformIO in copies of a process that has imported it, and SCons in copies of these.

python -m tests.warm.platformio_server SOCKET
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import platformio.__main__
import platformio.platform.factory
import platformio.run.cli
import SCons.Script
import SCons.Script.Main
from platformio import proc

from tests.warm.copies import in_a_copy, serve

_exec_command = proc.exec_command


def _build(request: Mapping[str, Any], files: Sequence[int]) -> int:
    (log,) = files
    os.dup2(log, 1)
    os.dup2(log, 2)
    proc.exec_command = _run_scons
    return int(platformio.__main__.main(["platformio", *request["arguments"]]))


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
        in_a_copy(SCons.Script.main)
    _, status = os.waitpid(child, 0)
    out.close()
    error.close()
    return {"out": "", "err": "", "returncode": os.waitstatus_to_exitcode(status)}


if __name__ == "__main__":
    serve(sys.argv[1], _build, dies_with_client=True)
