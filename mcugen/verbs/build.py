"""`mcugen build`: compile a generated project and say where its bytes went."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen import __version__
from mcugen.verbs.options import shared as options

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.boards.types import Board
    from mcugen.builder import Firmware
    from mcugen.progress import Progress

SYMBOLS_SHOWN = 12


@dataclass(frozen=True, eq=False)
class Built:
    """A built firmware."""

    firmware: Firmware
    board: Board
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        flash, ram = self.firmware.flash, self.firmware.ram
        return {
            "schema": "mcugen.build/1",
            "mcugen": __version__,
            "board": self.board.name,
            "toolchain": self.firmware.toolchain,
            "elf": str(self.firmware.elf),
            "map": str(self.firmware.map),
            "flash": {
                "code": flash.code,
                "weights": flash.weights,
                "harness": flash.harness,
                "total": flash.total,
                "available": self.board.flash.size,
            },
            "ram": {
                "arena": ram.arena,
                "static": ram.static,
                "stack_reserved": ram.stack,
                "total": ram.total,
                "available": self.board.ram.size,
            },
            "symbols": [
                {"name": symbol.name, "part": symbol.part, "section": symbol.section, "size": symbol.size}
                for symbol in self.firmware.symbols
            ],
        }


def build(folder: str | Path, *, tflm: str | None = None, progress: Progress | None = None) -> Built:
    """Build a generated project with PlatformIO and measure it.

    Args:
        tflm: where TensorFlow Lite Micro is, for a project that needs it; None takes MCUGEN_TFLM_DIR.

    Raises:
        McugenError: not a project of mcugen's, a tool is missing, or the firmware does not fit.
    """
    from mcugen.builder import build_project
    from mcugen.project.project import load_project

    if progress is not None:
        progress("building", -1.0)
    project = load_project(Path(folder))
    return Built(build_project(Path(folder), tflm=tflm), project.board)


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A project that mcugen generated.", show_default=False)],
    tflm: options.Tflm = None,
    json: options.Json = False,
) -> int:
    """Build a generated project; says where its bytes went."""
    from mcugen.ui.terminal import Terminal

    terminal = Terminal(json)
    with terminal.progress() as progress:
        result = build(folder, tflm=tflm, progress=progress)
    return terminal.show(result, lambda console: _render(console, result))


def _render(console: Console, result: Built) -> None:
    from mcugen.text import memory, number, share, size
    from mcugen.ui.terminal import columns, grid, say_verdict

    firmware, board = result.firmware, result.board
    flash, ram = firmware.flash, firmware.ram
    rows = [(s.name, s.part, number(s.size)) for s in firmware.symbols[:SYMBOLS_SHOWN]]
    console.print(columns(("largest symbols", "part of", "bytes"), rows, right=(2,)))
    console.print()
    facts = [
        ("flash", f"{size(flash.total)}, {share(flash.total, board.flash.size)} of {memory(board.flash.size)}"),
        ("", f"code {number(flash.code)} · weights {number(flash.weights)} · harness {number(flash.harness)}"),
        ("RAM", f"{size(ram.total)}, {share(ram.total, board.ram.size)} of {memory(board.ram.size)}"),
        ("", f"arena {number(ram.arena)} · static {number(ram.static)} · stack {number(ram.stack)} reserved"),
        ("compiler", firmware.toolchain),
    ]
    console.print(grid(facts))
    say_verdict(console, True, f"built {firmware.elf}")
