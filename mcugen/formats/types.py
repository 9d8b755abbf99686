"""What an export format is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mcugen.boards.types import Board
from mcugen.names import Protocol
from mcugen.runtimes.program import Program


@dataclass(frozen=True, eq=False)
class Subject:
    """What is written in a format.

    Attributes:
        program: what a runtime made of the model, for the board's core.
        model_files: the model library, by path relative to its folder (a runtime emits it).
        extra_files: further files, by path relative to the whole.
        command: shown in the files' banners; without paths of this computer, or the bytes depend on them.
        labels: class names.
        protocol: what a firmware speaks over its UART.
    """

    program: Program
    board: Board
    model_files: Mapping[str, str | bytes]
    extra_files: Mapping[str, str | bytes] = field(default_factory=dict)
    command: str = ""
    labels: Sequence[str] = ()
    protocol: Protocol = "mcugen"


@dataclass(frozen=True)
class Format:
    """A way to hand a model over.

    Attributes:
        name: on the command line.
        summary: what it is, in half a sentence.
        files: the content of every file by its path, the same bytes for the same subject wherever and whenever.
            Raises BoardError where the format does not go with the board or the runtime.
    """

    name: str
    summary: str
    files: Callable[[Subject], Mapping[str, str | bytes]]
