"""Faults of a machine found by an autoencoder: it learns the spectra of healthy vibration, and fails on others.

The data are made here: a motor at 25 to 30 Hz with harmonics and noise, 64 bands of its spectrum; a bad bearing adds
a tone with side bands. Seeded. Writes vibration.keras, samples.npz (calibration: healthy spectra `x`), and test.npz:
spectra `x` with what the model should give as `y` (the same), and faulty.npy: which of them are.
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
BANDS = 64
HERTZ_PER_BAND = 8.0


def spectra(rng: np.random.Generator, count: int, *, faulty: bool) -> NDArray[np.float32]:
    """Log energies (count, 64) of 0 to 512 Hz."""
    centre = (np.arange(BANDS) + 0.5) * HERTZ_PER_BAND
    x = np.empty((count, BANDS), np.float32)
    for n in range(count):
        speed, load = rng.uniform(25, 30), rng.uniform(0.7, 1.3)
        energy = 0.02 * rng.gamma(8, 1 / 8, BANDS)
        for harmonic in range(1, 9):
            energy += load / harmonic**1.5 * np.exp(-(((centre - harmonic * speed) / 6) ** 2))
        if faulty:
            tone = rng.uniform(5.2, 5.6) * speed * 2
            for side in (-1, 0, 1):
                energy += rng.uniform(0.2, 0.5) * np.exp(-(((centre - tone - side * speed) / 6) ** 2))
        x[n] = np.log(energy)
    return x


def train(folder: Path) -> None:
    import keras

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    x_train = spectra(rng, 1500, faulty=False)
    x_test = np.concatenate([spectra(rng, 100, faulty=False), spectra(rng, 100, faulty=True)])
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((BANDS,), name="spectrum"),
            layers.Dense(32, activation="relu", name="narrow"),
            layers.Dense(8, activation="relu", name="code"),
            layers.Dense(32, activation="relu", name="widen"),
            layers.Dense(BANDS, name="again"),
        ],
        name="vibration",
    )
    model.compile(keras.optimizers.Adam(0.003), "mse")
    model.fit(x_train, x_train, batch_size=32, epochs=30, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "vibration.keras")
    np.savez(folder / "samples.npz", x=x_train)
    np.savez(folder / "test.npz", x=x_test, y=x_test)
    np.save(folder / "faulty.npy", np.arange(200) >= 100)


if __name__ == "__main__":
    train(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
