"""Recurrent layers in float32, int8 and int16: accuracy on the device, flash, RAM and cycles on a Cortex-M4, and
flash and instructions on two more cores.

    .venv/bin/python benchmarks/recurrent.py --write             puts the section into benchmarks/RESULTS.md
    .venv/bin/python benchmarks/recurrent.py --write "Keras 2"   only what comes from there

Every cell is a small network trained here on the gestures of examples/recipes/gesture, deployed to the emulated board,
bit for bit equal to the oracle (within its tolerance for float32), and judged there. A network that loses more than
half a point of accuracy ends the run. What this Python has no framework for is left out: its rows stay.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
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
OTHER_BOARDS = {"lm3s6965evb": "Cortex-M3", "mps3-an547": "Cortex-M55"}
TITLE = "## Recurrent layers"
FORMS: dict[str, dict[str, Any]] = {"float32": {"quantize": False}, "int8": {}, "int16": {"activations": "int16"}}
UNITS, EPOCHS, RATE = 16, 12, 0.01
SIMPLE_UNITS, SIMPLE_EPOCHS, SIMPLE_RATE = 24, 50, 0.002
"""Of a SimpleRNN, which learns gestures of 32 steps only slowly, with clipped gradients."""
TRAINED_ON, JUDGED_ON, JUDGED_ON_DEVICE, VERIFIED_ON = 1600, 400, 100, 8
MOST_LOST, LEAST_LEARNED = 0.5, 95.0
"""Points of accuracy; what has learned nothing has nothing to lose."""
SIMPLE, SEQUENCE = "SimpleRNN", "LSTM, return_sequences, TimeDistributed"
LAYERS = ("LSTM", "GRU", SIMPLE, "Bidirectional LSTM", "LSTM, LSTM", "GRU, GRU", SEQUENCE)

Data = dict[str, Any]


def data() -> tuple[Data, Data]:
    """Windows to train on, and to judge by."""
    rng = np.random.default_rng(7)
    (x_train, y_train), (x_test, y_test) = windows(rng, TRAINED_ON), windows(rng, JUDGED_ON)
    return {"x": x_train, "y": y_train}, {"x": x_test, "y": y_test}


def of_keras(keras: Any, name: str, train: Data) -> Any:
    layers = keras.layers
    keras.utils.set_random_seed(7)
    simple = name == SIMPLE
    kinds = [getattr(layers, kind) for kind in name.split(", ") if hasattr(layers, kind)][:2]
    if name == SEQUENCE:
        hidden = [
            layers.LSTM(UNITS, return_sequences=True),
            layers.TimeDistributed(layers.Dense(UNITS // 2, activation="relu")),
            layers.GlobalAveragePooling1D(),
        ]
    elif name.startswith("Bidirectional"):
        hidden = [layers.Bidirectional(layers.LSTM(UNITS // 2))]
    elif len(kinds) == 2:
        hidden = [kinds[0](UNITS, return_sequences=True), kinds[1](UNITS // 2)]
    else:
        hidden = [kinds[0](SIMPLE_UNITS if simple else UNITS)]
    model = keras.Sequential(
        [keras.Input((STEPS, 3)), *hidden, layers.Dense(len(GESTURES), activation="softmax", name="gesture")]
    )
    adam = keras.optimizers.Adam(SIMPLE_RATE, clipnorm=1.0) if simple else keras.optimizers.Adam(RATE)
    model.compile(adam, "sparse_categorical_crossentropy")
    model.fit(train["x"], train["y"], epochs=SIMPLE_EPOCHS if simple else EPOCHS, batch_size=32, verbose=0)
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
    simple, both, sequence = name == SIMPLE, name.startswith("Bidirectional"), name == SEQUENCE
    kind = "RNN" if simple else "GRU" if name.startswith("GRU") else "LSTM"
    stacked = 2 if name in ("LSTM, LSTM", "GRU, GRU") else 1
    units = SIMPLE_UNITS if simple else UNITS // 2 if both else UNITS

    class Network(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.recurrent = getattr(torch.nn, kind)(3, units, stacked, batch_first=True, bidirectional=both)
            for name, weights in self.recurrent.named_parameters():  # as Keras begins
                if "bias" in name:
                    torch.nn.init.zeros_(weights)
                    if kind == "LSTM" and "bias_ih" in name:
                        torch.nn.init.ones_(weights[units : 2 * units])
                else:
                    for gate in weights.chunk(weights.shape[0] // units):
                        (torch.nn.init.orthogonal_ if "hh" in name else torch.nn.init.xavier_uniform_)(gate)
            self.each = torch.nn.Linear(units, UNITS // 2)
            self.gesture = torch.nn.Linear(UNITS // 2 if sequence else 2 * units if both else units, len(GESTURES))

        def forward(self, x: Any) -> Any:
            states, _ = self.recurrent(x)
            if sequence:
                last = torch.relu(self.each(states)).mean(1)
            elif both:  # what either direction ends with
                last = torch.cat([states[:, -1, :units], states[:, 0, units:]], -1)
            else:
                last = states[:, -1]
            return torch.softmax(self.gesture(last), -1)

    with torch.no_grad():
        network = Network()
    optimizer = torch.optim.Adam(network.parameters(), SIMPLE_RATE if simple else RATE)
    x, y = torch.from_numpy(train["x"]), torch.from_numpy(train["y"])
    for _ in range(SIMPLE_EPOCHS if simple else EPOCHS):
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            torch.nn.functional.nll_loss(torch.log(network(x[rows]) + 1e-9), y[rows]).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
    return torch.export.export(network.eval(), (torch.zeros(1, STEPS, 3),))


SOURCES: dict[str, tuple[str, Callable[[str, Data], Any]]] = {
    "Keras 3": ("keras", of_keras_3),
    "Keras 2": ("tf_keras", of_keras_2),
    "PyTorch": ("litert_torch", of_pytorch),
}
"""By name: the package that must be there, and what trains a network."""


def row(source: str, name: str) -> tuple[str, str]:
    """A line of both tables: a network in all forms, on the first board and on the others."""
    train, test = data()
    model = SOURCES[source][1](name, train)
    cells, others = [], []
    accuracy: dict[str, float] = {}
    for form, options in FORMS.items():
        quantized = options.get("quantize") is not False
        with tempfile.TemporaryDirectory() as folder:
            proof = api.deploy(
                model,
                board=BOARD,
                out=f"{folder}/out",
                eval_data=test,
                eval_samples=JUDGED_ON,
                samples_on_device=JUDGED_ON_DEVICE,
                **({**options, "data": train} if quantized else options),
            )
            assert proof.verdict.passed, (source, name, form)
            tflite = Path(folder, "out", "model", "model.tflite").read_bytes()
            for board in OTHER_BOARDS:
                other = api.verify(tflite, board=board, samples=VERIFIED_ON, quantize=quantized)
                assert other.verdict.passed, (source, name, form, board)
                others.append(f"{other.firmware.flash.total:,}, {other.cost.invoke / 1000:,.0f} k")
        assert proof.assessment is not None
        assert proof.estimated is not None
        assert proof.estimated.cycles is not None
        (host,) = [run for run in proof.assessment.runs if run.where == "host" and run.arithmetic == form]
        accuracy[form] = 100 * (host.value("accuracy") or 0.0)
        for run in proof.assessment.runs:
            assert run.where == "host" or not quantized or run.equal_to_host == run.samples, (source, name, form)
        assert accuracy["float32"] > LEAST_LEARNED, (source, name, accuracy)
        lost = accuracy["float32"] - accuracy[form]
        assert lost <= MOST_LOST, f"{source}, {name}: {form} loses {lost:.2f} points"
        cells.append(
            f"{accuracy[form]:.2f} %, {proof.firmware.flash.total:,}, {proof.firmware.ram.total:,}, "
            f"{proof.estimated.cycles.nominal / 1000:,.0f} k"
        )
    by_board = [cell for n in range(len(OTHER_BOARDS)) for cell in others[n :: len(OTHER_BOARDS)]]
    return f"| {source} | {name} | {' | '.join(cells)} |", f"| {source} | {name} | {' | '.join(by_board)} |"


Known = dict[tuple[str, str], tuple[str, str]]
"""Rows of both tables, by source and layers."""


def measured(sources: Sequence[str]) -> Known:
    """The rows of networks from these sources, of those that are installed."""
    found: Known = {}
    for source in sources:
        for name in LAYERS if find_spec(SOURCES[source][0]) is not None else ():
            found[source, name] = row(source, name)
            print(*found[source, name], sep="\n", file=sys.stderr, flush=True)  # a row takes minutes
    return found


def section(known: Known) -> Iterator[str]:
    """The lines of the section, of the rows that are known."""
    order = [(source, name) for source in SOURCES for name in LAYERS if (source, name) in known]
    yield from [TITLE, "", f"| from | layers | {' | '.join(FORMS)} |", "|---|---|" + "---|" * len(FORMS)]
    yield from (known[key][0] for key in order)
    yield from [
        "",
        f"Accuracy on {JUDGED_ON} windows of examples/recipes/gesture ({STEPS} steps of 3 axes), of which {BOARD} gave "
        f"the same bits for the first {JUDGED_ON_DEVICE}, flash and RAM of the firmware in bytes, its stack and "
        "harness included, and nominal cycles by the rules of docs/TIMING.md.",
        "",
    ]
    columns = [f"{board}, {form}" for board in OTHER_BOARDS for form in FORMS]
    yield from [f"| from | layers | {' | '.join(columns)} |", "|---|---|" + "---|" * len(columns)]
    yield from (known[key][1] for key in order)
    cores = " and ".join(f"{board} ({core})" for board, core in OTHER_BOARDS.items())
    yield from ["", f"Flash in bytes and instructions of one inference on {cores}; {VERIFIED_ON} inputs equal.", ""]


PAGE = HERE / "RESULTS.md"


def kept_section() -> list[str]:
    """The lines of the section as the page has them."""
    return [TITLE, *_parts()[1].splitlines()[1:], ""] if _parts()[1] else []


def _parts() -> tuple[list[str], str]:
    """The page's sections, and this one."""
    parts = PAGE.read_text(encoding="utf-8").split("\n## ")
    return parts, next((part for part in parts if TITLE.endswith(part.split("\n")[0])), "")


def known_rows(text: str) -> Known:
    """The rows that a section has."""
    rows: dict[tuple[str, str], list[str]] = {}
    for line in text.splitlines():
        cells = line.strip("| ").split(" | ")
        if line.startswith("| ") and cells[0] in SOURCES:
            rows.setdefault((cells[0], cells[1]), []).append(line)
    return {key: (lines[0], lines[1]) for key, lines in rows.items() if len(lines) == 2}


def main() -> int:
    given = [argument for argument in sys.argv[1:] if argument in SOURCES]
    found = measured(given or list(SOURCES))
    parts, old = _parts()
    text = "\n".join(section({**known_rows(old), **found}))
    print(text)
    if "--write" in sys.argv[1:]:
        kept = [part for part in parts if part is not old]
        kept.insert(3, text.removeprefix("## ").rstrip("\n") + "\n")
        PAGE.write_text("\n## ".join(kept), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
