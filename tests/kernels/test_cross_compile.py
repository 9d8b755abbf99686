"""Every kernel compiles without a warning for every kind of core, and needs nothing it must not need."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mcugen.resources import resource_dir

HEADERS = sorted((resource_dir("firmware") / "kernels").glob("*.h"))

MVE_HEADERS = [header for header in HEADERS if header.stem.endswith("_mve")]
"""Headers made of MVE's instructions, which no other core has."""

CORES = {
    "m0": ("-mcpu=cortex-m0",),
    "m3": ("-mcpu=cortex-m3",),
    "m4": ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
    "m55": ("-mcpu=cortex-m55", "-mfloat-abi=hard"),
}

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror")

MEMORY = {"memcpy", "memset", "memmove"}


def wrapper(header: Path) -> str:
    """C that compiles the header's kernel as a function of its own, with parameters unknown to the compiler."""
    kernel = header.stem
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    found = re.search(rf"void {kernel}\(([^)]*)\)", text)
    if found is None:  # a header that other kernels include
        return f'#include "{header.name}"\ntypedef int {kernel}_is_no_kernel;\n'
    arguments = " ".join(found.group(1).split())
    names = ", ".join(re.search(r"(\w+)$", a.strip()).group(1) for a in arguments.split(","))  # type: ignore[union-attr]
    return f'#include "{header.name}"\nvoid run({arguments});\nvoid run({arguments}) {{ {kernel}({names}); }}\n'


def compile_header(header: Path, compiler: str, flags: tuple[str, ...], folder: Path) -> Path:
    source, made = folder / "kernel.c", folder / "kernel.o"
    source.write_text(wrapper(header))
    command = [compiler, *flags, *WARNINGS, f"-I{header.parent}", "-c", str(source), "-o", str(made)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    return made


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("header", HEADERS, ids=lambda h: h.stem)
def test_cores(header: Path, core: str, tmp_path: Path) -> None:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    if header in MVE_HEADERS and core != "m55":
        pytest.skip("made for cores with MVE")
    made = compile_header(header, "arm-none-eabi-gcc", ("-O2", *CORES[core]), tmp_path)
    listing = subprocess.run(["arm-none-eabi-nm", "-u", str(made)], capture_output=True, text=True, check=True)
    wanted = {line.split()[-1] for line in listing.stdout.splitlines()}
    libc = {name for name in wanted if not name.startswith("__")} - MEMORY
    assert not libc, "kernels use no libc but memcpy, memset and memmove"
    assert not [name for name in wanted if "ldiv" in name or "ulmod" in name], "no 64-bit division"


@pytest.mark.parametrize("level", ["-O0", "-O3"])
@pytest.mark.parametrize("header", [h for h in HEADERS if h not in MVE_HEADERS], ids=lambda h: h.stem)
def test_host(header: Path, level: str, tmp_path: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler for this computer is installed")
    compile_header(header, compiler, (level,), tmp_path)
