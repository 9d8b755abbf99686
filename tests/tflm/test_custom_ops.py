"""Custom ops in the TFLM runtime: a given kernel runs through an adapter, else there is a stub that names itself."""

from __future__ import annotations

import copy
import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flatbuffers import flexbuffers

from mcugen import api
from mcugen.boards.shipped import load_board
from mcugen.device.device import ModelStartError
from mcugen.errors import McugenError, ModelError, UnsupportedOpError
from mcugen.ops.custom import use_custom_ops
from mcugen.runtimes.aot.emit.host import host_compiler
from mcugen.runtimes.tflm.arena import arena_with_custom_ops
from mcugen.runtimes.tflm.emit import emit_tflm
from mcugen.runtimes.tflm.program import TflmOptions, TflmProgram, make_program
from mcugen.runtimes.tflm.resolver import registrations
from mcugen.runtimes.tflm.view import read_view
from mcugen.runtimes.tflm.without_ops import without_ops
from mcugen.tflite.opened import packed
from mcugen.tflite.schema import pack_model, unpack_model
from mcugen.verify.parted_oracle import open_oracle
from tests.custom.test_custom_ops import EXAMPLE, KERNEL, PYTHON, REFERENCE, WINDOW, signal_model
from tests.kernels.single_op import Node, TensorSpec, build_graph
from tests.tflm.support import real_tflm
from tests.tflm.test_emit import DEBUG, compile_library, needs_cxx, needs_gemmlowp
from tests.tflm.test_resolver import fully_connected, renamed

BOARD = load_board("mps2-an386")


@pytest.fixture
def gain(tmp_path: Path) -> str:
    (tmp_path / "gain.c").write_text(KERNEL)
    (tmp_path / "gain.py").write_text(PYTHON + REFERENCE)
    return f"Gain={tmp_path / 'gain.c'}"


def twice() -> bytes:
    """The same op two times, with other options each."""
    x, y, z = (TensorSpec((1, 6), scale=0.1) for _ in range(3))
    told = [bytes(flexbuffers.Dumps({"gain": gain})) for gain in (2, 3)]
    return build_graph([Node("CUSTOM:Gain", told[0], [x], [y]), Node("CUSTOM:Gain", told[1], [y], [z])], [z])


def made(data: bytes, **options: int) -> TflmProgram:
    return make_program(data, "model", BOARD, TflmOptions("", arena_bytes=4096, **options))  # type: ignore[arg-type]


HEADER = """
#pragma once
#include <cstddef>
#include <cstdint>
enum TfLiteStatus { kTfLiteOk, kTfLiteError };
struct TfLiteIntArray { int size; int data[4]; };
struct TfLiteEvalTensor { struct { void *data; } data; };
struct TfLiteNode { TfLiteIntArray *inputs, *outputs; void *user_data; };
struct TfLiteContext {
  TfLiteEvalTensor *(*GetEvalTensor)(const TfLiteContext *, int);
  TfLiteStatus (*RequestScratchBufferInArena)(TfLiteContext *, size_t, int *);
  void *(*GetScratchBuffer)(TfLiteContext *, int);
};
struct TFLMRegistration {
  void *(*init)(TfLiteContext *, const char *, size_t);
  TfLiteStatus (*prepare)(TfLiteContext *, TfLiteNode *);
  TfLiteStatus (*invoke)(TfLiteContext *, TfLiteNode *);
};
namespace tflite {
struct MicroOpResolver { const TFLMRegistration *FindOp(const char *) const; };
namespace micro {
inline TFLMRegistration RegisterOp(decltype(TFLMRegistration::init) init, decltype(TFLMRegistration::prepare) prepare,
                                   decltype(TFLMRegistration::invoke) invoke) {
  return {init, prepare, invoke};
}
}
}
"""
"""What the adapters use of TFLM, and no more."""

