"""The boards that verbs ask for."""

from __future__ import annotations

from mcugen.boards.shipped import load_board, load_boards
from mcugen.boards.types import Board
from mcugen.errors import BoardError, ProjectError


def known_boards() -> list[Board]:
    """All boards whose memories are known; of the others the user's linker script tells."""
    return [board for board in load_boards().values() if not board.own_linker_script]


def require_board(name: str | None) -> Board:
    """The board, which a model needs and a project knows.

    Raises:
        ProjectError: no name; BoardError: an unknown one, or one that needs a linker script.
    """
    if name is None:
        raise ProjectError(
            "no board was given", hint="Add `board=BOARD`; mcugen boards lists them. Or give a generated project"
        )
    board = load_board(name)
    if board.own_linker_script:
        raise BoardError(
            f"{board.name} is a generic board, so it needs a project with your linker script",
            where=f"board {board.name}",
            hint="Make one: mcugen generate MODEL --board … --linker-script FILE.ld -o DIR",
        )
    return board
