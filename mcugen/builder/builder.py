"""Builds an emitted project."""

from __future__ import annotations

import shutil
from pathlib import Path

from mcugen.boards.types import Board
from mcugen.builder.framework import require_platform
from mcugen.builder.identity import build_id
from mcugen.builder.kept import build_key, keep_built, take_built
from mcugen.builder.locks import file_lock
from mcugen.builder.platformio import missing_compiler, run_pio
from mcugen.builder.sizes import measure, memory_use
from mcugen.builder.types import Firmware
from mcugen.errors import ProjectError, ToolError
from mcugen.progress import Progress
from mcugen.project.project import load_project
from mcugen.runtimes.tflm.library import TFLM_DIR, require_library


def _remove_broken(output: Path) -> None:
    """Remove what a full disk or a crash left empty or cut off: to SCons it is as new as its sources."""
    for path in output.rglob("*") if output.is_dir() else ():
        is_whole = {".a": _is_archive, ".elf": _is_whole_elf, ".o": _is_whole_elf}.get(path.suffix)
        if is_whole is not None and path.is_file() and not is_whole(path):
            path.unlink()


def _is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == b"!<arch>\n"


def _is_whole_elf(path: Path) -> bool:
    """The table of sections, which stands at the end of an object, is there."""
    from elftools.elf.elffile import ELFFile

    try:
        with path.open("rb") as file:
            header = ELFFile(file).header
    except Exception:  # whatever the parser makes of half a file
        return False
    return bool(header["e_shoff"] + header["e_shnum"] * header["e_shentsize"] <= path.stat().st_size)


def require_build_tools(board: Board, where: str) -> Path | None:
    """PlatformIO's core folder of a board with a framework, None for others; or what is missing to build for it.

    Args:
        where: for messages.

    Raises:
        ToolError: the compiler, or PlatformIO's platform for the board, is not installed.
    """
    if board.framework is not None:
        return require_platform(board.framework, where)
    if shutil.which(board.architecture.compiler) is None:
        raise missing_compiler(board.architecture)
    return None


def build_project(
    folder: Path,
    *,
    progress: Progress | None = None,
    timeout: float = 900.0,
    clean: bool = False,
    tflm: str | None = None,
) -> Firmware:
    """Build a project with PlatformIO and measure it. What has not changed is not compiled again, and what was built
    before of the same files by the same tools is taken from the user's cache.

    Args:
        folder: a project emitted by mcugen.
        progress: called when a step starts.
        timeout: seconds that PlatformIO may take.
        clean: delete the build folder first, and take nothing that was built before.
        tflm: where TensorFlow Lite Micro is, for a project that needs it; None takes MCUGEN_TFLM_DIR.

    Raises:
        ProjectError: not a project of mcugen's, one of another version, or in a folder with an impossible name.
        DoesNotFitError: the linker found a memory region too small; the message has the numbers.
        ToolError: compiler, PlatformIO, its platform or TensorFlow Lite Micro are missing, failed, or took too long.
    """
    project = load_project(folder)
    if "$" in str(project.folder) or not str(project.folder).isprintable():
        raise ProjectError(
            "PlatformIO cannot build in a folder whose path holds a $ or control characters",
            where=str(project.folder),
            hint="Move or rename the folder",
        )
    core = require_build_tools(project.board, str(project.folder))
    root = require_library(project.manifest.library, project.board, tflm)
    if progress:
        progress(f"building for {project.board.name}", -1.0)
    variables = {TFLM_DIR: str(root)} if root is not None else {}
    workspace = project.folder / ".pio"
    output = workspace / "build" / project.board.name
    with file_lock(
        workspace / "mcugen.lock",
        timeout=timeout,
        busy="another build of this project is running",
        unwritable="Building writes into the project: copy it to a folder that you can write to",
    ):
        if clean:
            shutil.rmtree(workspace / "build", ignore_errors=True)
        _remove_broken(output)
        elf, map_file = output / "firmware.elf", output / "firmware.map"
        key = build_key(project)
        taken, text = not clean and take_built(key, output), ""
        if not taken:
            arguments = ["run", "-e", project.board.name]
            text = run_pio(arguments, project.folder, timeout=timeout, variables=variables, core=core)
        if not elf.is_file():
            raise ToolError(
                f"PlatformIO produced no firmware:\n  {text[-500:]}",
                where=str(project.folder),
                hint="The project's platformio.ini or platform/ was changed: generate the project again",
            )
        if not build_id(elf):
            raise ToolError(
                "the firmware has no build id, which identifies it",
                where=str(elf),
                hint="Generate the project again: its platformio.ini or linker script was changed",
            )
        if not taken:
            keep_built(key, project, output)
        sizes = measure(elf, map_file, project.board.ram if core is not None else None)
        memories = memory_use(elf, project.board.memories) if project.board.placed else {}
    return Firmware(
        project=project.folder,
        board=project.board.name,
        elf=elf,
        map=map_file,
        flash=sizes.flash,
        ram=sizes.ram,
        symbols=sizes.symbols,
        toolchain=sizes.toolchain,
        memories=tuple(memories.items()),
    )
