"""The tools that find facts, and which versions of them did."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcugen.environment import find_host_compiler
from mcugen.errors import ToolError

_SECONDS = 900.0


@dataclass(frozen=True)
class Ran:
    """What a tool did."""

    command: str
    code: int
    output: str


def run_tool(command: Sequence[str], folder: Path, where: str) -> Ran:
    """Run a tool in a folder. Its paths are relative there, so that what it says is the same everywhere.

    Raises:
        ToolError: it cannot be started, or does not end.
    """
    try:
        ran = subprocess.run(
            command, cwd=folder, env=_environment(), capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{Path(command[0]).name} failed: {error}", where=where) from error
    shown = " ".join([Path(command[0]).name, *command[1:]])
    return Ran(shown, ran.returncode, ran.stdout + ran.stderr)


def _environment() -> dict[str, str]:
    """English, and no cache of objects: it would not bring back what is written beside them."""
    return {**os.environ, "LC_ALL": "C", "CCACHE_DISABLE": "1"}


def beside(compiler: str, other: str) -> str:
    """The name of another tool of a cross compiler's: arm-none-eabi-objdump of arm-none-eabi-gcc."""
    return Path(compiler).name.replace("gcc", other)


def require(name: str, package: str) -> str:
    """The path of a tool.

    Raises:
        ToolError: it is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise ToolError(f"{name} was not found, which evidence needs", hint=f"Install it: apt-get install {package}")
    return found


def host_gcc() -> str:
    """GCC for this computer, whose warnings and analyzer are asked.

    Raises:
        ToolError: none is installed.
    """
    return shutil.which("gcc") or find_host_compiler() or require("gcc", "gcc")


def version_of(path: str) -> str:
    """The first line of what a tool says of itself."""
    try:
        ran = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return next(iter((ran.stdout + ran.stderr).splitlines()), "unknown").strip()
