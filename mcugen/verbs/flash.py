"""`mcugen flash`: a project onto its board, with the proof that this very firmware runs there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen import __version__
from mcugen.verbs import _options as options

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.device.protocol import Hello
    from mcugen.flash import Choose, Flashed
    from mcugen.ui.terminal import Progress
    from mcugen.verbs._pipeline import Ready


@dataclass(frozen=True, eq=False)
class FlashResult:
    """A flashed board. `hello` is what it said."""

    ready: Ready
    flashed: Flashed
    hello: Hello
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "mcugen.flash/1",
            "mcugen": __version__,
            "model": {"name": self.ready.plan.graph.name, "sha256": self.hello.model_sha256},
            "board": self.hello.board,
            "port": self.flashed.port,
            "probe": self.flashed.probe,
            "tool": self.flashed.tool,
            "build_id": self.hello.build_id,
            "elf": str(self.ready.firmware.elf),
        }


def flash(
    folder: str | Path,
    *,
    port: str | None = None,
    probe: str | None = None,
    tool: str | None = None,
    tflm: str | None = None,
    choose: Choose | None = None,
    progress: Progress | None = None,
) -> FlashResult:
    """Build a project, write it onto its board, and check that the board runs this firmware and model.

    Args:
        folder: a generated project.
        port: the board's serial port; without it, found by the USB ids in the board's file.
        probe: serial number of the debug probe, where several are plugged in.
        tool: "platformio", "openocd", "pyocd", "esptool", "picotool" or "uf2"; without it, the board's first that is
            installed.
        tflm: where TensorFlow Lite Micro is, see :mod:`mcugen.tflm.library`; None takes MCUGEN_TFLM_DIR.
        choose: asks a person which port; without it, several are an error.

    Raises:
        McugenError: whatever stops it, a board that answers with another firmware's hash included.
    """
    from mcugen.errors import ProjectError
    from mcugen.verbs._flash import flash_and_connect
    from mcugen.verbs._pipeline import built, is_project, no_progress
    from mcugen.verbs._runtime import Choice

    report = progress or no_progress
    if not is_project(folder):
        raise ProjectError(
            "is not a project of mcugen's",
            where=str(folder),
            hint="Make one with mcugen generate, or do it all at once: mcugen deploy MODEL --board BOARD --port PORT",
        )
    with built(folder, None, choice=Choice(tflm=tflm), progress=report) as ready:
        device, flashed = flash_and_connect(ready, port=port, probe=probe, tool=tool, choose=choose, progress=report)
        with device:
            return FlashResult(ready, flashed, device.hello)


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A project that mcugen generated.", show_default=False)],
    port: options.BoardPort = None,
    probe: options.Probe = None,
    tool: options.FlashTool = None,
    tflm: options.Tflm = None,
    json: options.Json = False,
) -> int:
    """Build a project, write it onto its board, and check that it runs there."""
    from mcugen.ui.terminal import Terminal
    from mcugen.verbs._flash import terminal_choice

    terminal = Terminal(json)
    choose = terminal_choice(terminal)
    with terminal.progress() as progress:
        result = flash(folder, port=port, probe=probe, tool=tool, tflm=tflm, choose=choose, progress=progress)
    return terminal.show(result, lambda console: _render(console, result))


def _render(console: Console, result: FlashResult) -> None:
    from mcugen.ui.terminal import grid, say_verdict
    from mcugen.ui.text import plain, size

    ready, hello = result.ready, result.hello
    rows = [
        ("model", f"{ready.plan.graph.name} · sha256 {hello.model_sha256[:12]}…"),
        ("firmware", f"{size(ready.firmware.flash.total)} of flash · build {hello.build_id[:12]}…"),
        ("with", result.flashed.tool + (f", probe {plain(result.flashed.probe)}" if result.flashed.probe else "")),
        ("next", f"mcugen verify {ready.project.folder} --port {result.flashed.port}"),
    ]
    console.print(grid(rows))
    say_verdict(console, True, f"{hello.board} at {result.flashed.port} runs this firmware")
