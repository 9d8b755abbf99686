"""What an export format is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mcugen.boards.types import Board
from mcugen.emit.style import FIRMWARE_NAME, Arena
from mcugen.names import Protocol
from mcugen.runtimes.program import Program

Files = Mapping[str, str | bytes]
"""Content by path, relative to the folder that holds it."""


@dataclass(frozen=True, eq=False)
class Part:
    """One model.

    Attributes:
        program: what a runtime made of the model, for the core.
        files: the model's library, by path relative to its folder (a runtime emits it). Parts of one export hold the
            same text where they hold the same file.
        labels: class names.
        name: prefix of its functions, and the name of its files.
    """

    program: Program
    files: Files
    labels: Sequence[str] = ()
    name: str = FIRMWARE_NAME


@dataclass(frozen=True, eq=False)
class Subject:
    """What is written in a format.

    Attributes:
        parts: the models, at least one.
        board: for formats that need one; None where the user named a core only.
        name: of the whole: the model's, or one for all.
        arena: where the models' arenas are.
        core: as compilers name it, for people to read.
        extra_files: further files, by path relative to the whole.
        command: shown in the files' banners; without paths of this computer, or the bytes depend on them.
        protocol: what a firmware speaks over its UART.
    """

    parts: Sequence[Part]
    board: Board | None
    name: str = FIRMWARE_NAME
    arena: Arena = "static"
    core: str = ""
    extra_files: Files = field(default_factory=dict)
    command: str = ""
    protocol: Protocol = "mcugen"

    @property
    def program(self) -> Program:
        """The only model's, or the first one's."""
        return self.parts[0].program

    @property
    def model_files(self) -> Files:
        """The libraries of all parts together: kernels that several use are there once."""
        files: dict[str, str | bytes] = {}
        for part in self.parts:
            for path, content in part.files.items():
                if files.setdefault(path, content) != content:
                    raise AssertionError(f"{path} differs between the models of an export")
        return files

    @property
    def labels(self) -> Sequence[str]:
        """The only model's, or the first one's."""
        return self.parts[0].labels


@dataclass(frozen=True)
class Format:
    """A way to hand a model over.

    Attributes:
        name: on the command line.
        summary: what it is, in half a sentence.
        files: the content of every file by its path, the same bytes for the same subject wherever and whenever.
            Raises BoardError where the format does not go with the board or the runtime.
        proved: how tests use it, and with which real tools; docs/INTEGRATION.md shows it.
        needs_board: a core is not enough.
    """

    name: str
    summary: str
    files: Callable[[Subject], Files]
    proved: str = ""
    needs_board: bool = False
