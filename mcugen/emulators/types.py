"""What an emulator is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from mcugen.cores.architectures import Architecture
from mcugen.toml_table import Table


class Emulated(Protocol):
    """What an emulator asks of a board."""

    @property
    def name(self) -> str: ...
    @property
    def architecture(self) -> Architecture: ...


@dataclass(frozen=True)
class Launch:
    """How an emulator is started for one firmware.

    Attributes:
        command: the program's path and its arguments, made from a number: with `link` "socket" that of an inherited
            file descriptor, with "port" that of a TCP port of this computer, which the program opens, with "listener"
            that of one that we listen on. The firmware's UART goes there.
        files: what it finds in a folder of its own, where it is started: texts, and files to link to. Without any it
            is started in ours.
        start_seconds: how long it may take to open the port.
    """

    command: Callable[[int], Sequence[str]]
    link: Literal["socket", "port", "listener"]
    files: Mapping[str, str | Path] = field(default_factory=dict)
    start_seconds: float = 0.0


@dataclass(frozen=True)
class Emulator:
    """One emulator: how board files describe what it models, and how it runs a firmware.

    What a board file says of it is its *model* of the board: a frozen dataclass of its own, whose fields are those of
    the file's table.

    Attributes:
        name: on the command line.
        title: in texts.
        table: the table in board files.
        read: (table, the core's clock in Hz) → the model. Checks every field: the values reach a command line.
        summary: a model in one word: the name that the emulator knows the board by.
        launch: (firmware, board, model) → how to start it. Raises ToolError where it is not installed.
        unmodelled: what to try where a board has no model.
        find: (board) → the program's path. Raises ToolError where it is not installed; None where only `launch` tells.
        counts_instructions: its counter tells instructions exactly, and the model has `instructions(ticks)`.
        project_files: (board, model) → path in the project → text, for people who start it themselves.
        tested: tests run firmware in it and compare results, so that its boards count as emulated ones.
        package: for `mcugen doctor`: its name on PyPI, where it is a Python package.
        program, needed_for, where: for `mcugen doctor`: the program, what it is good for, where to get it. "" where
            that depends on the board's architecture.
    """

    name: str
    title: str
    table: str
    read: Callable[[Table, int], Any]
    summary: Callable[[Any], str]
    launch: Callable[[Path, Emulated, Any], Launch]
    unmodelled: str
    find: Callable[[Emulated], str] | None = None
    counts_instructions: bool = False
    project_files: Callable[[Emulated, Any], Mapping[str, str]] | None = None
    tested: bool = False
    package: str = ""
    program: str = ""
    where: str = ""