MAIN = """
#include <cstdio>
#include "mcg_custom_ops.h"
#include "tensorflow/lite/micro/kernels/kernel_util.h"
static int8_t values[3][6] = {{-128, -7, 0, 5, 6, 127}};
static TfLiteEvalTensor tensors[3];
static TfLiteEvalTensor *Get(const TfLiteContext *, int i) { return &tensors[i]; }
int main() {
  for (int i = 0; i < 3; i++) tensors[i].data.data = values[i];
  TfLiteContext context = {Get, nullptr, nullptr};
  const McgRegistration *op = mcg_custom_op_0();
  TfLiteIntArray ids[3] = {{1, {0}}, {1, {1}}, {1, {2}}};
  for (int start = 0; start < 2; start++) {  /* a model may be started again */
    mcg_custom_ops_begin();
    TfLiteNode nodes[2] = {{&ids[0], &ids[1], nullptr}, {&ids[1], &ids[2], nullptr}};
    for (auto &node : nodes) node.user_data = op->init(&context, nullptr, 0);
    if (op->init(&context, nullptr, 0) != nullptr) return 3;
    for (auto &node : nodes) if (op->prepare(&context, &node) != kTfLiteOk) return 1;
    for (auto &node : nodes) if (op->invoke(&context, &node) != kTfLiteOk) return 2;
  }
  for (int i = 0; i < 6; i++) std::printf("%d ", values[2][i]);
  return mcg_custom_op_missing != nullptr;
}
"""


def test_a_given_kernel_runs_with_the_parameters_of_each_use(gain: str, tmp_path: Path) -> None:
    folder = tmp_path / "built"
    with use_custom_ops([gain]):
        data = twice()
        files = emit_tflm(made(data))
        x = np.array([[-128, -7, 0, 5, 6, 127]], np.int8)
        with open_oracle(data) as oracle:
            (expected,) = oracle.run([x])
    kernels = folder / "tensorflow/lite/micro/kernels"
    kernels.mkdir(parents=True)
    (kernels / "kernel_util.h").write_text(HEADER)
    (kernels.parent / "micro_op_resolver.h").write_text('#include "tensorflow/lite/micro/kernels/kernel_util.h"\n')
    for path, text in files.items():
        if "custom" in path:
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text)
    (folder / "main.cc").write_text(MAIN)
    cc = host_compiler()
    strict = ["-Wall", "-Wextra", "-Werror", "-I."]
    for command in (
        [cc, *strict, "-std=c99", "-pedantic", "-c", "mcg_custom_kernel_0.c"],
        ["g++", *strict, "-std=c++17", "main.cc", "mcg_custom_ops.cc", "mcg_custom_kernel_0.o", "-o", "run"],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:3000]
    ran = subprocess.run([str(folder / "run")], capture_output=True, text=True)
    assert ran.returncode == 0
    assert [int(word) for word in ran.stdout.split()] == expected.reshape(-1).tolist()


@needs_cxx
@needs_gemmlowp
def test_adapters_compile_against_tflms_headers(tmp_path: Path) -> None:
    with use_custom_ops([EXAMPLE]):
        files = emit_tflm(made(signal_model()))
    assert "mcg_custom_kernel_0.c" in files
    assert "kernels/mcg_custom_zero_crossings.h" in files
    compile_library({name: text for name, text in files.items() if "/" not in name}, tmp_path, DEBUG)


def test_a_given_kernel_goes_before_tflms_own() -> None:
    view = read_view(renamed(fully_connected("int8"), "CUSTOM", "SignalWindow"))
    assert registrations(view)[0].method == "AddWindow"
    with use_custom_ops([WINDOW]):
        assert registrations(view)[0].is_users


def test_a_use_that_the_python_file_refuses_is_refused(gain: str) -> None:
    data = renamed(fully_connected("int8"), "CUSTOM", "Gain")
    with use_custom_ops([gain]), pytest.raises(McugenError, match="gain"):
        made(data)


