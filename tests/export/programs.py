"""Programs around exported models: inputs from a file, outputs to a file, on the host and in QEMU by semihosting."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.oracle import Oracle, make_inputs
from mcugen.runtimes.aot.graph import read_graph
from mcugen.tflite.opened import open_model

HERE = Path(__file__).parent

CPU = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]
LINK = ["--specs=rdimon.specs", "-Wl,--gc-sections", f"-T{HERE / 'target' / 'an386.ld'}"]
QEMU = ["qemu-system-arm", "-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none"]
QEMU += ["-semihosting-config", "enable=on,target=native"]
START = HERE / "target" / "start.c"

STRICT = [
    *("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wcast-qual", "-Wstrict-prototypes", "-Wundef"),
    "-Werror",
]
"""What the emitted C and its kernels are clean under."""

_MAIN = """
#include <stdint.h>
#include <stdio.h>
{includes}

static FILE *in, *out;
{functions}

int main(void) {{
  in = fopen("in.bin", "rb");
  out = fopen("out.bin", "wb");
  if (in == NULL || out == NULL) return 2;
{inits}
  for (int sample = 0; sample < {samples}; sample++) {{
{runs}
  }}
  fclose(out);
  puts("done");
  return 0;
}}
"""

_RUN = """
static int run_{name}({parameter}) {{
  int8_t *input = {name}_input0({passed});
  if (fread(input, sizeof *input, {NAME}_INPUT0_ELEMENTS, in) != {NAME}_INPUT0_ELEMENTS) return 1;
  if ({name}_invoke({passed}) != 0) return 1;
  const {output} *output = {name}_output0({passed});
  return fwrite(output, sizeof *output, {NAME}_OUTPUT0_ELEMENTS, out) != {NAME}_OUTPUT0_ELEMENTS{keep};
}}
"""

Arrays = list[NDArray[Any]]


def main_c(names: Sequence[str], samples: int, *, contexts: int = 0, output: str = "int8_t") -> str:
    """A program that runs every model on every sample; with `contexts`, so many of it, each after its output."""
    parameter = "{0}_context *context" if contexts else "void"
    functions, inits, runs = [], [], []
    for name in names:
        functions.append(
            _RUN.format(
                name=name,
                NAME=name.upper(),
                output=output,
                keep=" || fwrite(context, sizeof *context, 1, out) != 1" if contexts else "",
                parameter=parameter.format(name),
                passed="context" if contexts else "",
            )
        )
        if contexts:
            functions.append(f"static {name}_context contexts_{name}[{contexts}];")
        for which in [f"&contexts_{name}[{n}]" for n in range(contexts)] or [""]:
            inits.append(f"  if ({name}_init({which}) != 0) return 3;")
            runs.append(f"    if (run_{name}({which}) != 0) return 4;")
    return _MAIN.format(
        includes="\n".join(f'#include "{name}.h"' for name in names),
        functions="\n".join(functions),
        inits="\n".join(inits),
        runs="\n".join(runs),
        samples=samples,
    )


def inputs_of(model: bytes, samples: int, seed: int = 0) -> list[Arrays]:
    """Random inputs, the extremes among them."""
    return make_inputs(read_graph(open_model(model), "m"), samples, seed)


def expected(model: bytes, inputs: Sequence[Arrays]) -> list[Arrays]:
    """What the oracle answers, one sample after the other."""
    with Oracle(model) as oracle:
        return [oracle.run(sample) for sample in inputs]


def run_program(program: Path, inputs: Sequence[NDArray[Any]], *, emulated: bool) -> bytes:
    """The outputs of a program, given its inputs in the order that it reads them."""
    folder = program.parent
    (folder / "in.bin").write_bytes(b"".join(values.tobytes() for values in inputs))
    (folder / "out.bin").unlink(missing_ok=True)
    command = [*QEMU, "-kernel", str(program)] if emulated else [str(program)]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert "done" in ran.stdout, f"{ran.returncode}: {ran.stdout}{ran.stderr}"
    return (folder / "out.bin").read_bytes()


def compile_program(
    sources: Sequence[Path], out: Path, *, emulated: bool, flags: Sequence[str] = (), libs: Sequence[str] = ()
) -> Path:
    """Compile and link C files for the host or for mps2-an386."""
    extra = [str(START)] if emulated else []
    compiler = ["arm-none-eabi-gcc", *CPU] if emulated else ["gcc"]
    link = [*LINK] if emulated else []
    command = [*compiler, "-std=c99", "-O2", "-ffunction-sections", "-fdata-sections", *flags]
    command += [*extra, *map(str, sources), "-o", str(out), *link, *libs]
    checked(command)
    return out


def checked(command: Sequence[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What a tool prints; a failure is the test's."""
    ran = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def flat(samples: Sequence[Arrays]) -> bytes:
    """All arrays' bytes, in order."""
    return b"".join(np.ascontiguousarray(values).tobytes() for sample in samples for values in sample)
