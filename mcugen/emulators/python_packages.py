"""Emulators that are Python packages: run by a program of ours in a process of its own, with a socket pair between."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from mcugen.emulators.types import Launch
from mcugen.errors import ToolError


def find_package(package: str) -> str:
    """Path of the Python that has a package.

    Raises:
        ToolError: it is not installed, with how to get it.
    """
    if importlib.util.find_spec(package) is None:
        raise ToolError(
            f"{package} was not found, so nothing ran", hint=f"Install it: {sys.executable} -m pip install {package}"
        )
    return sys.executable


def launch_in_python(package: str, server: str, elf: Path, *arguments: str) -> Launch:
    """How the module `server` is started with a firmware, these arguments, and the number of its socket.

    Raises:
        ToolError: the package is not installed.
    """
    program = find_package(package)
    return Launch(lambda link: [program, "-m", server, str(elf.resolve()), *arguments, str(link)], "socket")
