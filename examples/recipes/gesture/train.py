"""Gestures of a hand from an accelerometer, told apart by a GRU: 32 steps of three axes.

The data are made here: four movements with a random start, size, speed and tilt, and noise, in g at 25 Hz. Seeded.
Writes gesture.keras, and samples.npz (calibration) and test.npz, each with windows `x` and gestures `y`.
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
STEPS = 32
GESTURES = ("circle left", "circle right", "flick", "nod")


def windows(rng: np.random.Generator, count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Random windows (count, 32, 3) in g, and which gesture each is."""
    times = np.arange(STEPS) / STEPS
    y = rng.integers(0, len(GESTURES), count)
    x = np.empty((count, STEPS, 3), np.float32)
    for n, gesture in enumerate(y):
        middle, width = rng.uniform(0.35, 0.65), rng.uniform(0.18, 0.28)
        strength = rng.uniform(0.6, 1.4) * np.exp(-(((times - middle) / width) ** 2))
        phase = 2 * np.pi * (rng.uniform(2.5, 3.5) * times + rng.uniform())
        across, along = {
            0: (np.sin(phase), np.cos(phase)),
            1: (np.sin(phase), -np.cos(phase)),
            2: (np.sin(phase), 0.2 * np.sin(2 * phase)),
            3: (0.2 * np.sin(2 * phase), np.sin(phase)),
        }[int(gesture)]
        tilt = rng.normal(size=3) * 0.15
        x[n] = np.stack([strength * across, strength * along, np.ones(STEPS)], axis=1) + tilt
        x[n] += rng.normal(0, 0.15, (STEPS, 3))
    return x, y.astype(np.int64)


def train(folder: Path) -> None:
    import keras

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    x_train, y_train = windows(rng, 2000)
    x_test, y_test = windows(rng, 400)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((STEPS, 3), name="acceleration"),
            layers.GRU(16, name="memory"),
            layers.Dense(len(GESTURES), activation="softmax", name="gesture"),
        ],
        name="gesture",
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, batch_size=64, epochs=8, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "gesture.keras")
    np.savez(folder / "samples.npz", x=x_train, y=y_train)
    np.savez(folder / "test.npz", x=x_test, y=y_test)


if __name__ == "__main__":
    train(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
