"""A board as the text of its file."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from mcugen.boards.types import Board, Region
from mcugen.emulators import emulators


def board_toml(board: Board) -> str:
    """A board as the text of a board file, which `read_board` reads back as an equal board."""
    top = ("title", "family", "mcu", "clock_hz", "stack_bytes", "real_hardware", "own_linker_script", "notes")
    tables: dict[str, dict[str, Any]] = {
        "": {key: getattr(board, key) for key in top if getattr(board, key) != ""},
        "cpu": {"core": board.cpu, "fpu": board.fpu, "features": list(board.features)},
    }
    regions = (board.flash, board.ram, *board.regions) if board.flash.size else ()
    for region in regions:
        usual = asdict(Region(region.name, 0, 0))
        tables[f"memory.{region.name}"] = {
            key: value for key, value in asdict(region).items() if key in ("origin", "size") or value != usual[key]
        }
    uart = asdict(board.uart) if board.framework is None else {"baud": board.uart.baud}
    tables["uart"] = {key: value for key, value in uart.items() if value is not None}
    if board.framework:
        framework = asdict(board.framework)
        options = framework.pop("options")
        tables["framework"] = framework
        tables["framework.options"] = {f'"{key}"': value for key, value in options}
    flashing = {key: value for key, value in asdict(board.flashing).items() if value}
    if flashing:
        tables["flash"] = flashing
    for name, model in board.models:
        tables[emulators()[name].table] = asdict(model)
    # The values are integers, booleans, ASCII strings and lists of them: JSON and TOML write them alike.
    return "\n".join(
        (f"[{name}]\n" if name else "") + "".join(f"{key} = {json.dumps(v)}\n" for key, v in fields.items())
        for name, fields in tables.items()
    )
