"""The boards that ship with mcugen, and those of the user's own files."""

from __future__ import annotations

import functools
from pathlib import Path

from mcugen.boards.read import read_board
from mcugen.boards.types import Board
from mcugen.errors import BoardError
from mcugen.resources import resource_dir
from mcugen.toml_table import short


def load_boards() -> dict[str, Board]:
    """All boards that ship with mcugen, by name, in alphabetical order."""
    return {name: load_board(name) for name in board_names()}


@functools.cache
def board_names() -> tuple[str, ...]:
    """Names of the boards that ship with mcugen, in alphabetical order."""
    return tuple(sorted(path.stem for path in resource_dir("boards").glob("*.toml")))


def load_board(name: str) -> Board:
    """The board `name`, or the board in the TOML file at path `name`.

    Raises:
        BoardError: unknown name (with close matches), unreadable file, or a field that breaks the format.
    """
    if name.endswith(".toml"):
        return read_board(Path(name))
    if name in board_names():
        return read_board(resource_dir("boards") / f"{name}.toml")
    import difflib

    close = difflib.get_close_matches(name, board_names(), n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"Boards: {', '.join(board_names())}."
    raise BoardError(f"unknown board {short(name)}", hint=f"{hint} The path of a board's .toml file works too")
