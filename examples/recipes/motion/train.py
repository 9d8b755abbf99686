"""Exercises told apart by a watch: windows of 2.56 s of acceleration and turning rate, tested on people it never saw.

The recordings come with the package seglearn (pip install --no-deps seglearn): ten people at physiotherapy, seven
exercises of the shoulder, both arms, 50 frames of six values per second. Eight people train, two test: windows of one
person on both sides would promise too much. Units and windows are those of pipeline.toml: training takes its windows
from the very front end that the firmware has. Seeded. Writes motion.keras, pipeline.toml, samples.npz (recordings to
calibrate with), and test.npz: recordings by the name "LABEL NUMBER".
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Keep TensorFlow's start-up messages off the terminal; set before it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

HERE = Path(__file__).resolve().parent
SEED = 7
TESTERS = (1, 5)
PER_UNIT = np.array([4096.0] * 3 + [939.65] * 3)
"""What the watch's sensor would give for 1 g and for 1 rad/s."""


def recordings() -> tuple[list[NDArray[np.int16]], NDArray[np.int64], NDArray[np.int64]]:
    """Recordings (frames, 6) as a sensor gives them, the exercise of each, and the person."""
    package = importlib.util.find_spec("seglearn")
    if package is None or not package.submodule_search_locations:
        sys.exit("The recordings are missing: pip install --no-deps seglearn")
    # The package itself is not imported: it needs others, which its data do not.
    file = Path(package.submodule_search_locations[0]) / "data" / "watch_dataset.npy"
    data = np.load(file, allow_pickle=True).item()
    frames = [np.clip(np.rint(x * PER_UNIT), -32768, 32767).astype(np.int16) for x in data["X"]]
    return frames, np.asarray(data["y"], np.int64), np.asarray(data["subject"], np.int64)


def train(folder: Path) -> None:
    import keras

    from mcugen.pipeline import read_pipeline

    keras.utils.set_random_seed(SEED)
    pipeline = read_pipeline(HERE / "pipeline.toml")
    frames, exercise, person = recordings()
    learned = [n for n in range(len(frames)) if person[n] not in TESTERS]
    windows = [pipeline.windows(frames[n]) for n in learned]
    x = np.concatenate(windows)
    y = np.repeat(exercise[learned], [len(found) for found in windows])
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:], name="motion"),
            layers.Conv1D(16, 7, strides=2, padding="same", activation="relu", name="rhythm"),
            layers.SeparableConv1D(24, 5, strides=2, padding="same", activation="relu", name="shape"),
            layers.SeparableConv1D(32, 5, strides=2, padding="same", activation="relu", name="pattern"),
            layers.GlobalAveragePooling1D(name="whole"),
            layers.Dense(7, activation="softmax", name="exercise"),
        ],
        name="motion",
    )
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=32, epochs=12, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "motion.keras")
    shutil.copy(HERE / "pipeline.toml", folder)
    np.savez(folder / "samples.npz", **{f"recording{n}": frames[n] for n in learned[::10]})
    assert pipeline.decision is not None
    names = pipeline.decision.labels
    tested = [n for n in range(len(frames)) if person[n] in TESTERS]
    np.savez(folder / "test.npz", **{f"{names[exercise[n]]} {n}": frames[n] for n in tested})


if __name__ == "__main__":
    train(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
