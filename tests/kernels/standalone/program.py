"""Many models of one op as one program, which compares its outputs with the oracle's by itself.

It runs in a process of its own, so that sanitizers can end it, and so that kernels under test may crash.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.names import DEFAULT_GOAL, Goal
from mcugen.ops.base import Target
from mcugen.runtimes.aot.emit.host import host_compiler
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from mcugen.runtimes.aot.plan.layout import aligned
from mcugen.runtimes.aot.plan.types import Plan
from tests.kernels.cores import join
from tests.kernels.single_op import make_samples, oracle

MAIN = Path(__file__).parent / "main.c"
KERNELS, CASES, PROGRAM = "kernels", "cases.bin", "program"
_MODEL, _CONSTANTS, _ASIDE = "mcg_model.c", "constants.c", "kernels.c"
_WITHOUT_KERNELS = frozenset({MAIN.name, _CONSTANTS, _MODEL})

SANITIZED = ("-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
"""Flags with which a program ends at the first undefined step."""

_COMMON = ("-std=c99", "-w")
_DIFFERS = 1
_RANGES = 4
"""Of the arena that an op may touch, as main.c reads them."""


def write_program(
    models: Sequence[bytes], target: Target, folder: Path, samples: int = 2, goal: Goal = DEFAULT_GOAL
) -> frozenset[str]:
    """The models side by side, with extreme samples, `samples` random ones and one of small numbers, and the oracle's.

    Kernels are in a source of their own, so that a change to one is compiled in no time. Returns their names.
    """
    plan = make_plan(read_graph(join(models)), target, goal)
    kernels = frozenset(call.kernel for step in plan.steps for call in step.calls)
    for path, text in emit_model(plan).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    shutil.copy(MAIN, folder)
    _put_constants_aside(folder)
    _put_kernels_aside(folder, sorted(kernels))
    given = [_samples(model, samples, seed) for seed, model in enumerate(models)]
    wanted = [oracle(model, one) for model, one in zip(models, given, strict=True)]
    count = len(given[0])
    ranges = [_touched(plan, number) for number in range(len(plan.steps))]
    data = [np.array([count, plan.addresses[plan.graph.inputs[0]], *np.ravel(ranges)], np.uint32).tobytes()]
    for number in range(count):
        for tables in (given, wanted):
            data += [np.ascontiguousarray(array).tobytes() for table in tables for array in table[number]]
    (folder / CASES).write_bytes(b"".join(data))
    return kernels


def _samples(model: bytes, count: int, seed: int) -> list[list[NDArray[Any]]]:
    made = make_samples(model, count, seed)
    rng = np.random.default_rng(seed)
    small = [rng.integers(-2, 3, array.shape).astype(array.dtype) for array in made[0]]
    return [*made, small]


def _touched(plan: Plan, number: int) -> list[tuple[int, int]]:
    """Addresses and sizes of what an op may touch: its scratch memory, its output, up to two inputs.

    The last word of an input may be read as a whole, since every tensor has whole words.
    """
    step, (output,) = plan.steps[number], plan.steps[number].op.outputs
    inputs = [i for i in step.op.inputs if i >= 0 and not plan.graph.tensor(i).is_const]
    found = [(plan.scratch.get(number, 0), max(call.scratch_bytes for call in step.calls))]
    found.append((plan.addresses[output], plan.graph.tensor(output).nbytes))
    found += [(plan.addresses[i], aligned(plan.graph.tensor(i).nbytes)) for i in inputs]
    assert len(found) <= _RANGES, step.op.kind
    return found + [(0, 0)] * (_RANGES - len(found))


def _put_constants_aside(folder: Path) -> None:
    """Weights go into a file of their own, which is the larger part of the text and stays as it is."""
    model = folder / _MODEL
    definitions = []

    def declare(definition: re.Match[str]) -> str:
        definitions.append(f"MCG_ALIGNED const {definition[1]} = {{\n{definition[2]}\n}};\n")
        return f"extern const {definition[1]};"

    text = re.sub(r"MCG_ALIGNED static const (\w+ mcg_const_\w+\[\d+\]) = \{\n([^}]*)\n\};", declare, model.read_text())
    model.write_text(text)
    head = "#include <stdint.h>\n#define MCG_ALIGNED __attribute__((aligned(16)))\n"
    (folder / _CONSTANTS).write_text(head + "".join(definitions))


def _put_kernels_aside(folder: Path, kernels: Sequence[str]) -> None:
    """The model calls functions of another source, each of which is one kernel.

    The model's own source sees the kernels, too, for the types of their parameters, but calls none of them.
    """
    text = (folder / _MODEL).read_text()
    *_, last = re.finditer(r'#include "kernels/\w+\.h"\n', text)
    head, tail = text[: last.end()], text[last.end() :]
    declared, defined = [], []
    for kernel in kernels:
        header = (folder / KERNELS / f"{kernel}.h").read_text()
        found = re.search(rf"^MCG_(?:INLINE|SHARED) void {kernel}\(([^)]*)\) \{{", header, re.MULTILINE)
        assert found is not None, kernel
        names = ", ".join(re.findall(r"(\w+)(?:,|$)", found[1]))
        declared.append(f"void aside_{kernel}({found[1]});\n#define {kernel} aside_{kernel}\n")
        defined.append(f"void aside_{kernel}({found[1]}) {{ {kernel}({names}); }}\n")
    (folder / _MODEL).write_text(head + "".join(declared) + tail)
    (folder / _ASIDE).write_text(head.replace('#include "mcg_model.h"\n', "") + "".join(defined))


def unchanging_objects(folder: Path, flags: Sequence[str]) -> list[Path]:
    """Where `compile_unchanging` puts the objects of the sources that call no kernels."""
    suffix = ".san.o" if flags == SANITIZED else ".o"
    return [path.with_suffix(suffix) for path in sorted(folder.glob("*.c")) if path.name in _WITHOUT_KERNELS]


def compile_unchanging(folder: Path, flags: Sequence[str]) -> None:
    """Compile the sources that call no kernels, once for every `compile_program` with these flags.

    Raises:
        subprocess.CalledProcessError: the compiler refuses one.
    """
    for made in unchanging_objects(folder, flags):
        source = made.with_name(made.name.split(".")[0] + ".c")
        subprocess.run([host_compiler(), *_COMMON, *flags, "-c", str(source), "-o", str(made)], check=True)


def compile_program(folder: Path, flags: Sequence[str], objects: Sequence[Path] = ()) -> str:
    """Compile a folder's sources; the compiler's complaints, empty if there are none.

    Args:
        objects: of those sources that call no kernels, if they are compiled already.
    """
    sources = [path for path in sorted(folder.glob("*.c")) if not objects or path.name not in _WITHOUT_KERNELS]
    command = [host_compiler(), *_COMMON, *flags, *map(str, [*sources, *objects]), "-o", str(folder / PROGRAM), "-lm"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return result.stderr if result.returncode else ""


def run_program(folder: Path, cpu_seconds: int) -> str:
    """What is wrong with the program's outputs or its end; empty if nothing is."""
    limited = f'ulimit -t {cpu_seconds}; ulimit -c 0; exec "$@"'
    command = ["sh", "-c", limited, "sh", str(folder / PROGRAM), str(folder / CASES)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    if result.returncode == 0:
        return ""
    if result.returncode == _DIFFERS and not result.stderr:
        return result.stdout.strip()
    return result.stderr.strip()[:2000] or f"ended with {result.returncode}"
