"""The boards that ship with mcugen, and those of the user's own files."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable
from pathlib import Path

from mcugen.boards.read import read_board
from mcugen.boards.types import Board
from mcugen.errors import BoardError
from mcugen.resources import resource_dir
from mcugen.toml_table import short

_MUCH_LESS_ALIKE = 0.08
"""Than the most alike name are those that are not named to whom mistypes one."""


def load_boards() -> dict[str, Board]:
    """All boards that ship with mcugen, by name, in alphabetical order."""
    return {name: load_board(name) for name in board_names()}


@functools.cache
def board_names() -> tuple[str, ...]:
    """Names of the boards that ship with mcugen, in alphabetical order."""
    return tuple(sorted(path.stem for path in resource_dir("boards").glob("*.toml")))


def load_board(name: str) -> Board:
    """The board that people call `name`, one of a USB id "VID:PID", or that in the TOML file at path `name`.

    Raises:
        BoardError: an unknown name (with the nearest), one of a board that is not supported (with those near to it),
            several boards, an unreadable file, or a field that breaks the format.
    """
    if name.endswith(".toml"):
        return read_board(Path(name))
    if name in board_names():
        return read_board(resource_dir("boards") / f"{name}.toml")
    boards = list(load_boards().values())
    if re.fullmatch(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}", name):
        return _only([board for board in boards if name.lower() in board.flashing.usb], f"the USB id {name}")
    spoken = plain_name(name)
    for board in boards:
        if spoken in map(plain_name, (board.name, *board.aliases)):
            return board
    if near := [board for board in boards if spoken and spoken in map(plain_name, board.near)]:
        raise BoardError(f"the board {short(name)} is not supported", where="`board`", hint=_near(near, boards))
    raise BoardError(f"unknown board {short(name)}", hint=_alike(spoken, boards))


def plain_name(name: str) -> str:
    """A board's name without what people write differently: case, spaces and signs."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def by_maker(boards: Iterable[Board]) -> str:
    """Boards as a text lists them: "Arduino: nano33ble; ST: nucleo-f446re, …"."""
    makers: dict[str, list[str]] = {}
    for board in sorted(boards, key=lambda board: (board.maker == "", board.maker.lower(), board.name)):
        makers.setdefault(board.maker or "with your own linker script", []).append(board.name)
    return "; ".join(f"{maker}: {', '.join(names)}" for maker, names in makers.items())


def _only(found: list[Board], what: str) -> Board:
    if len(found) == 1:
        return found[0]
    if not found:
        raise BoardError(
            f"no board is known by {what}", where="`board`", hint="Name the board; `api.boards()` lists them"
        )
    raise BoardError(f"{what} belongs to several boards", where="`board`", hint=f"Name one of them. {by_maker(found)}")


def _near(near: list[Board], boards: list[Board]) -> str:
    """What is near to a board that is not supported."""
    supported = [board for board in near if not board.own_linker_script]
    generic = {(board.cpu, board.fpu): board for board in boards if board.own_linker_script}
    own = [generic[board.cpu, board.fpu] for board in near if (board.cpu, board.fpu) in generic]
    said = [f"Nearest is {' or '.join(f'{board.name} ({board.title})' for board in supported)}"] if supported else []
    if own:
        said.append(
            f"With its linker script it is built as {own[0].name}: `board={own[0].name!r}`, `linker_script=FILE`"
        )
    said.append("docs/BOARDS.md tells how to add a board")
    return ". ".join(said)


def _alike(spoken: str, boards: list[Board]) -> str:
    """The boards whose names are most like what was typed; all of them if none is."""
    names = {plain_name(name): board for board in boards for name in (*board.aliases, board.name)}
    close = difflib.get_close_matches(spoken, names, n=5, cutoff=0.6)
    ratios = [difflib.SequenceMatcher(None, spoken, name).ratio() for name in close]
    close = [name for name, ratio in zip(close, ratios, strict=True) if ratio > max(ratios) - _MUCH_LESS_ALIKE]
    alike = {names[name].name: names[name] for name in close}
    if not alike and len(spoken) > 2:
        alike = {board.name: board for name, board in names.items() if spoken in name or name in spoken}
    listed = f"Did you mean {by_maker(alike.values())}?" if alike else f"Boards: {by_maker(boards)}."
    return f"{listed} The path of a board's .toml file works too"
