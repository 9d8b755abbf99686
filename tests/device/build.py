"""Builds the test double with the same sources and flags that an emitted project has."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.boards.shipped import load_board
from mcugen.boards.types import Board
from mcugen.project.bsp import bsp_files, compile_flags, harness_files, link_flags

DOUBLE = Path(__file__).parent / "double"
WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wstrict-prototypes", "-Wmissing-prototypes", "-O2", "-g"]


def build_double(board: Board, folder: Path, *, size: int = 64, inputs: int = 1, extra: tuple[str, ...] = ()) -> Path:
    """ELF of the test double for `board`, with `inputs` inputs of `size` bytes each."""
    if shutil.which(board.architecture.compiler) is None or shutil.which(board.architecture.qemu) is None:
        pytest.skip(f"{board.architecture.compiler} or {board.architecture.qemu} is not installed")
    files = {**bsp_files(board), **harness_files(board)}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    sources = [name for name in sorted(files) if name.endswith(".c")]
    includes = ["-I", "lib/mcg_bsp", "-I", "lib/mcg_harness", "-I", str(DOUBLE)]
    defines = [f"-DMODEL_BYTES={size}", f"-DMODEL_INPUTS={inputs}", *extra]
    command = [
        board.architecture.compiler,
        *compile_flags(board),
        *WARNINGS,
        *includes,
        *defines,
        *sources,
        str(DOUBLE / "mcg_model.c"),
        str(DOUBLE / "main.c"),
        # A specs file may be named once in a command.
        *(flag for flag in link_flags(board) if flag not in compile_flags(board)),
        "-o",
        "firmware.elf",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder / "firmware.elf"


def build_host_double(
    folder: Path, *, size: int = 64, inputs: int = 1, max_payload: int = 256, extra: tuple[str, ...] = ()
) -> Path:
    """The same harness and test double as a program of the host that talks over its standard streams."""
    return _build_for_host(folder, "server", ["host_port.c", *extra], size, inputs, max_payload)


def build_loaded_double(
    folder: Path, *, size: int = 64, inputs: int = 1, max_payload: int = 256, extra: tuple[str, ...] = ()
) -> Path:
    """The same as a library for `LoadedDouble`."""
    port = ["inprocess_port.c", "-shared", "-fPIC", *extra]
    return _build_for_host(folder, "double.so", port, size, inputs, max_payload)


def build_fuzzer(folder: Path, *, size: int = 64, inputs: int = 1, twin: tuple[str, str] | None = None) -> Path:
    """The same as a program in which libFuzzer searches for requests that break it. Needs clang.

    Args:
        twin: text of the harness and what stands in its place in a broken twin.
    """
    port = ["libfuzzer_port.c", "-fsanitize=fuzzer,address"]
    return _build_for_host(folder, "fuzzer", port, size, inputs, 256, compiler="clang", twin=twin)


def _build_for_host(
    folder: Path,
    name: str,
    port: list[str],
    size: int,
    inputs: int,
    max_payload: int,
    *,
    compiler: str = "gcc",
    twin: tuple[str, str] | None = None,
) -> Path:
    files = harness_files(load_board("microbit"), max_payload)
    if twin is not None:
        assert any(twin[0] in text for text in files.values())
        files = {path: text.replace(*twin) for path, text in files.items()}
    for path, text in files.items():
        (folder / Path(path).name).write_text(text, encoding="utf-8")
    sources = [Path(path).name for path in sorted(files) if path.endswith(".c")]
    command = [
        compiler,
        *WARNINGS,
        "-fsanitize=undefined",
        "-fno-sanitize-recover=all",
        "-I",
        ".",
        "-I",
        str(DOUBLE),
        f"-DMODEL_BYTES={size}",
        f"-DMODEL_INPUTS={inputs}",
        *sources,
        str(DOUBLE / "mcg_model.c"),
        str(DOUBLE / "clock_port.c"),
        str(DOUBLE / port[0]),
        *port[1:],
        "-o",
        name,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder / name


def double_answer(first: NDArray[Any], second: NDArray[Any] | None = None) -> NDArray[Any]:
    """What the test double gives for int8 inputs."""
    total = first.view(np.uint8) + np.uint8(1)
    if second is not None:
        total = total + second.view(np.uint8)
    return (total * np.uint8(2)).view(np.int8)
