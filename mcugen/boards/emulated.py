"""Which emulators model a board."""

from __future__ import annotations

from typing import Any

from mcugen.boards.shipped import load_boards
from mcugen.boards.types import Board
from mcugen.emulators import DEFAULT, emulators
from mcugen.emulators.types import Emulator
from mcugen.errors import BoardError


def named_emulator(name: str | None) -> Emulator:
    """The emulator of that name; None names the default one.

    Raises:
        BoardError: there is none.
    """
    known = emulators()
    if name is not None and name not in known:
        raise BoardError(f"no emulator is called {name!r}", where="`emulator`", hint=f"Choose {' or '.join(known)}")
    return known[name or DEFAULT]


def require_model(board: Board, emulator: Emulator) -> Any:
    """How an emulator models a board.

    Raises:
        BoardError: it does not, or mcugen does not know how.
    """
    model = board.model(emulator.name)
    if model is None:
        modelled = [name for name, other in load_boards().items() if other.model(emulator.name) is not None]
        raise BoardError(
            f"{emulator.title} does not model this board",
            where=f"board {board.name}",
            hint=emulator.unmodelled.format(boards=", ".join(modelled)),
        )
    return model


def check_emulator(board: Board, emulator: str | None, other: str | None) -> None:
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
            f"`emulator` cannot be combined with {other}",
            where="`emulator`",
            hint="Omit one of them",
        )
    require_model(board, named_emulator(emulator))


def emulator_files(board: Board, emulator: str | None) -> dict[str, str]:
    """What a project holds for an emulator that the user named, by path; nothing for the default one.

    Raises:
        BoardError: the emulator does not model the board.
    """
    if emulator is None:
        return {}
    chosen = named_emulator(emulator)
    model = require_model(board, chosen)
    return dict(chosen.project_files(board, model)) if chosen.project_files else {}
