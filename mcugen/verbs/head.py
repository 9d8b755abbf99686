"""`mcugen head pull|push`: what a device learned, to a file and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mcugen import __version__
from mcugen.text import Brief
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import command_for

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.progress import Progress

Action = Literal["pull", "push"]


@dataclass(frozen=True, eq=False, repr=False)
class HeadMoved(Brief):
    """A head that was read from a device, or written to it.

    Attributes:
        size: bytes of parameters.
        kept: the device has it in flash, so that it outlives a reset.
    """

    action: Action
    model: str
    board: str
    file: Path
    size: int
    fingerprint: int
    kept: bool
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "mcugen.head/1",
            "mcugen": __version__,
            "action": self.action,
            "model": self.model,
            "board": self.board,
            "file": str(self.file),
            "bytes": self.size,
            "fingerprint": f"{self.fingerprint:08x}",
            "kept": self.kept,
        }


def head(
    action: Action,
    target: object,
    *,
    file: str | Path,
    port: str | None = None,
    keep: bool = False,
    progress: Progress | None = None,
) -> HeadMoved:
    """Read what a device learned into a file, or give a device what another one learned.

    Without a port an emulator is started, whose head is what was deployed, or what it kept.

    Args:
        action: "pull" reads the head, "push" writes it.
        target: a project folder whose model learns (`trainable`).
        file: where the head goes, or comes from.
        port: URL of a running device.
        keep: also write it into the flash that the board's file reserves (memory.head); what was there before stays
            until the new one is complete, whenever power fails.

    Raises:
        McugenError: anything that stops it.
    """
    from mcugen.errors import DataError
    from mcugen.flow.heads import pull_head, push_head
    from mcugen.progress import no_progress

    if action not in ("pull", "push"):
        raise DataError(f'is "{action}"', where="`action`", hint='"pull" reads a head, "push" writes one')
    if keep and action == "pull":
        raise DataError("is about a head that is pushed", where="`keep`", hint="Omit it")
    path, report = Path(file), progress or no_progress
    if action == "pull":
        ready, moved = pull_head(target, path, port, report)
    else:
        ready, moved = push_head(target, path, port, keep, report)
    return HeadMoved(action, ready.plan.graph.name, ready.board.name, path, len(moved.data), moved.fingerprint, keep)


def _show(console: Console, result: HeadMoved) -> None:
    from mcugen.text import size
    from mcugen.ui.terminal import say_verdict

    what = f"{size(result.size)} of parameters, fingerprint {result.fingerprint:08x}"
    if result.action == "pull":
        say_verdict(console, True, f"wrote {result.file}: {what}")
    else:
        kept = ", and keeps it" if result.kept else " until it is reset"
        say_verdict(console, True, f"{result.board} has the head of {result.file}{kept}: {what}")


command = command_for(
    head,
    "Read what a device learned into a file, or write it to a device.",
    _show,
    action=Annotated[str, typer.Argument(metavar="pull|push", help="Read it, or write it.", show_default=False)],
    target=Annotated[Path, typer.Argument(metavar="DIR", help="A project whose model learns.", show_default=False)],
    file=Annotated[Path, typer.Option("--file", "-f", metavar="FILE", help="The head's file.", show_default=False)],
    port=options.Port,
    keep=Annotated[bool, typer.Option("--keep", help="Keep it in flash (memory.head), so that it outlives a reset.")],
)
