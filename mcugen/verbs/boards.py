"""`mcugen boards`: the boards that firmware can be made for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcugen import __version__
from mcugen.boards.shipped import load_boards
from mcugen.boards.types import Board
from mcugen.emulators import emulators
from mcugen.text import Brief
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import as_options

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, repr=False)
class BoardList(Brief):
    """All boards, by name in alphabetical order."""

    boards: tuple[Board, ...]
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "mcugen.boards/1",
            "mcugen": __version__,
            "boards": [board_facts(board) for board in self.boards],
        }


def boards() -> BoardList:
    """The boards that ship with mcugen."""
    return BoardList(tuple(load_boards().values()))


def board_facts(board: Board) -> dict[str, Any]:
    """One board as JSON carries it. Sizes in bytes, null if the user's linker script defines them; clock in Hz."""
    return {
        "name": board.name,
        "title": board.title,
        "maker": board.maker,
        "aliases": list(board.aliases),
        "mcu": board.mcu,
        "cpu": board.cpu,
        "fpu": board.fpu,
        "features": list(board.features),
        "clock_hz": board.clock_hz,
        "flash": board.flash.size or None,
        "ram": board.ram.size or None,
        "framework": board.framework.name if board.framework else None,
        "flash_tools": list(board.flashing.tools),
        **_models(board),
        "real_hardware": board.real_hardware,
        "notes": board.notes,
    }


def _emulators(board: Board) -> list[str]:
    return [emulator.title for emulator in emulators().values() if board.model(emulator.name) is not None]


def _models(board: Board) -> dict[str, str | None]:
    """The name that each emulator knows the board by, as board files' tables are called."""
    known = {emulator.table: (emulator, board.model(emulator.name)) for emulator in emulators().values()}
    return {table: emulator.summary(model) if model is not None else None for table, (emulator, model) in known.items()}


def command(json: options.Json = False) -> int:
    """List the boards."""
    from mcugen.ui.terminal import Terminal

    result = boards()
    return Terminal(json, as_options).show(result, lambda console: _render(console, result))


def _render(console: Console, result: BoardList) -> None:
    from mcugen.text import memory
    from mcugen.ui.terminal import columns

    wide = console.width >= 100
    rows = []
    for board in result.boards:
        extras = ["FPU"] * bool(board.fpu) + [name.upper() for name in board.features]
        core = board.cpu.replace("cortex-m", "M") + (f" {'+'.join(extras)}" if extras else "")
        sizes = [memory(region.size) if region.size else "yours" for region in (board.flash, board.ram)]
        facts = (core, *sizes, ", ".join(_emulators(board)))
        # The title's brackets repeat the core; without them it fits.
        rows.append((board.name, board.title.split(" (")[0], *facts) if wide else (board.name, *facts))
    headings = ("board", "what it is", "core", "flash", "RAM", "emulator")
    if wide:
        console.print(columns(headings, rows, right=(3, 4), whole=(0,)))
    else:
        console.print(columns((headings[0], *headings[2:]), rows, right=(2, 3), whole=(0,)))
