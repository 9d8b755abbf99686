"""Measures the real models on every emulated board, and the time from a `.tflite` to its verdict.

    make bench                                  prints Markdown
    .venv/bin/python benchmarks/run.py --write  writes benchmarks/RESULTS.md as well

The models are not part of the repository: MCUGEN_MODELS names their folder (default ../shared/models).
Every cell is a firmware built for the board, run in QEMU and compared with the oracle over 16 inputs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from baseline import MODELS, SOURCE, Baseline
from numpy.typing import NDArray

from mcugen import __version__, api
from mcugen.boards import Board, load_boards
from mcugen.errors import DoesNotFitError
from mcugen.graph import Graph, read_graph
from mcugen.ui.terminal import Terminal
from mcugen.verbs._proof import Proof
from mcugen.verify import make_inputs

HERE = Path(__file__).resolve().parent
FOLDER = Path(os.environ.get("MCUGEN_MODELS", HERE.parent.parent / "shared" / "models"))
SAMPLES = 16
TIMED_MODEL, TIMED_BOARD, TIMED_TARGET_S = "kws", "mps2-an386", 15.0
TIMED_RUNS = 3

Results = dict[tuple[str, str], Proof | DoesNotFitError]


def pattern(graph: Graph) -> list[NDArray[Any]]:
    """The baseline's input: byte i is (37·i + 11) mod 256."""
    tensors = [graph.tensor(i) for i in graph.inputs]
    return [((37 * np.arange(t.elements) + 11) % 256).astype(np.uint8).view(np.int8).reshape(t.shape) for t in tensors]


def fnv1a(arrays: tuple[NDArray[Any], ...]) -> str:
    """32-bit FNV-1a hash over all output bytes."""
    value = 0x811C9DC5
    for byte in b"".join(array.tobytes() for array in arrays):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return f"{value:08x}"


def measure(name: str, baseline: Baseline, board: Board) -> Proof | DoesNotFitError:
    path = FOLDER / baseline.file
    graph = read_graph(path.read_bytes())
    samples = [pattern(graph), *make_inputs(graph, SAMPLES - 1)]
    columns = [np.concatenate(column) for column in zip(*samples, strict=True)]
    try:
        proof: Proof = api.verify(path, board=board.name, inputs=columns)
    except DoesNotFitError as error:
        return error
    if not proof.verdict.bit_exact or fnv1a(proof.verdict.outputs[0]) != baseline.output_hash:
        raise SystemExit(f"{name} on {board.name} is not bit-exact: no figure of it means anything")
    return proof


def time_to_verdict() -> list[float]:
    """Seconds of whole commands, from a `.tflite` to the verdict, nothing built before."""
    path = FOLDER / MODELS[TIMED_MODEL].file
    command = [sys.executable, "-m", "mcugen", "verify", str(path), "--board", TIMED_BOARD, "--json"]
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


def report(results: Results, boards: list[Board], seconds: list[float]) -> str:
    proofs = {key: proof for key, proof in results.items() if isinstance(proof, Proof)}
    compiler = next(iter(proofs.values())).firmware.toolchain
    lines = [
        "# Results",
        "",
        f"Made by `make bench` with mcugen {__version__}, {compiler}, -O2. Every firmware was run on the emulated "
        f"board and equals tflite-micro bit for bit on {SAMPLES} inputs. Cost is in instructions of one inference, "
        f"not in cycles. Baseline: {SOURCE} (benchmarks/baseline.py).",
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
            row.append(f"{found.firmware.flash.total:,} + {found.ram_total:,}" if found else "–")
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
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="write RESULTS.md too")
    arguments = parser.parse_args()
    if not FOLDER.is_dir():
        print(f"skipped: no models in {FOLDER}; MCUGEN_MODELS names their folder", file=sys.stderr)
        return 0
    boards = [board for board in load_boards().values() if board.emulator]
    results: Results = {}
    with Terminal().progress() as progress:
        total = len(MODELS) * len(boards)
        for name, baseline in MODELS.items():
            for board in boards:
                progress(f"{name} on {board.name}", len(results) / total)
                results[name, board.name] = measure(name, baseline, board)
        progress("time to verdict", -1.0)
        text = report(results, boards, time_to_verdict())
    print(text)
    if arguments.write:
        (HERE / "RESULTS.md").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
