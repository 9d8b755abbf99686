"""Renode: started with the scripts that projects hold, reached by its UART's TCP port."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mcugen.emulators.renode_syntax import syntax_errors
from mcugen.emulators.types import Emulated, Emulator, Launch
from mcugen.errors import ToolError
from mcugen.toml_table import Table

START_S = 120.0
"""Renode takes seconds to start, and downloads register descriptions when it loads a platform for the first time."""

FOLDER = "renode"

_RELEASES = "github.com/renode/renode/releases"


@dataclass(frozen=True)
class Renode:
    """How Renode models a board: a platform that Renode brings along, and the name of the link's UART in it."""

    platform: str
    uart: str


def find_renode() -> str:
    """Path of Renode.

    Raises:
        ToolError: it is not installed, with how to get it.
    """
    path = shutil.which("renode")
    if path is None:
        raise ToolError(
            "renode was not found, so nothing ran",
            hint=f"Install it from https://{_RELEASES} (a package for Debian and Fedora, an archive for the rest of "
            "Linux, an image for macOS) and put renode into PATH. Its scripts are written without it: "
            "`api.generate(MODEL, board=BOARD, out=DIR, emulator='renode')`",
        )
    return path


def renode_files(board: Emulated, model: Renode) -> dict[str, str]:
    """Script, platform and Robot test: path in the project → text.

    Renode need not be installed: what can be checked without it is checked.
    """
    from mcugen.emit.templates import render  # imports Jinja: too slow for listing boards

    files = {
        f"{FOLDER}/{board.name}.resc": render("renode/board.resc.j2", board=board, model=model),
        f"{FOLDER}/{board.name}.repl": render("renode/board.repl.j2", board=board, model=model),
        f"{FOLDER}/firmware.robot": render("renode/firmware.robot.j2", board=board, model=model),
    }
    for path, text in files.items():
        if errors := syntax_errors(path, text):
            raise AssertionError(f"emitted {path} is wrong: {'; '.join(errors)}")
    return files


def _read(table: Table, _clock_hz: int) -> Renode:
    renode = Renode(
        platform=table.matching("platform", r"platforms/(?:boards|cpus)/[A-Za-z0-9_-]{1,60}\.repl"),
        uart=table.matching("uart", r"[A-Za-z][A-Za-z0-9_]{0,30}"),
    )
    table.finish()
    return renode


def _launch(elf: Path, board: Emulated, model: Renode) -> Launch:
    program = find_renode()

    def command(port: int) -> list[str]:
        commands = (f"$port={port}", "$elf=@firmware.elf", f"include @{board.name}.resc")
        return [program, "--disable-gui", "--plain", *(part for line in commands for part in ("-e", line))]

    # Beside the scripts everything has a plain name, whatever the project's folder is called.
    scripts = {PurePosixPath(path).name: text for path, text in renode_files(board, model).items()}
    return Launch(command, "port", {**scripts, "firmware.elf": elf.resolve()}, START_S)


EMULATOR = Emulator(
    name="renode",
    title="Renode",
    table="renode",
    read=_read,
    summary=lambda model: str(model.platform),
    launch=_launch,
    unmodelled="Choose one of {boards}; or set a board file's table [renode], see docs/BOARDS.md",
    find=lambda _board: find_renode(),
    project_files=renode_files,
    program="renode",
    where=_RELEASES,
)
