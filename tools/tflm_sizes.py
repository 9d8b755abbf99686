"""Measures how much code each kernel of TensorFlow Lite Micro brings along: the table of mcugen/runtimes/tflm/sizes.py.

Needs MCUGEN_TFLM_DIR, a checkout with a release build for Cortex-M4F, and links about 130 small programs:

    MCUGEN_TFLM_DIR=… python tools/tflm_sizes.py
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from mcugen.boards.shipped import load_board
from mcugen.runtimes.tflm.library import build_flags, choose_library
from mcugen.runtimes.tflm.resolver import INT8_KERNELS
from mcugen.tflite.known_ops import BUILTINS, CUSTOMS

PROGRAM = """
#include <new>
#include "tensorflow/lite/micro/kernels/micro_ops.h"
#include "tensorflow/lite/micro/micro_context.h"
{headers}
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

extern "C" {{
extern const unsigned char model[];
void reset();
void *__dso_handle;
}}
alignas(16) static uint8_t arena[1024];
alignas(16) static unsigned char room[sizeof(tflite::MicroInterpreter)];
static tflite::MicroMutableOpResolver<4> ops;

__attribute__((section(".vectors"), used)) void reset() {{
  {calls}
  auto *made = new (room) tflite::MicroInterpreter(tflite::GetModel(model), ops, arena, sizeof arena);
  if (made->AllocateTensors() == kTfLiteOk) made->Invoke();
}}
"""

SHARED = ("AddFullyConnected(tflite::Register_FULLY_CONNECTED_INT8())", "fully_connected.h")
"""Registered everywhere: nearly every model has some op that needs what this one does (requantization, doubles)."""


def main() -> None:
    board = load_board("mps2-an386")
    library = choose_library(board)
    assert library.root is not None
    flags = [*board.cpu_flags(), "-Os", "-ffunction-sections", "-fdata-sections", "-std=c++17", "-fno-exceptions"]
    flags += ["-fno-rtti", "-fno-threadsafe-statics", "-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs"]
    flags += ["-Wl,--gc-sections", "-Wl,-ereset", "-Wl,--defsym=model=0x10000"]
    given = " ".join(build_flags(library, str(library.root))).split()
    compile_flags = [flag for flag in given if not flag.startswith(("-L", "-l")) and "/lib" not in flag]
    archive = [str(library.root / library.variant.archive), "-lm"] if library.variant else []

    def code_bytes(call: str, header: str) -> int:
        calls = dict.fromkeys(((SHARED[0]), call))
        headers = dict.fromkeys((SHARED[1], header))
        text = PROGRAM.format(
            headers="\n".join(f'#include "tensorflow/lite/micro/kernels/{h}"' for h in headers if h),
            calls="\n  ".join(f"ops.{c};" for c in calls if c),
        )
        with tempfile.TemporaryDirectory() as folder:
            source, elf = Path(folder) / "x.cc", Path(folder) / "x.elf"
            source.write_text(text)
            command = ["arm-none-eabi-g++", *flags, *compile_flags, str(source), *archive, "-o", str(elf)]
            subprocess.run(command, check=True, capture_output=True)
            sizes = subprocess.run(["arm-none-eabi-size", str(elf)], check=True, capture_output=True, text=True)
        text_bytes, data_bytes = sizes.stdout.splitlines()[1].split()[:2]
        return int(text_bytes) + int(data_bytes)

    base = code_bytes("", "")
    print(f"base with FULLY_CONNECTED: {base}")
    uses = [
        (f"{kind}*", f"{BUILTINS[kind]}(tflite::Register_{kind}_INT8())", kernel.header)
        for kind, kernel in INT8_KERNELS.items()
    ]
    uses += [(kind, f"{method}()", "") for kind, method in {**BUILTINS, **CUSTOMS}.items()]
    for name, call, header in sorted(uses):
        print(f'    "{name}": {code_bytes(call, header) - base},', flush=True)


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    main()
