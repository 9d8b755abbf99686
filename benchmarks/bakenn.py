"""The same models through bakenn, the other generator of C on PyPI, on the same emulated board and harness.

bakenn takes none of the models as published (dynamic batch, RESHAPE without options, SOFTMAX). They are given to it
with a fixed batch and with options, and without their last SOFTMAX. Its fastest variant is measured: CMSIS-NN, -O3.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers

from mcugen import api
from mcugen.builder import build_project
from mcugen.device.connecting import open_device
from mcugen.oracle import Oracle, make_inputs
from mcugen.runtimes.aot.graph import read_graph
from mcugen.tflite.schema import load_schema, op_kind

VERSION = "1.0.0"

_COMPILE = """
import sys
from bakenn import CORTEX_M4, CBackendOptions, KernelPolicy, compile_tflite
options = CBackendOptions(kernel_policy=KernelPolicy.STATIC_PRIORITY, enable_cmsis_nn=True, target=CORTEX_M4)
compile_tflite(sys.argv[1], sys.argv[2], name="model", target=CORTEX_M4, backend_options=options)
"""

_ADAPTER = """
#include "bknn_model.h"

static uint8_t arena[BKNN_MODEL_ARENA_SIZE] __attribute__((aligned(16)));
static int8_t input[BKNN_MODEL_INPUT_BYTES], output[BKNN_MODEL_OUTPUT_BYTES];

const mcg_model_info *mcg_model_get_info(void) { return &mcg_info; }
int mcg_model_init(void) { return 0; }
void *mcg_model_input(uint32_t index) { return (void)index, input; }
const void *mcg_model_output(uint32_t index) { return (void)index, output; }
int mcg_model_invoke(void) { return bknn_model_infer(arena, input, output), 0; }
int mcg_model_invoke_hooked(mcg_op_hook hook, void *context) { return hook(context, 0), mcg_model_invoke(); }
const void *mcg_model_op_output(uint32_t op, uint32_t *bytes) { return (void)op, *bytes = sizeof output, output; }
"""


@dataclass(frozen=True)
class Figures:
    """What bakenn's code for a model costs. Sizes in bytes; `arena` is without inputs and outputs."""

    instructions: int
    code: int
    weights: int
    arena: int
    stack: int
    equals_oracle: bool


def measure_all(models: dict[str, Path], board: str) -> dict[str, Figures]:
    """Install bakenn into a temporary environment, and measure every model.

    Raises:
        subprocess.CalledProcessError: it cannot be installed, or does not compile a model.
    """
    with tempfile.TemporaryDirectory(prefix="mcugen-bakenn-") as temporary:
        folder = Path(temporary)
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv" / "bin" / "python"
        _run([str(python), "-m", "pip", "install", "--quiet", f"bakenn[tflite]=={VERSION}"])
        return {name: _measure(name, path, board, python, folder) for name, path in models.items()}


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)


def _measure(name: str, path: Path, board: str, python: Path, folder: Path) -> Figures:
    model, source, project = folder / f"{name}.tflite", folder / f"{name}-c", folder / f"{name}-project"
    model.write_bytes(_as_it_takes_it(path.read_bytes()))
    _run([str(python), "-c", _COMPILE, str(model), str(source)])
    made = api.generate(model, board=board, out=project)
    harness = build_project(project).flash.harness  # of mcugen's own firmware; everything else below is bakenn's
    library = project / "lib" / "mcg_model"
    ours = (library / "mcg_model.c").read_text()
    facts = ours[ours.index("static const int32_t mcg_dims") : ours.index("const mcg_model_info *mcg_model_get_info")]
    shutil.rmtree(library / "kernels")
    shutil.copytree(source, library, dirs_exist_ok=True)
    (library / "mcg_model.c").write_text('#include "mcg_model.h"\n' + facts + _ADAPTER)
    description = json.loads((library / "library.json").read_text())
    includes = [f"-I{path.relative_to(library)}" for path in sorted(library.glob("third_party/*/Include"))]
    description["build"]["flags"] = ["-O3", "-std=c11", *includes]
    (library / "library.json").write_text(json.dumps(description))
    firmware = build_project(project)
    declared = set(re.findall(r"\bbknn_\w+", (source / "bknn_model_weights.h").read_text()))
    weights = sum(symbol.size for symbol in firmware.symbols if symbol.name in declared)
    arena = int(re.findall(r"MODEL_ARENA_SIZE (\d+)u", (source / "bknn_model.h").read_text())[0])
    graph = read_graph(model.read_bytes())
    samples = make_inputs(graph, 8, 0)
    with (
        Oracle(model.read_bytes()) as oracle,
        open_device(firmware.elf, made.project.board, model_sha256=graph.sha256) as device,
    ):
        equal = all(device.run(s)[0][0].tobytes() == oracle.run(s)[0].tobytes() for s in samples)
        _, cost = device.run(samples[0])
        stack = device.stack_used(samples[0])
    return Figures(cost, firmware.flash.total - harness - weights, weights, arena, stack, equal)


def _as_it_takes_it(data: bytes) -> bytes:
    """The model with fixed shapes, options for every RESHAPE, and without a SOFTMAX at its end."""
    schema = load_schema()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    subgraph = model.subgraphs[0]

    def kind(op: Any) -> str:
        return op_kind(model.operatorCodes[op.opcodeIndex])

    for tensor in subgraph.tensors:
        tensor.shapeSignature = None
    if kind(subgraph.operators[-1]) == "SOFTMAX":
        subgraph.outputs = [int(subgraph.operators[-1].inputs[0])]
        del subgraph.operators[-1]
    for op in subgraph.operators:
        if kind(op) == "RESHAPE":
            op.builtinOptions = schema.ReshapeOptionsT()
            op.builtinOptions.newShape = [int(d) for d in subgraph.tensors[op.outputs[0]].shape]
            op.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
    model.signatureDefs = None
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def tables(figures: dict[str, Figures], ours: dict[str, Any]) -> Iterator[str]:
    """A table of bakenn's figures beside ours (proofs by model); nothing if it was not measured."""
    if not figures:
        return
    yield from [f"## bakenn {VERSION}, mcugen / bakenn ({next(iter(ours.values())).board.name})", ""]
    yield "| model | instructions | code B | weights B | arena B | stack B | bakenn equals tflite-micro |"
    yield "|---|---:|---:|---:|---:|---:|---|"
    for name, theirs in figures.items():
        proof = ours[name]
        flash = proof.firmware.flash
        pairs = [
            (proof.cost.invoke, theirs.instructions),
            (flash.code, theirs.code),
            (flash.weights, theirs.weights),
            (proof.firmware.ram.arena, theirs.arena),
            (proof.cost.stack, theirs.stack),
        ]
        cells = [f"{a:,} / {b:,} ({a / b:.2f}×)" for a, b in pairs]
        yield f"| {name} | {' | '.join(cells)} | {'yes' if theirs.equals_oracle else 'no'} |"
    yield from [
        "",
        "CMSIS-NN, -O3, without the model's SOFTMAX, which mcugen's figures include; its arena is without inputs and "
        "outputs, mcugen's with them.",
        "",
    ]
