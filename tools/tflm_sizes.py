"""Measures how much code each kernel of TensorFlow Lite Micro brings along: the table of mcugen/runtimes/tflm/sizes.py.

Needs MCUGEN_TFLM_DIR, a checkout with a release build for Cortex-M4F. One source has a program for each kernel alone,
and one for it beside FULLY_CONNECTED for int8; each is linked without the others. What it adds alone and not beside
that is what both have in common.

    MCUGEN_TFLM_DIR=… python tools/tflm_sizes.py
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from mcugen.boards.shipped import load_board
from mcugen.runtimes.tflm.library import build_flags, choose_library
from mcugen.runtimes.tflm.resolver import INT8_KERNELS, INT16_KERNELS
from mcugen.tflite.known_ops import BUILTINS, CUSTOMS

START = """
#include <new>
#include "tensorflow/lite/micro/kernels/micro_ops.h"
#include "tensorflow/lite/micro/micro_context.h"
{headers}
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

extern "C" {{
extern const unsigned char model[];
void *__dso_handle;
}}
alignas(16) static uint8_t arena[1024];
alignas(16) static unsigned char room[sizeof(tflite::MicroInterpreter)];
static tflite::MicroMutableOpResolver<4> ops;

__attribute__((noinline)) static void run() {{
  auto *made = new (room) tflite::MicroInterpreter(tflite::GetModel(model), ops, arena, sizeof arena);
  if (made->AllocateTensors() == kTfLiteOk) made->Invoke();
}}
"""

PROGRAM = """
extern "C" void program_{number}() {{
  {calls}
  run();
}}
"""

BESIDE = "AddFullyConnected(tflite::Register_FULLY_CONNECTED_INT8())"
"""What most quantized ops have something in common with (requantization, doubles)."""

LINKED = (
    "-nostartfiles",
    "--specs=nano.specs",
    "--specs=nosys.specs",
    "-Wl,--gc-sections",
    "-Wl,--defsym=model=0x10000",
)


def main() -> None:
    board = load_board("mps2-an386")
    library = choose_library(board)
    assert library.root is not None
    assert library.variant is not None
    compiler = ["arm-none-eabi-g++", *board.cpu_flags(), "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"]
    given = " ".join(build_flags(library, str(library.root))).split()
    compile_flags = [flag for flag in given if not flag.startswith(("-L", "-l")) and "/lib" not in flag]
    archive = [str(library.root / library.variant.archive), "-lm"]
    kernels = [
        (f"{kind}{mark}", f"{BUILTINS[kind]}(tflite::Register_{kind}{kernel.suffix}())", kernel.header)
        for mark, found in (("*", INT8_KERNELS), ("**", INT16_KERNELS))
        for kind, kernel in found.items()
    ]
    kernels += [(kind, f"{method}()", "") for kind, method in {**BUILTINS, **CUSTOMS}.items()]
    kernels.sort()
    programs: list[tuple[str, ...]] = [(), (BESIDE,)]
    programs += [calls for _, call, _ in kernels for calls in ((call,), tuple(dict.fromkeys((BESIDE, call))))]
    headers = sorted({header for _, _, header in kernels if header})
    text = START.format(headers="\n".join(f'#include "tensorflow/lite/micro/kernels/{header}"' for header in headers))
    for number, calls in enumerate(programs):
        text += PROGRAM.format(number=number, calls="\n  ".join(f"ops.{call};" for call in calls))

    with tempfile.TemporaryDirectory() as folder:
        source, compiled = Path(folder) / "x.cc", Path(folder) / "x.o"
        source.write_text(text)
        sections = ["-Os", "-std=c++17", "-ffunction-sections", "-fdata-sections"]
        subprocess.run([*compiler, *sections, *compile_flags, "-c", str(source), "-o", str(compiled)], check=True)

        def code_bytes(number: int) -> int | None:
            """Code of a program; None where the library lacks one of its kernels."""
            elf = Path(folder) / "x.elf"
            command = [*compiler, *LINKED, f"-Wl,-e,program_{number}", str(compiled), *archive, "-o", str(elf)]
            if subprocess.run(command, check=False, capture_output=True).returncode != 0:
                return None
            shown = subprocess.run(["arm-none-eabi-size", str(elf)], check=True, capture_output=True, text=True).stdout
            text_bytes, data_bytes = shown.splitlines()[1].split()[:2]
            return int(text_bytes) + int(data_bytes)

        nothing, base = code_bytes(0), code_bytes(1)
        assert nothing is not None
        assert base is not None
        print(f"interpreter: {nothing}, with FULLY_CONNECTED: {base}")
        for number, (name, _, _) in enumerate(kernels):
            alone, beside = code_bytes(2 + 2 * number), code_bytes(3 + 2 * number)
            if alone is None or beside is None:
                print(f"    # {name}: not in this library", flush=True)
            else:
                print(f'    "{name}": ({beside - base}, {alone - nothing - (beside - base)}),', flush=True)


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    main()
