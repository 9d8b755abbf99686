"""labwired, a simulator of microcontrollers (PyPI): runs in a process of its own, connected by a socket pair."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

from mcugen.emulators.types import Emulated, Emulator, Launch
from mcugen.errors import ToolError
from mcugen.toml_table import Table

PACKAGE = "labwired"
SERVER = f"{__name__}_server"


@dataclass(frozen=True)
class Labwired:
    """How labwired runs a board: its names of the chip and of the link's UART."""

    chip: str
    uart: str


def find_labwired() -> str:
    """Path of the Python that has labwired.

    Raises:
        ToolError: it is not installed, with how to get it.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        raise ToolError(
            "labwired was not found, so nothing ran", hint=f"Install it: {sys.executable} -m pip install {PACKAGE}"
        )
    return sys.executable


def _read(table: Table, _clock_hz: int) -> Labwired:
    model = Labwired(
        chip=table.matching("chip", r"[a-z0-9_-]{1,40}"),
        uart=table.matching("uart", r"[a-z0-9_]{1,40}"),
    )
    table.finish()
    return model


def _launch(elf: Path, _board: Emulated, model: Labwired) -> Launch:
    program = find_labwired()

    def command(descriptor: int) -> list[str]:
        return [program, "-m", SERVER, str(elf.resolve()), model.chip, model.uart, str(descriptor)]

    return Launch(command, "socket")


EMULATOR = Emulator(
    name="labwired",
    title="labwired",
    table="labwired",
    read=_read,
    summary=lambda model: str(model.chip),
    launch=_launch,
    unmodelled="Choose one of {boards}; or set a board file's table [labwired], see docs/BOARDS.md",
    find=lambda _board: find_labwired(),
    tested=True,
    package=PACKAGE,
)
