"""Exports used as their users use them: built with make and CMake, on the host and in the emulator, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from tests.export.programs import (
    CPU,
    LINK,
    START,
    STRICT,
    Arrays,
    checked,
    compile_program,
    expected,
    flat,
    inputs_of,
    main_c,
    run_program,
)
from tests.models import both, model_bytes, model_path, real

TARGETS = [pytest.param(False, id="host"), pytest.param(True, id="an386", marks=pytest.mark.emulator)]
SAMPLES = 3
PAIRS = ["ds_cnn resnet", pytest.param("kws_ref_model vww_96_int8", marks=real("kws_ref_model", "vww_96_int8"))]


@pytest.mark.parametrize("emulated", TARGETS)
@pytest.mark.parametrize("model", both(["ds_cnn", "resnet"], ["kws_ref_model"]))
def test_make(model: str, emulated: bool, tmp_path: Path) -> None:
    api.export(model_path(model), format="c", out=tmp_path / "lib", name="net", core="cortex-m4f" if emulated else None)
    inputs = inputs_of(model_bytes(model), SAMPLES)
    (tmp_path / "main.c").write_text(main_c(["net"], SAMPLES))
    start, link = (str(START), " ".join(LINK)) if emulated else ("", "")
    (tmp_path / "Makefile").write_text(
        "include lib/net.mk\n"
        f"program: main.c $(NET_SOURCES) {start}\n\t$(CC) -O2 $(NET_CFLAGS) $(CFLAGS) -o $@ $^ $(NET_LIBS) {link}\n"
    )
    compiler, flags = ("arm-none-eabi-gcc", CPU) if emulated else ("gcc", [])
    checked(["make", f"CC={compiler}", f"CFLAGS={' '.join([*flags, '-ffunction-sections', *STRICT])}"], tmp_path)
    answered = run_program(tmp_path / "program", [x for sample in inputs for x in sample], emulated=emulated)
    assert answered == flat(expected(model_bytes(model), inputs))


@pytest.mark.parametrize("emulated", TARGETS)
@pytest.mark.parametrize("how", ["add_subdirectory", "find_package"])
def test_cmake(how: str, emulated: bool, tmp_path: Path) -> None:
    api.export(model_path("ds_cnn"), format="cmake", out=tmp_path / "net", name="net", board="mps2-an386")
    inputs = inputs_of(model_bytes("ds_cnn"), SAMPLES)
    (tmp_path / "main.c").write_text(main_c(["net"], SAMPLES))
    bring = "add_subdirectory(net)" if how == "add_subdirectory" else "find_package(net 1.0 CONFIG REQUIRED)"
    start = f"{START} " if emulated else ""
    (tmp_path / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.13)\nproject(user C)\n{bring}\n"
        f"add_executable(program {start}main.c)\ntarget_link_libraries(program PRIVATE net::net)\n"
    )
    arguments = ["-DCMAKE_PREFIX_PATH=" + str(tmp_path / "net")]
    if emulated:
        (tmp_path / "arm.cmake").write_text(
            "set(CMAKE_SYSTEM_NAME Generic)\nset(CMAKE_SYSTEM_PROCESSOR arm)\nset(CMAKE_C_COMPILER arm-none-eabi-gcc)\n"
            "set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)\n"
            f'set(CMAKE_C_FLAGS_INIT "{" ".join(CPU)}")\nset(CMAKE_EXE_LINKER_FLAGS_INIT "{" ".join(LINK)}")\n'
            "set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)\n"
        )
        arguments.append(f"-DCMAKE_TOOLCHAIN_FILE={tmp_path / 'arm.cmake'}")
    checked(["cmake", "-S", str(tmp_path), "-B", str(tmp_path / "build"), *arguments])
    checked(["cmake", "--build", str(tmp_path / "build")])
    answered = run_program(tmp_path / "build" / "program", [x for s in inputs for x in s], emulated=emulated)
    assert answered == flat(expected(model_bytes("ds_cnn"), inputs))


@pytest.mark.parametrize("emulated", TARGETS)
@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("pair", PAIRS)
def test_two_models_in_one_program(pair: str, share: bool, emulated: bool, tmp_path: Path) -> None:
    models = pair.split()
    exported = api.export(
        [model_path(name) for name in models],
        format="c",
        out=tmp_path / "lib",
        name=["one", "two"],
        core="cortex-m4f" if emulated else None,
        share_arena=share,
    )
    arenas = [model.arena for model in exported.facts.models]
    assert exported.arena == (max(arenas) if share else sum(arenas))
    inputs = [inputs_of(model_bytes(name), SAMPLES) for name in models]
    answers = [expected(model_bytes(name), given) for name, given in zip(models, inputs, strict=True)]
    main = tmp_path / "main.c"
    main.write_text(main_c(["one", "two"], SAMPLES))
    program = compile_program(
        [main, *sorted((tmp_path / "lib").glob("*.c"))],
        tmp_path / "program",
        emulated=emulated,
        flags=[f"-I{tmp_path / 'lib'}", *STRICT],
        libs=["-Wl,--gc-sections"],
    )
    fed = [x for pairs in zip(*inputs, strict=True) for sample in pairs for x in sample]
    assert run_program(program, fed, emulated=emulated) == flat(
        [s for pairs in zip(*answers, strict=True) for s in pairs]
    )
    nm = "arm-none-eabi-nm" if emulated else "nm"
    names = [line.split()[-1] for line in checked([nm, str(program)]).splitlines() if " W mcg_" in line]
    assert names, "kernels that are functions"
    assert len(names) == len(set(names)), "one copy of each"
    sizes = [line.split() for line in checked([nm, "-S", str(program)]).splitlines() if "arena" in line]
    assert sum(int(size[1], 16) for size in sizes if len(size) == 4) == exported.arena


@pytest.mark.emulator
def test_code_of_two_models_is_counted_once(tmp_path: Path) -> None:
    def functions(names: list[str]) -> dict[str, int]:
        """Sizes of the functions that are linked, by name."""
        out = tmp_path / "_".join(names)
        api.export([model_path(name) for name in names], format="c", out=out, core="cortex-m4f")
        calls = "".join(f"  {name}_invoke();\n" for name in names)
        headers = "".join(f'#include "{name}.h"\n' for name in names)
        (out / "all.c").write_text(f"{headers}void use(void);\nvoid use(void) {{\n{calls}}}\n")
        linked = ["-nostdlib", "-Wl,--gc-sections", "-Wl,-euse", "-lc", "-lgcc"]
        flags = [*CPU, "-O2", "-ffunction-sections", "-fdata-sections", f"-I{out}"]
        checked(["arm-none-eabi-gcc", *flags, *map(str, sorted(out.glob("*.c"))), "-o", str(out / "all.elf"), *linked])
        symbols = [line.split() for line in checked(["arm-none-eabi-nm", "-S", str(out / "all.elf")]).splitlines()]
        return {s[3]: int(s[1], 16) for s in symbols if len(s) == 4 and s[2] in "tTW" and "mcg_op_" not in s[3]}

    one, two, both_models = functions(["ds_cnn"]), functions(["resnet"]), functions(["ds_cnn", "resnet"])
    assert sum(both_models.values()) < 0.85 * (sum(one.values()) + sum(two.values()))


@pytest.mark.parametrize("model", both(["wake_word", "lstm"], ["okay_nabu"]))
@pytest.mark.parametrize("emulated", TARGETS)
def test_two_instances_keep_a_state_each(model: str, emulated: bool, tmp_path: Path) -> None:
    """Two sequences in turn leave in each instance what the sequence alone leaves there, to the last byte."""
    core = "cortex-m4f" if emulated else None
    exported = api.export(model_path(model), format="c", out=tmp_path / "lib", name="net", context=True, core=core)
    inputs = [inputs_of(model_bytes(model), 4, seed) for seed in (1, 2)]
    answers = [expected(model_bytes(model), given) for given in inputs]

    def ran(samples: list[Arrays], contexts: int) -> list[tuple[bytes, bytes]]:
        """The output and the context after every inference."""
        main = tmp_path / f"main{contexts}.c"
        output = answers[0][0][0]
        main.write_text(main_c(["net"], len(samples) // contexts, contexts=contexts, output=f"{output.dtype}_t"))
        flags = [f"-I{tmp_path / 'lib'}", *STRICT]
        program = tmp_path / f"program{contexts}"
        compile_program([main, tmp_path / "lib" / "net.c"], program, emulated=emulated, flags=flags)
        wrote = run_program(program, [x for sample in samples for x in sample], emulated=emulated)
        state = (exported.arena + 7) // 8 * 8
        step = output.nbytes + state
        assert len(wrote) == len(samples) * step
        pieces = [wrote[at : at + step] for at in range(0, len(wrote), step)]
        return [(piece[: output.nbytes], piece[output.nbytes :]) for piece in pieces]

    together = ran([sample for pair in zip(*inputs, strict=True) for sample in pair], 2)
    for which in (0, 1):
        alone = ran(inputs[which], 1)
        assert together[which::2] == alone
        assert b"".join(output for output, _ in alone) == flat(answers[which])
    assert together[0][1] != together[1][1], "the sequences differ"


def test_contexts_run_in_threads(tmp_path: Path) -> None:
    """Eight threads, an instance each: every one gets what the oracle says, however they interleave."""
    api.export(model_path("wake_word"), format="c", out=tmp_path / "lib", name="net", context=True)
    given = inputs_of(model_bytes("wake_word"), 20)
    wanted = expected(model_bytes("wake_word"), given)
    (tmp_path / "in.bin").write_bytes(flat(given))
    (tmp_path / "want.bin").write_bytes(flat(wanted))
    ctype = f"{wanted[0][0].dtype}_t"
    (tmp_path / "main.c").write_text(
        f"""
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "net.h"
static int8_t in[20][NET_INPUT0_ELEMENTS];
static {ctype} want[20][NET_OUTPUT0_ELEMENTS];
static void *work(void *context) {{
  for (int round = 0; round < 30; round++) {{
    net_init(context);
    for (int n = 0; n < 20; n++) {{
      memcpy(net_input0(context), in[n], sizeof in[n]);
      if (net_invoke(context) != 0 || memcmp(net_output0(context), want[n], sizeof want[n]) != 0) return context;
    }}
  }}
  return NULL;
}}
int main(void) {{
  static net_context contexts[8];
  pthread_t threads[8];
  FILE *i = fopen("in.bin", "rb"), *w = fopen("want.bin", "rb");
  if (!i || !w || fread(in, sizeof in, 1, i) != 1 || fread(want, sizeof want, 1, w) != 1) return 2;
  for (int n = 0; n < 8; n++) pthread_create(&threads[n], NULL, work, &contexts[n]);
  int wrong = 0;
  for (int n = 0; n < 8; n++) {{
    void *failed;
    pthread_join(threads[n], &failed);
    wrong += failed != NULL;
  }}
  return wrong;
}}
"""
    )
    lib = tmp_path / "lib"
    checked(["gcc", "-O1", "-pthread", f"-I{lib}", "main.c", str(lib / "net.c"), "-o", "program"], tmp_path)
    checked([str(tmp_path / "program")], tmp_path)


@pytest.mark.parametrize("arena", ["static", "context"])
def test_a_model_has_no_state_but_its_arena(arena: str, tmp_path: Path) -> None:
    api.export(model_path("wake_word"), format="c", out=tmp_path, name="net", context=arena == "context")
    checked(["gcc", "-O2", "-std=c99", "-fno-pic", "-c", "net.c", "-o", "net.o"], tmp_path)
    symbols = checked(["nm", str(tmp_path / "net.o")]).splitlines()
    variables = [line.split()[-1] for line in symbols if line[17] in "bBdDC"]
    assert variables == (["mcg_arena"] if arena == "static" else [])


def test_the_example_answers_as_the_oracle(tmp_path: Path) -> None:
    api.export(model_path("ds_cnn"), format="c", out=tmp_path, name="net")
    checked(["make", "-C", str(tmp_path / "example"), f"CFLAGS={' '.join(STRICT)}"])
    (shape, zero) = input_of("ds_cnn")
    (answer,) = expected(model_bytes("ds_cnn"), [[np.full(shape, zero, np.int8)]])
    shown = checked([str(tmp_path / "example" / "first_inference")])
    assert shown == f"net output 0: {' '.join(str(int(v)) for v in answer[0].reshape(-1))}\n"


def input_of(name: str) -> tuple[tuple[int, ...], int]:
    """Shape and zero point of a model's input."""
    from mcugen.runtimes.aot.graph import read_graph
    from mcugen.tflite.opened import open_model

    graph = read_graph(open_model(model_bytes(name)), name)
    tensor = graph.tensor(graph.inputs[0])
    return tensor.shape, tensor.zero_point


def test_an_export_is_the_same_bytes_wherever_it_is_written(tmp_path: Path) -> None:
    for where in ("a", "b/c"):
        for format in ("arduino", "cmsis-pack"):
            api.export(model_path("ds_cnn"), format=format, out=tmp_path / where / format, name="net")
    first = {p.relative_to(tmp_path / "a"): p.read_bytes() for p in (tmp_path / "a").rglob("*") if p.is_file()}
    second = {p.relative_to(tmp_path / "b/c"): p.read_bytes() for p in (tmp_path / "b/c").rglob("*") if p.is_file()}
    assert first == second
