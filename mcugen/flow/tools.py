"""What is missing is said before the work: compiler, emulator, flash tool, probe and port."""

from __future__ import annotations

from pathlib import Path

from mcugen.boards.emulated import named_emulator
from mcugen.boards.types import Board
from mcugen.builder import require_build_tools
from mcugen.emulators import DEFAULT, emulators
from mcugen.errors import DeviceError, McugenError, ProjectError
from mcugen.flash import Choose, can_flash, check_flashing


def check_build(
    board: Board, *, flash: bool, port: str | None, probe: str | None, tool: str | None, emulator: str | None
) -> bool:
    """Refuse what could not be built or started. True if the firmware goes onto a board.

    Args:
        flash: False leaves a real board alone.
        port, probe, tool: see :func:`mcugen.flash.flash_board`.
        emulator: the one that was named; None for the default, if it runs the board.

    Raises:
        BoardError, ToolError: with what is missing.
        ProjectError: a board is named and to be left alone.
    """
    require_build_tools(board, f"board {board.name}")
    given = {"port": port, "probe": probe, "tool": tool}
    named = next((name for name, value in given.items() if value is not None), None)
    if emulator is not None or (board.emulator is not None and named is None):
        if (find := named_emulator(emulator).find) is not None:
            find(board)
        return False
    if not flash:
        if named is not None:
            raise ProjectError(
                f"`flash=False` leaves the board alone, so it takes no `{named}`", hint="Omit one of them"
            )
        return False
    return port is None or can_flash(board, port)  # else the firmware runs there already


def out_of_reach(
    board: Board, *, port: str | None, probe: str | None, tool: str | None, choose: Choose | None
) -> McugenError | None:
    """Why the board cannot be flashed, and how to go on without it; None if it can.

    Args:
        port, probe, tool, choose: see :func:`mcugen.flash.flash_board`.
    """
    try:
        check_flashing(board, port=port, probe=probe, tool=tool, choose=choose)
    except McugenError as error:
        where = error.where or f"board {board.name}"
        missing = type(error)(error.what, where=where, hint=f"{error.hint.rstrip('.')}. {_without(board)}")
        missing.__cause__ = error
        return missing
    return None


def _without(board: Board) -> str:
    """How to go on where there is no board."""
    other = next((each for each in emulators().values() if each.name != DEFAULT and board.model(each.name)), None)
    instead = f', `emulator="{other.name}"` runs it in {other.title}' if other is not None else ""
    return f"Without the board: `flash=False` writes and builds the project{instead}"


def still_built(error: McugenError, folder: Path, port: str | None) -> DeviceError:
    """The error of a board that was not flashed, with what is done already and how to go on."""
    on = f", port={port!r}" if port is not None else ""
    done = f"The project is written and built in {folder}. To try again: `api.flash({str(folder)!r}{on})`"
    return DeviceError(error.what, where=error.where, hint=f"{error.hint.rstrip('. ')}. {done}" if error.hint else done)
