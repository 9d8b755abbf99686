"""Trains a one-dimensional CNN that tells motions apart by an accelerometer: windows of 64 samples of three axes.

The data are made here, since none are free to ship: gravity in a random direction, a motion with its rhythm and
harmonics upon it, and noise, in g at 50 Hz. Seeded. Writes motions.keras, and samples.npz (calibration) and test.npz,
each with windows `x` and motions `y`. Then:

    python examples/accelerometer/train.py FOLDER
    mcugen deploy FOLDER/motions.keras --data FOLDER/samples.npz --board mps2-an386 --labels rest,walk,run,shake
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Keep TensorFlow's start-up messages off the terminal; set before it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

SEED = 7
RATE = 50.0
STEPS = 64
MOTIONS = {"rest": (0.0, 0.0, 0.0), "walk": (1.6, 2.2, 0.35), "run": (2.5, 3.4, 1.2), "shake": (4.5, 7.0, 1.6)}
"""Lowest and highest frequency in Hz, and amplitude in g."""


def windows(rng: np.random.Generator, count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Random windows (count, 64, 3) in g, and which motion each is."""
    times = np.arange(STEPS) / RATE
    x = np.empty((count, STEPS, 3), np.float32)
    y = rng.integers(0, len(MOTIONS), count)
    for n, motion in enumerate(y):
        low, high, size = list(MOTIONS.values())[motion]
        gravity, direction = rng.normal(size=(2, 3))
        phase = 2 * np.pi * (rng.uniform(low, high) * times + rng.uniform())
        wave = np.sin(phase) + 0.4 * np.sin(2 * phase + 1.0)
        moved = size * rng.uniform(0.6, 1.4) * wave[:, None] * direction / np.linalg.norm(direction)
        x[n] = gravity / np.linalg.norm(gravity) + moved + rng.normal(0, 0.04, (STEPS, 3))
    return x, y.astype(np.int64)


def train(folder: Path) -> None:
    import keras

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    x_train, y_train = windows(rng, 1200)
    x_test, y_test = windows(rng, 300)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((STEPS, 3), name="acceleration"),
            layers.Conv1D(8, 7, strides=2, padding="same", activation="relu", name="rhythm"),
            layers.SeparableConv1D(16, 5, padding="same", activation="relu", name="shape"),
            layers.MaxPooling1D(2, name="halve"),
            layers.Conv1D(16, 3, activation="relu", name="pattern"),
            layers.GlobalAveragePooling1D(name="whole"),
            layers.Dense(len(MOTIONS), activation="softmax", name="motion"),
        ],
        name="motions",
    )
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, batch_size=64, epochs=12, verbose=0)
    model.save(folder / "motions.keras")
    np.savez(folder / "samples.npz", x=x_train, y=y_train)
    np.savez(folder / "test.npz", x=x_test, y=y_test)


if __name__ == "__main__":
    train(Path(sys.argv[1]))
