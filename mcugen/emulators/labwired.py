"""labwired, a simulator of microcontrollers (PyPI)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcugen.emulators.python_packages import find_package, launch_in_python
from mcugen.emulators.types import Emulated, Emulator, Launch
from mcugen.toml_table import Table

PACKAGE = "labwired"
SERVER = f"{__name__}_server"


@dataclass(frozen=True)
class Labwired:
    """How labwired runs a board: its names of the chip and of the link's UART."""

    chip: str
    uart: str


def _read(table: Table, _clock_hz: int) -> Labwired:
    model = Labwired(
        chip=table.matching("chip", r"[a-z0-9_-]{1,40}"),
        uart=table.matching("uart", r"[a-z0-9_]{1,40}"),
    )
    table.finish()
    return model


def _launch(elf: Path, _board: Emulated, model: Labwired) -> Launch:
    return launch_in_python(PACKAGE, SERVER, elf, model.chip, model.uart)


EMULATOR = Emulator(
    name="labwired",
    title="labwired",
    table="labwired",
    read=_read,
    summary=lambda model: str(model.chip),
    launch=_launch,
    unmodelled="Choose one of {boards}; or set a board file's table [labwired], see docs/BOARDS.md",
    find=lambda _board: find_package(PACKAGE),
    tested=True,
    package=PACKAGE,
)
