"""The main job on real data: train, deploy to an emulated board, and run the whole test split there.

    make demo

Leaves everything in demo-out/: the trained model, the data, and the firmware's project.
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
from mcugen.ui.terminal import Terminal, grid, say_verdict
from mcugen.ui.text import bar, number, size
from mcugen.verbs.run import RunResult
from mcugen.verify import Oracle

HERE = Path(__file__).resolve().parent
OUT = Path("demo-out")
PROJECT = OUT / "firmware"
BOARD = "mps2-an386"
LABELS = ",".join(str(digit) for digit in range(10))
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
    console.print(f"$ mcugen {' '.join(command)}\n", style="bold")
    deployed = subprocess.run([sys.executable, "-m", "mcugen", *command], check=False)
    if deployed.returncode != 0:
        return deployed.returncode

    console.print()
    console.rule("3. Run the whole test split on the device", align="left")
    with terminal.progress() as progress:
        on_device = api.run(PROJECT, inputs=images, progress=progress)
        on_host = run_on_host(on_device, images)
    device = on_device.outputs[0]
    show_digits(terminal, on_device, images, truth)

    floats = np.load(OUT / "float.npz")["y"]
    firmware = on_device.ready.firmware
    accuracies = Text(" · ").join(
        Text(f"{name} {100 * float(np.mean(answers.argmax(axis=1) == truth)):.2f} %")
        for name, answers in (("float32", floats), ("int8 on the host", on_host), ("int8 on the device", device))
    )
    ram, model_flash = firmware.ram, firmware.flash.code + firmware.flash.weights
    rows = [
        ("accuracy", accuracies),
        ("flash", f"{size(firmware.flash.total)}, of which the model {number(model_flash)} B"),
        ("RAM", f"{size(ram.total)} with the whole stack, of which the model's arena {number(ram.arena)} B"),
        ("cost", f"{number(int(np.median(on_device.costs)))} {on_device.unit} per inference (median)"),
    ]
    console.print(grid(rows))
    equal = int(np.sum(np.all(device == on_host, axis=1)))
    good = equal == len(truth)
    say_verdict(console, good, f"the device equals the host, bit for bit, on {equal} of {len(truth)} digits")
    return 0 if good else 1


def train() -> None:
    """Train in a process of its own, so that what TensorFlow prints stays away, unless it fails."""
    result = subprocess.run(
        [sys.executable, str(HERE / "train.py"), str(OUT)], capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise SystemExit(f"training failed:\n{result.stderr}")


def run_on_host(on_device: RunResult, images: NDArray[np.float32]) -> NDArray[np.int8]:
    """The same int8 model and inputs in the oracle: (N, 10)."""
    from mcugen.verbs._inputs import read_inputs

    ready = on_device.ready
    with Oracle(ready.model.data) as oracle:
        samples = read_inputs(images, ready.plan.graph).samples
        return np.stack([oracle.run(sample)[0][0] for sample in samples])


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
