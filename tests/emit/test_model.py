"""The emitted model library: stands alone, is plain C, and its helpers round as the reference does."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mcugen.errors import DataError
from mcugen.runtimes.aot.emit.host import WARNINGS, HostModel, host_compiler
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import Plan, make_plan
from tests import zoo
from tests.kernels.single_op import TensorSpec, build_model, options
from tests.models import both, model_bytes


def add_plan(name: str = "x", scale: float = 0.5, zero_point: int = -3) -> Plan:
    x = TensorSpec((1, 5), scale=scale, zero_point=zero_point, name=name)
    y = TensorSpec((1, 5), scale=0.25, zero_point=4, name="y")
    z = TensorSpec((1, 5), scale=0.7, zero_point=4, name="z")
    return make_plan(read_graph(build_model("ADD", options("AddOptions"), [x, y], [z]), name))


def write(plan: Plan, folder: Path, **more: object) -> Path:
    for path, text in emit_model(plan, **more).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.mark.parametrize("name", both(zoo.NAMES, ["kws_ref_model"]))
def test_emitting_is_reproducible(name: str) -> None:
    first, second = (emit_model(make_plan(optimize(read_graph(model_bytes(name), "kws")))) for _ in range(2))
    assert first == second
    assert list(first) == list(second)


def test_hostile_names_cannot_leave_their_comment_or_string(tmp_path: Path) -> None:
    plan = add_plan('*/ int x = system("rm"); /* \\ ??/ "quoted" \u202e')
    folder = write(plan, tmp_path, labels=['a"b', "*/", "c\\"], command="mcugen */ deploy")
    command = [host_compiler(), *WARNINGS, "-c", str(folder / "mcg_model.c"), "-o", str(tmp_path / "m.o")]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stderr == ""


def test_two_files_and_kernels_are_all_that_is_needed(tmp_path: Path) -> None:
    """A C program of a user's own, in another folder, with its own main."""
    folder = write(add_plan(), tmp_path / "lib", labels=["no", "yes"])
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "mcg_model.h"\n'
        "int main(void) {\n"
        "  mcg_model_init();\n"
        "  int8_t *a = mcg_model_input(0), *b = mcg_model_input(1);\n"
        "  for (int i = 0; i < MCG_MODEL_INPUT0_ELEMENTS; i++) a[i] = mcg_model_quantize_input0(1.0f);\n"
        "  for (int i = 0; i < MCG_MODEL_INPUT1_ELEMENTS; i++) b[i] = mcg_model_quantize_input1(2.5f);\n"
        "  mcg_model_invoke();\n"
        "  const int8_t *out = mcg_model_output(0);\n"
        '  printf("%.2f %s\\n", mcg_model_dequantize_output0(out[4]), mcg_model_labels[1]);\n'
        "}\n"
    )
    program = tmp_path / "program"
    sources = [str(tmp_path / "main.c"), str(folder / "mcg_model.c")]
    subprocess.run([host_compiler(), *WARNINGS, f"-I{folder}", *sources, "-o", str(program)], check=True)
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "3.50 yes\n"


def test_the_header_works_in_cpp(tmp_path: Path) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed")
    folder = write(add_plan(), tmp_path)
    (tmp_path / "user.cpp").write_text('#include "mcg_model.h"\nint main() { return mcg_model_init(); }\n')
    command = [compiler, "-std=c++11", "-Wall", "-Wextra", "-Werror", f"-I{folder}", "-c", "user.cpp", "-o", "user.o"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stderr == ""


def test_code_of_another_kernel_version_does_not_compile(tmp_path: Path) -> None:
    folder = write(add_plan(), tmp_path)
    common = folder / "kernels" / "mcg_common.h"
    common.write_text(re.sub(r"MCG_RUNTIME_VERSION \d+", "MCG_RUNTIME_VERSION 9999", common.read_text()))
    command = [host_compiler(), "-c", str(folder / "mcg_model.c"), "-o", str(tmp_path / "m.o")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "generate the project again" in result.stderr


@pytest.mark.parametrize(("scale", "zero_point"), [(0.5, -3), (0.1, 127), (3.7, -128), (0.00392156862, 0)])
def test_quantize_and_dequantize_helpers_round_as_the_reference(tmp_path: Path, scale: float, zero_point: int) -> None:
    write(add_plan(scale=scale, zero_point=zero_point), tmp_path)
    (tmp_path / "helpers.c").write_text(
        '#include "mcg_model.h"\n'
        "int quantize(float v) { return mcg_model_quantize_input0(v); }\n"
        "float dequantize(int v) { return mcg_model_dequantize_output0((int8_t)v); }\n"
    )
    library = tmp_path / "helpers.so"
    source = str(tmp_path / "helpers.c")
    subprocess.run([host_compiler(), *WARNINGS, "-shared", "-fPIC", source, "-o", str(library)], check=True)
    code = ctypes.CDLL(str(library))
    code.quantize.argtypes, code.dequantize.restype = [ctypes.c_float], ctypes.c_float
    generator = np.random.default_rng(3)
    halves = (np.arange(-300, 300) + 0.5) * scale
    values = np.concatenate([halves, generator.normal(0, 100 * scale, 500), [0.0, 1e30, -1e30]]).astype(np.float32)
    ratio = values / np.float32(scale)
    rounded = np.trunc(ratio) + np.where(np.abs(ratio - np.trunc(ratio)) >= 0.5, np.sign(ratio), 0)
    expected = np.clip(rounded.astype(np.float64) + zero_point, -128, 127).astype(int)
    assert [code.quantize(float(v)) for v in values] == expected.tolist()
    assert code.quantize(float("nan")) == -128
    assert code.dequantize(10) == pytest.approx(np.float32(0.7) * 6)


def test_inputs_of_a_wrong_kind_are_refused() -> None:
    with HostModel(add_plan()) as host:
        good = np.zeros((1, 5), np.int8)
        with pytest.raises(DataError, match="2 inputs, but 1"):
            host.run([good])
        with pytest.raises(DataError, match="input 1: is float32"):
            host.run([good, good.astype(np.float32)])
        with pytest.raises(DataError, match="input 0: is int8"):
            host.run([np.zeros((1, 6), np.int8), good])


STDINT = """\
#ifndef STDINT
#define STDINT
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#define INT32_MIN (-2147483647 - 1)
#define INT32_MAX 2147483647
#define UINT32_MAX 4294967295u
#define INT32_C(x) x
#define UINT32_C(x) x##u
#define INT64_C(x) x##ll
#endif
"""
STRING = """\
#ifndef STRING
#define STRING
typedef unsigned long size_t;
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
#endif
"""


def test_it_needs_no_extension_of_a_compiler(tmp_path: Path) -> None:
    """A C99 compiler that is not GNU's meets no attribute, assembly or built-in. The C library's own headers would."""
    folder = write(add_plan(), tmp_path)
    headers = tmp_path / "libc"
    headers.mkdir()
    (headers / "stdint.h").write_text(STDINT)
    (headers / "string.h").write_text(STRING)
    (headers / "stddef.h").write_text("#define NULL ((void *)0)\n")
    forbidden = [f"-D{word}=extension_of_a_compiler" for word in ("__attribute__", "__asm__", "__builtin_clz")]
    command = [host_compiler(), "-std=c99", "-pedantic-errors", "-Werror=implicit-function-declaration", "-nostdinc"]
    command += [f"-I{headers}", "-U__GNUC__", *forbidden, "-fsyntax-only", str(folder / "mcg_model.c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
