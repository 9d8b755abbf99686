"""`mcugen flash`: a project onto its board, with the proof that this very firmware runs there."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcugen import __version__
from mcugen.text import Brief
from mcugen.verbs.options import shared as options
from mcugen.verbs.options.derive import command_for

if TYPE_CHECKING:
    from rich.console import Console

    from mcugen.builder import Firmware
    from mcugen.flash import Choose, Flashed
    from mcugen.progress import Progress
    from mcugen.project.project import Project


@dataclass(frozen=True, eq=False, repr=False)
class FlashResult(Brief):
    """A flashed board.

    Attributes:
        build_id: of the firmware, in hex.
        checked: the board answered with this build id and the model's hash. False for firmware that speaks another
            protocol, which cannot say what it is.
    """

    project: Project
    firmware: Firmware
    flashed: Flashed
    build_id: str
    checked: bool
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        manifest = self.project.manifest
        return {
            "schema": "mcugen.flash/1",
            "mcugen": __version__,
            "model": {"name": manifest.model_name, "sha256": manifest.model_sha256},
            "board": manifest.board,
            "port": self.flashed.port,
            "probe": self.flashed.probe,
            "tool": self.flashed.tool,
            "build_id": self.build_id,
            "checked": self.checked,
            "elf": str(self.firmware.elf),
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
    """Build a project, flash its board, and check that the board runs this firmware and model.

    Args:
        folder: a generated project.
        port: the board's serial port; without it, found by the USB ids in the board's file.
        probe: serial number of the debug probe, if several are connected.
        tool: "platformio", "openocd", "pyocd", "esptool", "picotool" or "uf2"; without it, the board's first that is
            installed.
        tflm: path or name of TensorFlow Lite Micro, see :mod:`mcugen.runtimes.tflm.library`. Default: MCUGEN_TFLM_DIR.
        choose: called to choose one of several ports; without it, several are an error.

    Raises:
        McugenError: anything that stops it, including a board that reports another firmware's hash.
    """
    from mcugen.builder import build_project
    from mcugen.builder.identity import build_id
    from mcugen.errors import ProjectError
    from mcugen.flash import flash_board
    from mcugen.flow.flashing import flash_and_connect
    from mcugen.flow.project import is_project, project_folder
    from mcugen.flow.ready import built
    from mcugen.flow.runtime import Choice
    from mcugen.progress import no_progress
    from mcugen.project.project import load_project

    report = progress or no_progress
    if not is_project(folder):
        raise ProjectError(
            "is not a project of mcugen's",
            where=str(folder),
            hint="Do it all at once: `api.deploy(MODEL, board=BOARD, port=PORT)`",
        )
    project = load_project(project_folder(folder))
    if project.manifest.protocol != "mcugen":
        report("building", -1.0)
        firmware = build_project(Path(folder), tflm=tflm)
        report("flashing", -1.0)
        flashed = flash_board(firmware, project.board, port=port, probe=probe, tool=tool, choose=choose)
        return FlashResult(project, firmware, flashed, build_id(firmware.elf), checked=False)
    with built(folder, None, choice=Choice(tflm=tflm), progress=report) as ready:
        device, flashed = flash_and_connect(ready, port=port, probe=probe, tool=tool, choose=choose, progress=report)
        with device:
            return FlashResult(project, ready.firmware, flashed, device.hello.build_id, checked=True)


def _render(console: Console, result: FlashResult) -> None:
    from mcugen.text import plain, size
    from mcugen.ui.terminal import grid, say_note, say_verdict

    manifest, flashed = result.project.manifest, result.flashed
    rows = [
        ("model", f"{manifest.model_name} · sha256 {manifest.model_sha256[:12]}…"),
        ("firmware", f"{size(result.firmware.flash.total)} of flash · build {result.build_id[:12]}…"),
        ("with", flashed.tool + (f", probe {plain(flashed.probe)}" if flashed.probe else "")),
    ]
    if result.checked:
        rows.append(
            ("next", f"mcugen verify {shlex.quote(str(result.project.folder))} --port {shlex.quote(str(flashed.port))}")
        )
    console.print(grid(rows))
    if result.checked:
        say_verdict(console, True, f"{manifest.board} at {flashed.port} runs this firmware")
    else:
        say_note(console, f"it speaks {manifest.protocol}, which cannot report the running firmware")
        say_verdict(console, True, f"{flashed.tool} wrote this firmware to {manifest.board}")


command = command_for(
    flash,
    "Build a project, flash its board, and check that this firmware runs there.",
    _render,
    folder=Annotated[Path, typer.Argument(metavar="DIR", help="A project that mcugen generated.", show_default=False)],
    port=options.BoardPort,
)
