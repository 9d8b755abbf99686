"""Every kernel compiles without a warning for every kind of core, and needs nothing it must not need."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mcugen.resources import kernel_headers
from tests.conftest import KERNEL_INCLUDES

HEADERS = list(kernel_headers().values())

MVE_HEADERS = [header for header in HEADERS if header.stem.endswith("_mve")]
"""Headers made of MVE's instructions, which no other core has."""

FLOAT_HEADERS = [header for header in HEADERS if "_f32" in header.stem]

INTEGER_HEADERS = [header for header in HEADERS if header not in (*FLOAT_HEADERS, *MVE_HEADERS)]

_AT_ONCE = 6


def groups_of(headers: list[Path]) -> dict[str, list[Path]]:
    return {headers[i].stem: headers[i : i + _AT_ONCE] for i in range(0, len(headers), _AT_ONCE)}


GROUPS = {**groups_of(INTEGER_HEADERS), **groups_of(MVE_HEADERS), "float32": FLOAT_HEADERS}
"""Headers that are compiled together, by the name of the first; the compiler names the one at fault."""

CORES = {
    "m0": ("-mcpu=cortex-m0",),
    "m3": ("-mcpu=cortex-m3",),
    "m4": ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
    "m55": ("-mcpu=cortex-m55", "-mfloat-abi=hard"),
}

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror")

MEMORY = {"memcpy", "memset", "memmove"}

MATHS = {
    "ceilf",
    "cosf",
    "exp",
    "expf",
    "expm1f",
    "fabsf",
    "floor",
    "floorf",
    "fmodf",
    "logf",
    "sinf",
    "sqrtf",
    "tanhf",
}
"""What kernels of float32 may call besides."""


def wrapper(header: Path) -> str:
    """C that compiles the header's kernel as a function of its own, with parameters unknown to the compiler."""
    kernel = header.stem
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    found = re.search(rf"void {kernel}\(([^)]*)\)", text)
    if found is None:  # a header that other kernels include
        return f'#include "{header.name}"\ntypedef int {kernel}_is_no_kernel;\n'
    arguments = " ".join(found.group(1).split())
    names = ", ".join(re.search(r"(\w+)$", a.strip()).group(1) for a in arguments.split(","))  # type: ignore[union-attr]
    run = f"void run_{kernel}({arguments})"
    return f'#include "{header.name}"\n{run};\n{run} {{ {kernel}({names}); }}\n'


def compile_headers(headers: list[Path], compiler: str, flags: tuple[str, ...], folder: Path) -> Path:
    source, made = folder / "kernel.c", folder / "kernel.o"
    source.write_text("".join(map(wrapper, headers)))
    command = [compiler, *flags, *WARNINGS, *KERNEL_INCLUDES, "-c", str(source), "-o", str(made)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    return made


FITTING = [(group, core) for group in GROUPS for core in CORES if core == "m55" or GROUPS[group][0] not in MVE_HEADERS]
"""What is made for cores with MVE compiles for no other."""


@pytest.mark.parametrize(("group", "core"), FITTING)
def test_cores(group: str, core: str, tmp_path: Path) -> None:
    headers = GROUPS[group]
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    made = compile_headers(headers, "arm-none-eabi-gcc", ("-O2", *CORES[core]), tmp_path)
    listing = subprocess.run(["arm-none-eabi-nm", "-u", str(made)], capture_output=True, text=True, check=True)
    wanted = {line.split()[-1] for line in listing.stdout.splitlines()}
    allowed = MEMORY | MATHS if group == "float32" else MEMORY
    libc = {name for name in wanted if not name.startswith("__")} - allowed
    assert not libc, "kernels use no libc but memcpy, memset and memmove, those of float32 libm"
    assert not [name for name in wanted if "ldiv" in name or "ulmod" in name], "no 64-bit division"


@pytest.mark.parametrize("level", ["-O0", "-O3"])
@pytest.mark.parametrize("group", [name for name in GROUPS if not name.endswith("_mve")])
def test_host(group: str, level: str, tmp_path: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler for this computer is installed")
    compile_headers(GROUPS[group], compiler, (level,), tmp_path)
