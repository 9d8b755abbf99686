"""How much code an emitted model needs, beside a hand-written program with the same library. Needs MCUGEN_TFLM_DIR."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mcugen.boards.shipped import load_board
from mcugen.project.bsp import bsp_files, linker_script
from mcugen.runtimes.tflm.emit import emit_tflm
from mcugen.runtimes.tflm.library import build_flags
from mcugen.runtimes.tflm.program import TflmOptions, make_program
from mcugen.runtimes.tflm.resolver import INT8_KERNELS, INT16_KERNELS, Registration
from mcugen.tflite.known_ops import BUILTINS
from tests.models import real
from tests.tflm.support import model_bytes, real_tflm

BOARD = load_board("mps2-an386")

START = """
extern int main(void);
void mcg_reset(void);
void *__dso_handle;
int __aeabi_atexit(void *object, void (*destructor)(void *), void *handle);
void mcg_reset(void) { main(); for (;;) {} }
int __aeabi_atexit(void *object, void (*destructor)(void *), void *handle) {
  (void)object, (void)destructor, (void)handle;
  return 0;
}
"""
"""No start-up code and no harness, on either side."""

EMITTED = """
#include "mcg_model.h"
int main() {
  if (mcg_model_init() != 0) return 1;
  int8_t *in = static_cast<int8_t *>(mcg_model_input(0));
  for (int i = 0; i < 490; i++) in[i] = static_cast<int8_t>(37 * i + 11);
  if (mcg_model_invoke() != 0) return 2;
  return static_cast<const int8_t *>(mcg_model_output(0))[0];
}
"""
"""What README.md of a project shows."""

BY_HAND = """
#include <new>
#include "tensorflow/lite/micro/kernels/conv.h"
#include "tensorflow/lite/micro/kernels/depthwise_conv.h"
#include "tensorflow/lite/micro/kernels/fully_connected.h"
#include "tensorflow/lite/micro/kernels/pooling.h"
#include "tensorflow/lite/micro/kernels/softmax.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

extern "C" const unsigned char mcg_const_model[];
alignas(16) static uint8_t arena[25000];
alignas(tflite::MicroInterpreter) static unsigned char room[sizeof(tflite::MicroInterpreter)];

int main() {
  static tflite::MicroMutableOpResolver<6> ops;
  if (ops.AddConv2D(tflite::Register_CONV_2D_INT8()) != kTfLiteOk) return 1;
  if (ops.AddDepthwiseConv2D(tflite::Register_DEPTHWISE_CONV_2D_INT8()) != kTfLiteOk) return 1;
  if (ops.AddFullyConnected(tflite::Register_FULLY_CONNECTED_INT8()) != kTfLiteOk) return 1;
  if (ops.AddAveragePool2D(tflite::Register_AVERAGE_POOL_2D_INT8()) != kTfLiteOk) return 1;
  if (ops.AddSoftmax(tflite::Register_SOFTMAX_INT8()) != kTfLiteOk) return 1;
  if (ops.AddReshape() != kTfLiteOk) return 1;
  auto *interpreter =
      new (room) tflite::MicroInterpreter(tflite::GetModel(mcg_const_model), ops, arena, sizeof arena);
  if (interpreter->AllocateTensors() != kTfLiteOk) return 2;
  int8_t *in = interpreter->input(0)->data.int8;
  for (int i = 0; i < 490; i++) in[i] = static_cast<int8_t>(37 * i + 11);
  if (interpreter->Invoke() != kTfLiteOk) return 3;
  return interpreter->output(0)->data.int8[0];
}
"""
"""The shortest program for kws: checks no more than TFLM itself does."""


@real("kws_ref_model")
def test_an_emitted_model_needs_no_more_code_than_a_program_by_hand(tmp_path: Path) -> None:
    tflm = real_tflm()
    program = make_program(model_bytes("kws_ref_model"), "kws", BOARD, TflmOptions(tflm, arena_bytes=23_000))
    for path, text in {**emit_tflm(program), linker_script(BOARD): bsp_files(BOARD)[linker_script(BOARD)]}.items():
        (tmp_path / Path(path).name).write_text(text)
    given = " ".join(build_flags(program.tflm, tflm)).split()
    common = [*BOARD.cpu_flags(), "-Os", "-ffunction-sections", "-fdata-sections", f"-I{tmp_path}"]
    cxx = ["-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-nostartfiles"]
    link = ["--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections", f"-T{tmp_path / (BOARD.name + '.ld')}"]

    def code_bytes(name: str, text: str, *sources: str) -> int:
        (tmp_path / f"{name}.cc").write_text(text)
        (tmp_path / "start.c").write_text(START)
        files = [str(tmp_path / source) for source in (f"{name}.cc", "mcg_model_data.cc", *sources)]
        elf, start = str(tmp_path / f"{name}.elf"), str(tmp_path / "start.o")
        for command in (
            ["arm-none-eabi-gcc", *common, "-c", str(tmp_path / "start.c"), "-o", start],
            ["arm-none-eabi-g++", *common, *cxx, *link, *files, start, *given, "-o", elf],
        ):
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[:2000]
        shown = subprocess.run(["arm-none-eabi-size", elf], capture_output=True, text=True, check=True).stdout
        text_bytes, data_bytes = shown.splitlines()[1].split()[:2]
        return int(text_bytes) + int(data_bytes) - len(program.flatbuffer.data)

    emitted = code_bytes("emitted", EMITTED, "mcg_model.cc")
    by_hand = code_bytes("by_hand", BY_HAND)
    assert emitted <= by_hand
    if program.tflm.name.endswith("cortex-m4+fp_release_cmsis_nn_gcc"):
        assert by_hand == pytest.approx(52_700, rel=0.02), "this is another TFLM: measure docs/TFLM.md again"


def test_every_registration_of_one_type_compiles_with_tflms_own_headers(tmp_path: Path) -> None:
    tflm = real_tflm()
    program = make_program(model_bytes("sine"), "x", BOARD, TflmOptions(tflm, arena_bytes=2048))
    kernels = [*INT8_KERNELS.items(), *INT16_KERNELS.items()]
    every = tuple(Registration(kind, BUILTINS[kind], kernel) for kind, kernel in kernels)
    for path, text in emit_tflm(replace(program, registrations=every)).items():
        (tmp_path / path).write_text(text)
    flags = [*BOARD.cpu_flags(), "-std=c++17", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Werror"]
    given = " ".join(build_flags(program.tflm, tflm)).split()
    command = ["arm-none-eabi-g++", *flags, *given, "-fsyntax-only", str(tmp_path / "mcg_model.cc")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]
