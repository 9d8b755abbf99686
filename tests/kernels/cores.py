"""Runs emitted models on emulated cores and compares them with the oracle, many layers in one firmware.

The firmware is the emitted model with a main program that knows the expected outputs (`on_core/main.c`), so a run
takes no link to a host: it is compiled, started once, and prints what differs.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray

from mcugen.names import DEFAULT_GOAL, Goal
from mcugen.ops.base import Target
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.runtimes.aot.plan.types import Plan
from tests.kernels.single_op import make_samples, oracle, schema

HERE = Path(__file__).parent / "on_core"


@dataclass(frozen=True)
class Core:
    """A core, and the emulated machine that has one (or one that runs its instructions)."""

    target: Target
    machine: str
    flags: tuple[str, ...]
    flash: tuple[int, int] = (0, 4 << 20)
    ram: tuple[int, int] = (0x20000000, 4 << 20)


M0 = Core(Target("cortex-m0"), "mps2-an385", ("-mcpu=cortex-m0",))
"""There is no emulated machine with a Cortex-M0 and much memory; a Cortex-M3 runs all of its instructions."""

M3 = Core(Target("cortex-m3", ("mla",)), "mps2-an385", ("-mcpu=cortex-m3",))
M4 = Core(Target("cortex-m4", ("dsp",)), "mps2-an386", ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"))
M7 = Core(Target("cortex-m7", ("dsp",)), "mps2-an500", ("-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"))
M33 = Core(
    Target("cortex-m33", ("dsp",)),
    "mps2-an505",
    ("-mcpu=cortex-m33", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"),
    flash=(0x10000000, 4 << 20),
    ram=(0x38000000, 4 << 20),
)
M55 = Core(
    Target("cortex-m55", ("mve", "dsp")),
    "mps3-an547",
    ("-mcpu=cortex-m55", "-mfloat-abi=hard"),
    flash=(0x10000000, 512 << 10),
    ram=(0x30000000, 512 << 10),
)


def join(models: Sequence[bytes]) -> bytes:
    """Several models side by side as one, with all their inputs and outputs."""
    whole = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(models[0], 0))
    graph = whole.subgraphs[0]
    graph.inputs, graph.outputs = list(graph.inputs), list(graph.outputs)
    for model in models[1:]:
        part = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
        added = part.subgraphs[0]
        tensors, buffers, codes = len(graph.tensors), len(whole.buffers), len(whole.operatorCodes)
        for tensor in added.tensors:
            tensor.buffer = tensor.buffer + buffers - 1 if tensor.buffer else 0
        for op in added.operators:
            op.opcodeIndex += codes
            op.inputs = [i + tensors if i >= 0 else i for i in op.inputs]
            op.outputs = [i + tensors for i in op.outputs]
        graph.tensors += added.tensors
        graph.operators += added.operators
        graph.inputs += [i + tensors for i in added.inputs]
        graph.outputs += [i + tensors for i in added.outputs]
        whole.buffers += part.buffers[1:]
        whole.operatorCodes += part.operatorCodes
    builder = flatbuffers.Builder(1024)
    builder.Finish(whole.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def prove(
    models: Sequence[bytes], core: Core, folder: Path, samples: int = 1, seed: int = 0, goal: Goal = DEFAULT_GOAL
) -> Plan:
    """All models, joined, give the oracle's outputs on the core, for three extreme samples and `samples` random ones.

    Returns the plan, so that a test can check which kernels ran.
    """
    model = join(models)
    given = make_samples(model, samples, seed)
    return prove_samples(model, given, oracle(model, given), core, folder, goal)


def prove_samples(
    model: bytes,
    given: Sequence[Sequence[NDArray[Any]]],
    wanted: Sequence[Sequence[NDArray[Any]]],
    core: Core,
    folder: Path,
    goal: Goal = DEFAULT_GOAL,
    *,
    optimized: bool = False,
) -> Plan:
    """The model gives the outputs that are wanted on the core, float32 ones within the conformance suite's tolerance.

    `optimized` runs the passes first. Returns the plan.
    """
    graph = optimize(read_graph(model)) if optimized else read_graph(model)
    plan = make_plan(graph, core.target, goal)
    for path, text in emit_model(plan).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "expected.h").write_text(
        f"#define SAMPLES {len(given)}u\n{_array('given', given)}{_array('expected', wanted)}"
    )
    lines = _run(_link(core, folder), core)
    compared = sum(output.nbytes for sample in wanted for output in sample)
    assert lines == [f"done {compared}"], "\n".join(lines[:20])
    return plan


def _array(name: str, samples: Sequence[Sequence[Any]]) -> str:
    data = b"".join(np.ascontiguousarray(array).tobytes() for sample in samples for array in sample)
    return f"static const uint8_t {name}[{len(data)}] = {{{','.join(map(str, data))}}};\n"


def _link(core: Core, folder: Path) -> Path:
    regions = "\n".join(
        f"{name} (rwx) : ORIGIN = {origin:#x}, LENGTH = {size:#x}"
        for name, (origin, size) in (("FLASH", core.flash), ("RAM", core.ram))
    )
    script = folder / "core.ld"
    script.write_text(f"MEMORY {{\n{regions}\n}}\n{(HERE / 'core.ld').read_text()}")
    common = ["arm-none-eabi-gcc", "-std=c99", *core.flags, "-mthumb", "-ffunction-sections", f"-I{folder}"]
    objects = [folder / "mcg_model.o", folder / "main.o"]
    warnings = ["-Wall", "-Wextra", "-Werror"]
    _command([*common, "-O2", *warnings, "-c", str(folder / "mcg_model.c"), "-o", str(objects[0])])
    # The sources of tests ask for GNU C only where a register is named.
    _command([*common, "-std=gnu99", "-O1", *warnings, "-c", str(HERE / "main.c"), "-o", str(objects[1])])
    made = folder / "firmware.elf"
    libraries = ["-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections", "-lm"]
    _command([*common, *map(str, objects), *libraries, f"-T{script}", "-o", str(made)])
    return made


def _run(firmware: Path, core: Core) -> list[str]:
    semihosting = ["-semihosting-config", "enable=on,target=native"]
    quiet = ["-display", "none", "-monitor", "none", "-serial", "none"]
    output = _command(["qemu-system-arm", "-M", core.machine, *quiet, *semihosting, "-kernel", str(firmware)])
    return output.splitlines()


def _command(command: list[str]) -> str:
    """What a command prints; semihosting prints to the standard error on some versions of QEMU."""
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result.stdout + result.stderr
