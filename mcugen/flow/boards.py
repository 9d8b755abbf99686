"""The boards that verbs ask for."""

from __future__ import annotations

from mcugen.boards.shipped import by_maker, load_board, load_boards
from mcugen.boards.types import Board
from mcugen.errors import BoardError, ProjectError
from mcugen.flash import serial_ports, usb_ids


def known_boards() -> list[Board]:
    """All boards whose memories are known; of the others the user's linker script tells."""
    return [board for board in load_boards().values() if not board.own_linker_script]


AUTO = "auto"


def named_board(name: str) -> Board:
    """The board of that name, see :func:`mcugen.boards.shipped.load_board`; "auto" is the one that is plugged in.

    Raises:
        BoardError: see there, or no board is plugged in, or several could be it.
    """
    return plugged_in_board() if name == AUTO else load_board(name)


def plugged_in_board() -> Board:
    """The board whose USB id is on this computer.

    Raises:
        BoardError: none, or several boards could be it.
    """
    ids = {port.usb_id for port in serial_ports()} | set(usb_ids())
    boards = load_boards().values()
    found = [board for board in boards if ids & set(board.flashing.usb)]
    if len(found) == 1:
        return found[0]
    if found:
        raise BoardError(
            "several boards could be plugged in, which share their USB id",
            where="`board`",
            hint=f"Name yours. {by_maker(found)}",
        )
    bridged = [board for board in boards if ids & set(board.flashing.usb_bridge)]
    likely = f" A USB-to-serial chip is there, as on these boards. {by_maker(bridged)}" if bridged else ""
    raise BoardError(
        "no board that is plugged in was recognized",
        where="`board`",
        hint=f"Connect it with a data cable, or name it.{likely}",
    )


def require_board(name: str | None) -> Board:
    """The board, which a model needs and a project knows.

    Raises:
        ProjectError: no name; BoardError: an unknown one, or one that needs a linker script.
    """
    if name is None:
        raise ProjectError(
            "no board was given", hint="Add `board=BOARD`; `api.boards()` lists them. Or give a generated project"
        )
    board = named_board(name)
    if board.own_linker_script:
        raise BoardError(
            f"{board.name} is a generic board, so it needs a project with your linker script",
            where=f"board {board.name}",
            hint=f"Make one: `api.generate(MODEL, board={board.name!r}, linker_script=FILE, out=DIR)`",
        )
    return board
