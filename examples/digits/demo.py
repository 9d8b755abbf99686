"""The main job on real data: train, deploy to an emulated board, and judge it there by the whole test split.

    make demo

Leaves everything in demo-out/: the trained model, the data, the firmware's project, and a report to open in a browser.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from mcugen import api
from mcugen.text import bar
from mcugen.ui.terminal import Terminal, say_verdict
from mcugen.verbs.run import RunResult

HERE = Path(__file__).resolve().parent
OUT = Path("demo-out")
PROJECT = OUT / "firmware"
BOARD = "mps2-an386"
LABELS = ",".join(str(digit) for digit in range(10))
MAX_DROP = 0.8
"""Percentage points of accuracy that int8 may lose."""
SHOWN = 6
SHADES = " ░▒▓█"


def main() -> int:
    terminal = Terminal()
    console = terminal.out
    OUT.mkdir(exist_ok=True)

    console.rule("1. Train a small CNN on scikit-learn's handwritten digits", align="left")
    with terminal.progress() as progress:
        progress("training", -1.0)
        train()
    test = np.load(OUT / "test.npz")
    images, truth = test["x"], test["y"]
    console.print(f"{OUT}/digits.keras, tested on {len(truth)} images that it has not seen\n")

    console.rule("2. Deploy it", align="left")
    command = ["deploy", f"{OUT}/digits.keras", "--data", f"{OUT}/samples.npz", "--board", BOARD]
    command += ["--labels", LABELS, "--out", str(PROJECT)]
    command += ["--eval-data", f"{OUT}/test.npz", "--samples-on-device", str(len(truth))]
    command += ["--max-drop", str(MAX_DROP), "--compare-float", "--report", f"{OUT}/report.html"]
    console.print(f"$ mcugen {' '.join(command)}\n", style="bold")
    deployed = subprocess.run([sys.executable, "-m", "mcugen", *command], check=False)
    if deployed.returncode != 0:
        return deployed.returncode

    console.print()
    console.rule("3. Look at what the firmware reads", align="left")
    with terminal.progress() as progress:
        on_device = api.run(PROJECT, inputs=images, progress=progress)
    show_digits(terminal, on_device, images, truth)
    right = int(np.sum(on_device.outputs[0].argmax(axis=1) == truth))
    say_verdict(console, True, f"the firmware in {PROJECT} read {right} of {len(truth)} digits right")
    return 0


def train() -> None:
    """Train in a process of its own, so that what TensorFlow prints stays away, unless it fails."""
    result = subprocess.run(
        [sys.executable, str(HERE / "train.py"), str(OUT)], capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise SystemExit(f"training failed:\n{result.stderr}")


def show_digits(terminal: Terminal, result: RunResult, images: NDArray[np.float32], truth: NDArray[np.int64]) -> None:
    """A few digits as the device saw them, with its three best guesses; wrong ones first."""
    scores = result.dequantized()[0]
    right = scores.argmax(axis=1) == truth
    chosen = [*np.flatnonzero(~right)[:1]]
    for digit in range(10):
        chosen += [*np.flatnonzero(right & (truth == digit))[:1]]
    chosen = chosen[:SHOWN]
    per_row = 2 if terminal.out.width >= 80 else 1
    table = Table.grid(padding=(1, 4))
    cells = [digit_cell(images[i, :, :, 0], scores[i], int(truth[i])) for i in chosen]
    for start in range(0, len(cells), per_row):
        table.add_row(*cells[start : start + per_row])
    terminal.out.print(table)
    terminal.out.print()


def digit_cell(image: NDArray[np.float32], scores: NDArray[np.float32], truth: int) -> Table:
    lines = ["".join(SHADES[round(float(v) * (len(SHADES) - 1))] * 2 for v in row) for row in image]
    best = scores.argsort()[::-1][:3]
    guesses = Text()
    right = int(best[0]) == truth
    guesses.append(f"a {truth}, read as {best[0]} {'✔' if right else '✖'}\n\n", style="green" if right else "red")
    for guess in best:
        guesses.append(f"{guess} {bar(float(scores[guess]), 10):<10} {100 * scores[guess]:5.1f} %\n")
    cell = Table.grid(padding=(0, 2))
    cell.add_row(Text("\n".join(lines)), guesses)
    return cell


if __name__ == "__main__":
    sys.exit(main())
