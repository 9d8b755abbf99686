"""Measures the real models on every emulated board, layers of many sizes, and the time from a `.tflite` to its verdict.

    make bench                                  prints Markdown
    .venv/bin/python benchmarks/run.py --write  writes benchmarks/RESULTS.md as well

The models are not part of the repository: MCUGEN_MODELS names their folder (default ../shared/models).
Every cell is a firmware built for the board, run in QEMU and compared with the oracle over 16 inputs. What is compiled
for a Cortex-M0 runs on the memory of a larger board too (boards/mps2-m0.toml), where all models fit. `--bakenn`
measures the generator bakenn beside them, installed from PyPI into a temporary environment.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bakenn
import cycles
import layers
import numpy as np
import recurrent
from baseline import MODELS, SOURCE, TARGETS, Baseline
from numpy.typing import NDArray

from mcugen import __version__, api
from mcugen.boards.shipped import load_board, load_boards
from mcugen.boards.types import Board
from mcugen.errors import DoesNotFitError
from mcugen.flow.proof import Proof
from mcugen.graph import Graph
from mcugen.names import GOALS, Goal
from mcugen.oracle import make_inputs
from mcugen.runtimes.aot.graph import read_graph
from mcugen.ui.terminal import Terminal

HERE = Path(__file__).resolve().parent
FOLDER = Path(os.environ.get("MCUGEN_MODELS", HERE.parent.parent / "shared" / "models"))
SAMPLES = 16
TIMED_MODEL, TIMED_BOARD, TIMED_TARGET_S = "kws", "mps2-an386", 15.0
TIMED_RUNS = 3
AGAIN, AGAIN_TARGET_S = "ad01.h5", 2.5
"""A Keras model that is deployed twice."""
M0_BOARD = HERE / "boards" / "mps2-m0.toml"
BY_CORE = ("mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547", "mps2-an385", "mps2-m0")
"""The boards of the table by core: M4F, M7, M33, M55, M3, M0."""
GOAL_BOARD = "mps2-an386"
LAYER_BOARDS = ("mps2-an386", "mps3-an547", "mps2-an385")

Results = dict[tuple[str, str], Proof | DoesNotFitError]
Goals = dict[tuple[str, Goal], Proof]


def pattern(graph: Graph) -> list[NDArray[Any]]:
    """The baseline's input: byte i is (37·i + 11) mod 256."""
    tensors = [graph.tensor(i) for i in graph.inputs]
    return [
        ((37 * np.arange(t.nbytes) + 11) % 256).astype(np.uint8).view(t.dtype.numpy).reshape(t.shape) for t in tensors
    ]


def fnv1a(arrays: tuple[NDArray[Any], ...]) -> str:
    """32-bit FNV-1a hash over all output bytes."""
    value = 0x811C9DC5
    for byte in b"".join(array.tobytes() for array in arrays):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return f"{value:08x}"


def measure(name: str, baseline: Baseline, board: str, goal: Goal = "speed") -> Proof | DoesNotFitError:
    path = FOLDER / baseline.file
    graph = read_graph(path.read_bytes())
    samples = [pattern(graph), *make_inputs(graph, SAMPLES - 1)]
    columns = [np.concatenate(column) for column in zip(*samples, strict=True)]
    try:
        proof: Proof = api.verify(path, board=board, inputs=columns, optimize=goal)
    except DoesNotFitError as error:
        return error
    if not proof.verdict.bit_exact or fnv1a(proof.verdict.outputs[0]) != baseline.output_hash:
        raise SystemExit(f"{name} on {board} is not bit-exact: no figure of it means anything")
    return proof


def time_to_verdict() -> list[float]:
    """Seconds of whole commands, from a `.tflite` to the verdict, nothing built before."""
    path = FOLDER / MODELS[TIMED_MODEL].file
    command = [sys.executable, "-m", "mcugen", "verify", str(path), "--board", TIMED_BOARD, "--json"]
    seconds = []
    for _ in range(TIMED_RUNS):
        started = time.monotonic()
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "MCUGEN_KEEP_BUILT": "0"})
        seconds.append(time.monotonic() - started)
    return seconds


