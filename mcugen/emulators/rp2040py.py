"""rp2040py, a Raspberry Pi Pico in Python (PyPI): runs in a process of its own, connected by a socket pair."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

from mcugen.emulators.types import Emulated, Emulator, Launch
from mcugen.errors import ToolError
from mcugen.toml_table import Table

PACKAGE = "rp2040py"
SERVER = f"{__name__}_server"


@dataclass(frozen=True)
class Rp2040py:
    """How rp2040py runs a board: the number of the UART that is the link."""

    uart: int


def find_rp2040py() -> str:
    """Path of the Python that has rp2040py.

    Raises:
        ToolError: it is not installed, with how to get it.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        raise ToolError(
            "rp2040py was not found, so nothing ran", hint=f"Install it: {sys.executable} -m pip install {PACKAGE}"
        )
    return sys.executable


def _read(table: Table, _clock_hz: int) -> Rp2040py:
    model = Rp2040py(uart=table.integer("uart", 0, 1))
    table.finish()
    return model


def _launch(elf: Path, _board: Emulated, model: Rp2040py) -> Launch:
    program = find_rp2040py()

    def command(descriptor: int) -> list[str]:
        return [program, "-m", SERVER, str(elf.resolve()), str(model.uart), str(descriptor)]

    return Launch(command, "socket")


EMULATOR = Emulator(
    name="rp2040py",
    title="rp2040py",
    table="rp2040py",
    read=_read,
    summary=lambda _model: "rp2040",
    launch=_launch,
    unmodelled="Choose one of {boards}; or set a board file's table [rp2040py], see docs/BOARDS.md",
    find=lambda _board: find_rp2040py(),
    tested=True,
    package=PACKAGE,
)
