"""Runs a tool, and says in words why it failed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mcugen.children import CANNOT_RUN, running_tree
from mcugen.errors import DeviceError
from mcugen.flash.types import Failure

TIMEOUT_S = 300.0
"""Writing a few megabytes over a slow probe takes a minute or two."""

UDEV = "On Linux, install the probe's udev rules (those of OpenOCD and pyOCD know all common ones) and plug it in again"
DIALOUT = "On Linux, join the group that owns it (sudo usermod -aG dialout $USER), and log in again"
CLOSE_OTHERS = "Close serial monitors, debuggers and IDEs that hold it, and try again"
TRY_AGAIN = (
    "The board now holds incomplete firmware. Try again; if it keeps failing, use another cable or USB socket, "
    "without a hub"
)


def find_program(*names: str) -> str | None:
    """Path of a program: in PATH, or beside the running Python, where pip puts it."""
    for name in names:
        found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
        if found:
            return found
    return None


def run_tool(
    command: Sequence[str],
    failures: Sequence[Failure],
    *,
    where: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT_S,
) -> str:
    """Run a tool to its end. Gives what it printed.

    Everything it started is ended with it, also on a timeout and on Ctrl-C.

    Args:
        failures: what its messages mean; the first that is found counts.
        where: the board, for messages.

    Raises:
        DeviceError: it could not be started, failed, or took longer than `timeout` seconds.
    """
    name = Path(command[0]).name
    with tempfile.TemporaryFile() as log:
        with running_tree(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        ) as process:
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                raise DeviceError(
                    f"{name} did not finish in {timeout:.0f} s",
                    where=where,
                    hint="Unplug the board, plug it in again, and try again",
                ) from None
        log.seek(0)
        output = log.read().decode("utf-8", "replace")
    if code == CANNOT_RUN:
        raise DeviceError(f"{name} cannot be run: {output.strip()}", where=where, hint="Reinstall it")
    if code != 0:
        raise failure_of(name, output, code, failures, where)
    return output


def failure_of(name: str, output: str, code: int, failures: Sequence[Failure], where: str) -> DeviceError:
    """The error in a tool's output."""
    for failure in failures:
        if re.search(failure.pattern, output, re.IGNORECASE):
            return DeviceError(failure.what, where=where, hint=failure.hint)
    lines = [line.strip()[:200] for line in output.splitlines() if line.strip()][-6:]
    said = "\n  ".join(lines) if lines else "(it printed nothing)"
    return DeviceError(
        f"{name} failed with exit code {code}:\n  {said}\n",
        where=where,
        hint="Plug the board in again and retry, or choose another tool with `tool`",
    )
