"""Emulators, by their names on the command line, and which boards they model."""

from __future__ import annotations

from typing import Literal

from mcugen.boards.shipped import load_boards
from mcugen.boards.types import Board, Renode
from mcugen.errors import BoardError

EmulatorName = Literal["qemu", "renode"]


def require_renode(board: Board) -> Renode:
    """How Renode models a board.

    Raises:
        BoardError: it does not, or mcugen does not know how.
    """
    if board.renode is None:
        known = ", ".join(name for name, other in load_boards().items() if other.renode is not None)
        raise BoardError(
            "Renode's model of this board is not known",
            where=f"board {board.name}",
            hint=f"Take one of {known}; or name platform and UART in a board file's table [renode], see docs/BOARDS.md",
        )
    return board.renode


def check_emulator(board: Board, emulator: EmulatorName | None, other: str | None) -> None:
    """Refuse an emulator that cannot run the board, before anything slow.

    Args:
        emulator: what the user named; None where nothing.
        other: a port, probe or tool that the user named: firmware runs on hardware then, or runs already.

    Raises:
        BoardError: with what to do instead.
    """
    if emulator is None:
        return
    if other is not None:
        raise BoardError(
            f"an emulator is started, or {other} is used, not both",
            where="--emulator",
            hint="Leave one of them away",
        )
    if emulator == "renode":
        require_renode(board)
    elif board.emulator is None:
        where, hint = f"board {board.name}", "mcugen boards lists those that it does"
        raise BoardError("QEMU does not model this board", where=where, hint=hint)
