"""Recurrent layers in float32, int8 and int16: accuracy on the device, flash, RAM and cycles on a Cortex-M4.

    .venv/bin/python benchmarks/recurrent.py --write    puts the section into benchmarks/RESULTS.md

Every cell is a small network trained here on the gestures of examples/recipes/gesture, deployed to the emulated board,
bit for bit equal to the oracle (within its tolerance for float32), and judged there on 200 windows. Frameworks that
this Python does not have are left out: their rows in the page stay.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "examples" / "recipes" / "gesture"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from train import GESTURES, STEPS, windows  # noqa: E402

from mcugen import api  # noqa: E402

BOARD = "mps2-an386"
TITLE = "## Recurrent layers"
FORMS: dict[str, dict[str, Any]] = {"float32": {"quantize": False}, "int8": {}, "int16": {"activations": "int16"}}
UNITS, EPOCHS, TRAINED_ON, JUDGED_ON = 16, 12, 1600, 200
LAYERS = ("LSTM", "GRU", "SimpleRNN", "Bidirectional LSTM", "LSTM, LSTM")

Data = dict[str, Any]


def data() -> tuple[Data, Data]:
    """Windows to train on, and to judge by."""
    rng = np.random.default_rng(7)
    (x_train, y_train), (x_test, y_test) = windows(rng, TRAINED_ON), windows(rng, JUDGED_ON)
    return {"x": x_train, "y": y_train}, {"x": x_test, "y": y_test}


def of_keras(keras: Any, name: str, train: Data) -> Any:
    layers = keras.layers
    keras.utils.set_random_seed(7)
    recurrent = {
        "Bidirectional LSTM": lambda: [layers.Bidirectional(layers.LSTM(UNITS // 2))],
        "LSTM, LSTM": lambda: [layers.LSTM(UNITS, return_sequences=True), layers.LSTM(UNITS // 2)],
    }.get(name, lambda: [getattr(layers, name)(UNITS)])()
    model = keras.Sequential(
        [keras.Input((STEPS, 3)), *recurrent, layers.Dense(len(GESTURES), activation="softmax", name="gesture")]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(train["x"], train["y"], epochs=EPOCHS, batch_size=32, verbose=0)
    return model


def of_keras_3(name: str, train: Data) -> Any:
    import keras

    return of_keras(keras, name, train)


def of_keras_2(name: str, train: Data) -> Any:
    import tf_keras

    return of_keras(tf_keras, name, train)


def of_pytorch(name: str, train: Data) -> Any:
    import torch

    torch.manual_seed(7)
    kind = {"SimpleRNN": "RNN"}.get(name, name.split()[-1])
    both = name.startswith("Bidirectional")
    stacked = 1 + name.count(",")

    class Network(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            units = UNITS // 2 if both else UNITS
            self.recurrent = getattr(torch.nn, kind)(3, units, stacked, batch_first=True, bidirectional=both)
            self.gesture = torch.nn.Linear(UNITS, len(GESTURES))

        def forward(self, x: Any) -> Any:
            states, _ = self.recurrent(x)
            return torch.softmax(self.gesture(states[:, -1]), -1)

    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    x, y = torch.from_numpy(train["x"]), torch.from_numpy(train["y"])
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            torch.nn.functional.nll_loss(torch.log(network(x[rows]) + 1e-9), y[rows]).backward()
            optimizer.step()
    return network.eval()


SOURCES: dict[str, tuple[str, Callable[[str, Data], Any]]] = {
    "Keras 3": ("keras", of_keras_3),
    "Keras 2": ("tf_keras", of_keras_2),
    "PyTorch": ("litert_torch", of_pytorch),
}
"""By name: the package that must be there, and what trains a network."""


def row(source: str, name: str) -> str:
    """A line of the table: a network in all forms."""
    train, test = data()
    model = SOURCES[source][1](name, train)
    cells = []
    for options in FORMS.values():
        chosen = dict(options) if options.get("quantize") is False else {**options, "data": train}
        with tempfile.TemporaryDirectory() as folder:
            proof = api.deploy(
                model, board=BOARD, out=f"{folder}/out", eval_data=test, samples_on_device=JUDGED_ON, **chosen
            )
        assert proof.verdict.passed, (source, name, options)
        assert proof.assessment is not None
        assert proof.estimated is not None
        assert proof.estimated.cycles is not None
        (device,) = [run for run in proof.assessment.runs if run.where == "device"]
        accuracy = device.value("accuracy")
        assert accuracy is not None
        cells.append(
            f"{100 * accuracy:.1f} %, {proof.firmware.flash.total:,}, {proof.firmware.ram.total:,}, "
            f"{proof.estimated.cycles.nominal / 1000:,.0f} k"
        )
    return f"| {source} | {name} | {' | '.join(cells)} |"


def section(known: dict[tuple[str, str], str]) -> Iterator[str]:
    """The lines of the section; `known` are rows of the page as it was."""
    yield from [TITLE, "", f"| from | layers | {' | '.join(FORMS)} |", "|---|---|" + "---|" * len(FORMS)]
    for source, (package, _) in SOURCES.items():
        for name in LAYERS:
            if find_spec(package) is not None:
                found = row(source, name)
                print(found, file=sys.stderr)  # a row takes a minute
                yield found
            elif (source, name) in known:
                yield known[source, name]
    yield from [
        "",
        f"Accuracy on {BOARD} ({JUDGED_ON} windows of examples/recipes/gesture, {STEPS} steps of 3 axes), flash "
        "and RAM of the firmware in bytes, its stack and harness included, and nominal cycles by the rules of "
        "docs/TIMING.md.",
        "",
    ]


PAGE = HERE / "RESULTS.md"


def kept_section() -> list[str]:
    """The lines of the section as the page has them."""
    return [TITLE, *_parts()[1].splitlines()[1:], ""] if _parts()[1] else []


def _parts() -> tuple[list[str], str]:
    """The page's sections, and this one."""
    parts = PAGE.read_text(encoding="utf-8").split("\n## ")
    return parts, next((part for part in parts if TITLE.endswith(part.split("\n")[0])), "")


def main() -> int:
    parts, old = _parts()
    cells = [line.split(" | ") for line in old.splitlines() if line.startswith("| ")]
    known = {(c[0].removeprefix("| "), c[1]): " | ".join(c) for c in cells}
    text = "\n".join(section(known))
    print(text)
    if "--write" in sys.argv[1:]:
        kept = [part for part in parts if part is not old]
        kept.insert(3, text.removeprefix("## ").rstrip("\n") + "\n")
        PAGE.write_text("\n## ".join(kept), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