def time_to_second_verdict() -> list[float]:
    """Seconds of a whole `deploy` of a Keras model that was deployed before: its float model and firmware are kept."""
    path = FOLDER / AGAIN
    if not path.is_file():
        return []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "mcugen", "deploy", str(path), "--data", "random", "--board", TIMED_BOARD]
        command += ["-o", f"{folder}/out", "--force", "--json"]
        subprocess.run(command, check=True, capture_output=True)
        seconds = []
        for _ in range(TIMED_RUNS):
            started = time.monotonic()
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.monotonic() - started)
    return seconds


def table(headings: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield "| " + " | ".join(headings) + " |"
    yield "|" + "|".join("---" if n == 0 else "---:" for n in range(len(headings))) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def beside(ours: int, theirs: int | None) -> str:
    """Our figure, the baseline's, and their ratio."""
    return f"{ours:,} / {theirs:,} ({ours / theirs:.2f}×)" if theirs else f"{ours:,}"


def cores_table(proofs: dict[tuple[str, str], Proof]) -> Iterator[str]:
    """Instructions by core beside the targets: met, or not."""
    yield from ["## Instructions by core, mcugen / TFLM, and the targets", ""]
    rows = []
    for board in BY_CORE:
        core = proofs["kws", board].board.cpu
        row = [core.replace("cortex-m", "M")]
        for name, targets in TARGETS.items():
            cost = proofs[name, board].cost.invoke
            limits = targets.get(core, targets["dsp"])
            met = "met" if cost <= limits[0] else "**missed**"
            met = "stretch met" if len(limits) > 1 and cost <= limits[1] else met
            wanted = " / ".join(f"{limit / 1e6:g} M" for limit in limits)
            row.append(f"{beside(cost, MODELS[name].instructions.get(core))}; {wanted}: {met}")
        rows.append(row)
    yield from table(["core", *TARGETS], rows)
    yield from ["After the semicolon: target / stretch. On M0 TFLM runs its reference kernels.", ""]


def goals_table(goals: Goals) -> Iterator[str]:
    yield from [f"## What to optimize for ({GOAL_BOARD})", ""]
    rows = []
    for name in TARGETS:
        for goal in GOALS:
            proof = goals[name, goal]
            flash, arena = proof.firmware.flash, proof.firmware.ram.arena
            figures = (proof.cost.invoke, flash.code, flash.weights, flash.total, arena, proof.plan.live_bound)
            rows.append([f"{name}, {goal}", *(f"{figure:,}" for figure in figures)])
    headings = ["`--optimize`", "instructions", "code B", "weights B", "flash in all B", "arena B", "live tensors B"]
    yield from table(headings, rows)
    yield from [
        "The arena holds inputs, outputs and scratch. Live tensors: the widest point, below which no layout goes that "
        "keeps every input apart from its output.",
        "",
    ]


def layers_tables() -> Iterator[str]:
    yield from ["## Instructions per MAC by layer", "", "Requantization and all overheads included.", ""]
    for kind in layers.KINDS:
        by_board = [layers.measure_kind(kind, board) for board in LAYER_BOARDS]
        rows = []
        for cells in zip(*by_board, strict=True):
            name, first, op = cells[0]
            row = [name, f"{first.plan.steps[op].macs:,}"]
            for _, found, number in cells:
                step = found.plan.steps[number]
                assert found.cost is not None
                row.append(f"{found.cost.per_op[number] / step.macs:.2f} ({step.variant})")
            rows.append(row)
        yield from table([kind, "MACs", *LAYER_BOARDS], rows)


def report(
    results: Results,
    boards: list[Board],
    goals: Goals,
    seconds: list[float],
    again: list[float],
    others: dict[str, bakenn.Figures],
) -> str:
    proofs = {key: proof for key, proof in results.items() if isinstance(proof, Proof)}
    compiler = next(iter(proofs.values())).firmware.toolchain
    lines = [
        "# Results",
        "",
        f"Made by `make bench` with mcugen {__version__}, {compiler}, -O2. Every firmware was run on the emulated "
        f"board and equals tflite-micro bit for bit on {SAMPLES} inputs. Cost is in instructions of one inference "
        f"where no other unit is named. Baseline: {SOURCE} (benchmarks/baseline.py).",
        "",
        "## Cortex-M4F (mps2-an386), mcugen / TFLM",
        "",
    ]
    rows = []
    for name, baseline in MODELS.items():
        proof = proofs[name, "mps2-an386"]
        flash, ram = proof.firmware.flash, proof.firmware.ram
        rows.append(
            [
                name,
                beside(proof.cost.invoke, baseline.instructions["cortex-m4"]),
                beside(flash.code, baseline.code),
                beside(flash.weights, baseline.model),
                beside(ram.arena, baseline.arena),
                beside(proof.cost.stack, baseline.stack),
            ]
        )
    lines += table(["model", "instructions", "code B", "weights B", "arena B", "stack B"], rows)
    lines += ["Code is without weights and without the harness; TFLM's includes about 700 B of start-up.", ""]
    lines += cycles.section()
    lines += recurrent.kept_section()
    lines += cores_table(proofs)
    lines += goals_table(goals)
    lines += bakenn.tables(others, {name: goals[name, "speed"] for name in others})
    lines += layers_tables()
    lines += ["## Instructions on every board, mcugen / TFLM", ""]
    rows = []
    for board in boards:
        row = [f"{board.name} ({board.cpu.replace('cortex-m', 'M')})"]
        for name, baseline in MODELS.items():
            found = proofs.get((name, board.name))
            row.append(beside(found.cost.invoke, baseline.instructions.get(board.cpu)) if found else "does not fit")
        rows.append(row)
    lines += table(["board", *MODELS], rows)
    lines += ["## Flash and RAM in all, bytes", "", "RAM is arena, variables and the stack really used.", ""]
    rows = []
    for board in boards:
        row = [board.name]
        for name in MODELS:
            found = proofs.get((name, board.name))
            row.append(f"{found.firmware.flash.total:,} + {_ram_used(found):,}" if found else "–")
        rows.append(row)
    lines += table(["board", *MODELS], rows)
    refusals = [f"- {result.what}" for result in results.values() if isinstance(result, DoesNotFitError)]
    if refusals:
        lines += ["## What does not fit, and why", "", *refusals, ""]
    shown = ", ".join(f"{value:.1f}" for value in seconds)
    lines += [
        "## Time to verdict",
        "",
        f"`mcugen verify {MODELS[TIMED_MODEL].file} --board {TIMED_BOARD}`, from the .tflite to the verdict, nothing "
        f"built before, on {os.cpu_count()} cores: {shown} s (target: under {TIMED_TARGET_S:.0f} s).",
        "",
    ]
    if again:
        shown = ", ".join(f"{value:.1f}" for value in again)
        lines += [
            f"`mcugen deploy {AGAIN} --data random --board {TIMED_BOARD}` for the second time and after: {shown} s "
            f"(target: at most {AGAIN_TARGET_S} s).",
            "",
        ]
    return "\n".join(lines)


def _ram_used(found: Proof) -> int:
    return found.firmware.ram.arena + found.firmware.ram.static + found.cost.stack


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="write RESULTS.md too")
    parser.add_argument("--bakenn", action="store_true", help="measure bakenn (PyPI) too")
    arguments = parser.parse_args()
    if not FOLDER.is_dir():
        print(f"skipped: no models in {FOLDER}; MCUGEN_MODELS names their folder", file=sys.stderr)
        return 0
    boards = [board for board in load_boards().values() if board.emulator]
    boards.append(load_board(str(M0_BOARD)))
    results: Results = {}
    goals: Goals = {}
    others: dict[str, bakenn.Figures] = {}
    with Terminal().progress() as progress:
        total = len(MODELS) * len(boards)
        for name, baseline in MODELS.items():
            for board in boards:
                progress(f"{name} on {board.name}", len(results) / total)
                path = str(M0_BOARD) if board.name == M0_BOARD.stem else board.name
                results[name, board.name] = measure(name, baseline, path)
        for name in TARGETS:
            for goal in GOALS:
                progress(f"{name} for {goal}", -1.0)
                found = measure(name, MODELS[name], GOAL_BOARD, goal)
                assert isinstance(found, Proof)
                goals[name, goal] = found
        if arguments.bakenn:
            progress("bakenn", -1.0)
            others = bakenn.measure_all({name: FOLDER / MODELS[name].file for name in TARGETS}, GOAL_BOARD)
        progress("layers, and the time to a verdict", -1.0)
        text = report(results, boards, goals, time_to_verdict(), time_to_second_verdict(), others)
    print(text)
    if arguments.write:
        (HERE / "RESULTS.md").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
