"""Builds the test double with the same sources and flags that an emitted project has."""

from __future__ import annotations

import subprocess
from pathlib import Path

from mcugen.boards import Board
from mcugen.emit.bsp import bsp_files, compile_flags, harness_files, link_flags

DOUBLE = Path(__file__).parent / "double"
WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wstrict-prototypes", "-Wmissing-prototypes", "-O2", "-g"]


def build_double(board: Board, folder: Path, *, size: int = 64, inputs: int = 1, extra: tuple[str, ...] = ()) -> Path:
    """ELF of the test double for `board`, with `inputs` inputs of `size` bytes each."""
    files = {**bsp_files(board), **harness_files(board)}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    sources = [name for name in sorted(files) if name.endswith(".c")]
    includes = ["-I", "lib/mcg_bsp", "-I", "lib/mcg_harness", "-I", str(DOUBLE)]
    defines = [f"-DMODEL_BYTES={size}", f"-DMODEL_INPUTS={inputs}", *extra]
    command = [
        "arm-none-eabi-gcc", *compile_flags(board), *WARNINGS, *includes, *defines,
        *sources, str(DOUBLE / "mcg_model.c"), str(DOUBLE / "main.c"), *link_flags(board), "-o", "firmware.elf",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder / "firmware.elf"
