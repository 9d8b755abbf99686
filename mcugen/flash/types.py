"""What the tools that write firmware have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mcugen.boards.types import Board


@dataclass(frozen=True)
class Probe:
    """A debug probe on USB. `id` is its serial number."""

    id: str
    title: str


@dataclass(frozen=True)
class Job:
    """A firmware that is to be written.

    Attributes:
        project: folder of the project.
        output: where its build left firmware.elf and other files.
        port: serial port of the board, where it is known.
        probe: serial number of the debug probe, where it is known.
    """

    board: Board
    project: Path
    output: Path
    port: str | None
    probe: str | None

    @property
    def elf(self) -> Path:
        return self.output / "firmware.elf"


@dataclass(frozen=True)
class Failure:
    """How a tool says that something went wrong (`pattern`, anywhere in what it printed), and what it means."""

    pattern: str
    what: str
    hint: str


@dataclass(frozen=True)
class Tool:
    """A program that writes firmware.

    Attributes:
        install: how to get it.
        find: where it is on this computer, or None.
        write: writes a job's firmware with the program at a path; raises DeviceError.
        through_port: whether it needs the board's serial port.
        probes: lists the debug probes that it could use, with the program at a path; None where it uses none.
        lists_all: whether that list has every probe there is, so that an empty one means none.
    """

    name: str
    install: str
    find: Callable[[], str | None]
    write: Callable[[Job, str], None]
    through_port: Callable[[Board], bool] = lambda _board: False
    probes: Callable[[Board, str], list[Probe]] | None = None
    lists_all: Callable[[Board], bool] = lambda _board: True
