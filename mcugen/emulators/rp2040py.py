"""rp2040py, a Raspberry Pi Pico in Python (PyPI)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcugen.emulators.python_packages import find_package, launch_in_python
from mcugen.emulators.types import Emulated, Emulator, Launch
from mcugen.toml_table import Table

PACKAGE = "rp2040py"
SERVER = f"{__name__}_server"


@dataclass(frozen=True)
class Rp2040py:
    """How rp2040py runs a board: the number of the UART that is the link."""

    uart: int


def _read(table: Table, _clock_hz: int) -> Rp2040py:
    model = Rp2040py(uart=table.integer("uart", 0, 1))
    table.finish()
    return model


def _launch(elf: Path, _board: Emulated, model: Rp2040py) -> Launch:
    return launch_in_python(PACKAGE, SERVER, elf, str(model.uart))


EMULATOR = Emulator(
    name="rp2040py",
    title="rp2040py",
    table="rp2040py",
    read=_read,
    summary=lambda _model: "rp2040",
    launch=_launch,
    unmodelled="Choose one of {boards}; or set a board file's table [rp2040py], see docs/BOARDS.md",
    find=lambda _board: find_package(PACKAGE),
    tested=True,
    package=PACKAGE,
)
