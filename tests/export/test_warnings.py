"""Every kernel, and the emitted C of every model of the zoo, without a warning under what a strict project demands."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mcugen import api
from mcugen.resources import kernel_headers
from tests import zoo
from tests.conftest import KERNEL_INCLUDES
from tests.export.programs import STRICT, checked
from tests.models import model_path

COMPILERS = {
    "host gcc": ["gcc"],
    "host clang": ["clang"],
    "cortex-m0": ["arm-none-eabi-gcc", "-mcpu=cortex-m0", "-mthumb"],
    "cortex-m3": ["arm-none-eabi-gcc", "-mcpu=cortex-m3", "-mthumb"],
    "cortex-m4": ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb"],
    "cortex-m55": ["arm-none-eabi-gcc", "-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard"],
    "rv32imc": ["riscv64-unknown-elf-gcc", "-march=rv32imc", "-mabi=ilp32", "--specs=picolibc.specs"],
}


def compiler(name: str) -> list[str]:
    if shutil.which(COMPILERS[name][0]) is None:
        pytest.skip(f"{COMPILERS[name][0]} is not installed")
    return [*COMPILERS[name], "-std=c99", "-O2", *STRICT]


@pytest.mark.parametrize("name", COMPILERS)
def test_kernels(name: str, tmp_path: Path) -> None:
    headers = [header for header in kernel_headers() if "_mve" not in header or name == "cortex-m55"]
    (tmp_path / "all.c").write_text("".join(f'#include "{header}"\n' for header in headers) + "typedef int used;\n")
    checked([*compiler(name), *KERNEL_INCLUDES, "-c", "all.c", "-o", "all.o"], tmp_path)


CORES = {"host gcc": "generic", "host clang": "cortex-m4f", "cortex-m3": "cortex-m3", "cortex-m4": "cortex-m4"}
CORES |= {"cortex-m0": "cortex-m0", "cortex-m55": "cortex-m55"}


@pytest.mark.parametrize("name", CORES)
def test_models(name: str, tmp_path: Path) -> None:
    sources = []
    for model in zoo.NAMES:
        if model in zoo.FLOAT_NAMES and CORES[name] not in ("generic", "cortex-m4f"):
            continue
        out = tmp_path / model
        api.export(
            model_path(model), format="c", out=out, name=f"net_{model}", core=CORES[name], context=len(sources) % 2 > 0
        )
        sources.append(out / f"net_{model}.c")
    checked([*compiler(name), "-fsyntax-only", *map(str, sources)], tmp_path)


@pytest.mark.parametrize(
    "compile", [["g++"], ["arm-none-eabi-g++", "-mcpu=cortex-m4", "-mthumb"], ["clang++"]], ids=lambda c: c[0]
)
def test_headers_are_cpp(compile: list[str], tmp_path: Path) -> None:
    """Two models in one file, as in a user's .cpp; old-style casts are the header's own affair."""
    if shutil.which(compile[0]) is None:
        pytest.skip(f"{compile[0]} is not installed")
    names = ["ds_cnn", "wake_word"]
    api.export([model_path(name) for name in names], format="c", out=tmp_path, context=True)
    text = "".join(f'#include "{name}.h"\n' for name in names) + "int main() {\n"
    text += "".join(f"  static {name}_context {name};\n  {name}_init(&{name});\n" for name in names)
    (tmp_path / "main.cpp").write_text(text + "  return *ds_cnn_input0(&ds_cnn) + *wake_word_output0(&wake_word);\n}\n")
    flags = [flag for flag in STRICT if flag != "-Wstrict-prototypes"]
    checked([*compile, "-std=c++11", *flags, "-fsyntax-only", "main.cpp"], tmp_path)


def test_a_core_with_an_int_of_16_bits_is_refused(tmp_path: Path) -> None:
    """Its sums would overflow without a word."""
    api.export(model_path("ds_cnn"), format="c", out=tmp_path, name="net")
    small = ["gcc", "-U__INT_MAX__", "-D__INT_MAX__=0x7fff", "-fsyntax-only", str(tmp_path / "net.c")]
    said = subprocess.run(small, capture_output=True, text=True, check=False).stderr
    assert "needs an int of 32 bits" in said


def test_kernels_promise_only_by_the_macro() -> None:
    """A bare restrict could not be taken back where an output follows behind its input."""
    for name, path in kernel_headers().items():
        if name != "mcg_compiler.h":
            code = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
            assert not re.search(r"\brestrict\b|__restrict", code), name