def test_given_kernels_and_replaceable_models_do_not_go_together(gain: str) -> None:
    with use_custom_ops([gain]), pytest.raises(ModelError, match=r"parameters of custom ops \(Gain\) are compiled in"):
        made(twice(), slot_bytes=50_000)


def test_the_stub_is_reachable_without_the_option(tmp_path: Path) -> None:
    path = tmp_path / "own.tflite"
    path.write_bytes(twice())
    api.generate(path, board="mps2-an386", out=tmp_path / "p", runtime="tflm", tflm="", arena=4096)
    stub = (tmp_path / "p/lib/mcg_model/mcg_custom_ops.cc").read_text()
    assert 'mcg_custom_op_missing = "Gain"' in stub
    with pytest.raises(UnsupportedOpError, match="custom operators"):
        api.generate(path, board="mps2-an386", out=tmp_path / "q")


def test_what_nothing_here_can_compute_is_not_verified() -> None:
    with pytest.raises(ModelError, match=r"what the custom ops Gain compute.*custom_ops=\[.Gain=path/kernel\.c"):
        open_oracle(twice())


def between() -> bytes:
    """TFLM's ops before, between and after two of the user's."""
    tensors = [TensorSpec((1, 64), scale=0.1) for _ in range(6)]
    told = bytes(flexbuffers.Dumps({"gain": 2}))
    kinds = ["RELU", "CUSTOM:Gain", "RELU", "CUSTOM:Gain", "RELU"]
    pairs = zip(kinds, itertools.pairwise(tensors), strict=True)
    nodes = [Node(kind, told if kind != "RELU" else None, [x], [y]) for kind, (x, y) in pairs]
    return build_graph(nodes, [tensors[-1]])


@pytest.mark.parametrize("model", [twice, between])
def test_the_arena_is_computed(model: Callable[[], bytes], gain: str) -> None:
    data = model()
    with use_custom_ops([gain]):
        program = make_program(data, "model", BOARD, TflmOptions(""))
        assert program.live_bound < program.arena_bytes < program.live_bound + 3000
        assert not program.arena_given
        assert program.warnings[:-1] == []
    with use_custom_ops([gain.replace("Gain=", "Other=")]):
        stub = make_program(data, "model", BOARD, TflmOptions(""))
    assert any("if Gain asks for memory of its own" in warning for warning in stub.warnings)


def test_scratch_is_part_of_the_arena() -> None:
    view = read_view(twice())
    sizes = [arena_with_custom_ops(twice(), view, {"CUSTOM:Gain"}, scratch).smallest for scratch in (0, 1000)]
    assert sizes[1] - sizes[0] == 1008


def test_of_a_custom_op_in_a_subgraph_it_is_not() -> None:
    model = unpack_model(between())
    model.subgraphs.append(copy.deepcopy(model.subgraphs[0]))
    with pytest.raises(ModelError, match=r'op 1 CUSTOM:Gain ".*": the arena cannot.*custom op in a subgraph') as caught:
        without_ops(packed(model), {"CUSTOM:Gain"})
    assert "arena=BYTES" in caught.value.hint
    assert made(pack_model(model)).arena_given


@pytest.mark.emulator
def test_on_the_device(gain: str, tmp_path: Path) -> None:
    tflm, path = real_tflm(), tmp_path / "own.tflite"
    path.write_bytes(twice())
    told = {"board": "mps2-an386", "runtime": "tflm", "tflm": tflm}
    proof = api.deploy(path, out=tmp_path / "p", custom_ops=[gain], samples=3, **told)
    assert proof.verdict.bit_exact
    assert proof.plan.arena_exact
    api.generate(path, out=tmp_path / "stub", **told)
    inputs = tmp_path / "x.npy"
    np.save(inputs, np.zeros((1, 1, 6), np.int8))
    with pytest.raises(ModelStartError, match=r"a custom op is not written yet.*\(Gain\)"):
        api.run(tmp_path / "stub", inputs=inputs, tflm=tflm)
