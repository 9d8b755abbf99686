"""Spoken commands, told apart by a small depthwise separable CNN on log spectra: 25 frames of 20 bands.

The data are made here, since none are free to ship: each "word" is a sequence of three vowels with its own formants,
spoken at a random pitch, speed and loudness into noise, at 8 kHz. Seeded. The spectra are what the firmware has to
compute before it calls the model: 32 ms frames every 20 ms, 20 bands up to 4 kHz, natural logarithm.
Writes keyword.keras, and samples.npz (calibration) and test.npz, each with spectra `x` and words `y`.
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
RATE = 8000
FRAME, HOP, FRAMES, BANDS = 256, 160, 25, 20
VOWELS = {"a": (800, 1200), "e": (450, 2000), "i": (300, 2500), "o": (450, 850), "u": (320, 700)}
"""The first two formants, in Hz."""
WORDS = {"on": "oao", "off": "uoe", "left": "eia", "right": "aie"}


def spoken(rng: np.random.Generator, vowels: str) -> NDArray[np.float64]:
    """Half a second of a word, (4160,)."""
    samples = FRAME + HOP * (FRAMES - 1)
    place = np.clip((np.arange(samples) / samples - rng.uniform(0, 0.15)) / rng.uniform(0.75, 0.85), 0, 0.999)
    position = place * len(vowels)
    formants = np.array([VOWELS[v] for v in vowels], np.float64) * rng.uniform(0.92, 1.08)
    first, second = (np.interp(position - 0.5, range(len(vowels)), formants[:, n]) for n in (0, 1))
    pitch = rng.uniform(100, 220)
    phase = 2 * np.pi * pitch * np.arange(samples) / RATE
    wave = np.zeros(samples)
    for harmonic in range(1, int(RATE / 2 / pitch)):
        hertz = harmonic * pitch
        size = sum(np.exp(-(((hertz - formant) / 120) ** 2)) for formant in (first, second))
        wave += size * np.sin(harmonic * phase)
    loud = np.sin(np.pi * place) * rng.uniform(0.3, 1.0)
    return np.asarray(loud * wave + rng.normal(0, 0.1, samples))


def spectrum(wave: NDArray[np.float64]) -> NDArray[np.float32]:
    """Log energies (25, 20, 1)."""
    frames = np.stack([wave[n * HOP : n * HOP + FRAME] for n in range(FRAMES)]) * np.hanning(FRAME)
    power = np.abs(np.fft.rfft(frames, axis=1)[:, 1:121]) ** 2
    bands = power.reshape(FRAMES, BANDS, -1).mean(axis=2)
    return np.log(bands + 1e-2).astype(np.float32)[..., np.newaxis]


def words(rng: np.random.Generator, count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    y = rng.integers(0, len(WORDS), count)
    x = np.stack([spectrum(spoken(rng, list(WORDS.values())[word])) for word in y])
    return x, y.astype(np.int64)


def train(folder: Path) -> None:
    import keras

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    x_train, y_train = words(rng, 800)
    x_test, y_test = words(rng, 300)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((FRAMES, BANDS, 1), name="spectrum"),
            layers.Conv2D(12, (5, 4), strides=2, padding="same", activation="relu", name="edges"),
            layers.DepthwiseConv2D(3, padding="same", activation="relu", name="spread"),
            layers.Conv2D(16, 1, activation="relu", name="mix"),
            layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu", name="spread_again"),
            layers.Conv2D(16, 1, activation="relu", name="mix_again"),
            layers.Flatten(name="flat"),
            layers.Dense(len(WORDS), activation="softmax", name="word"),
        ],
        name="keyword",
    )
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, batch_size=32, epochs=8, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "keyword.keras")
    np.savez(folder / "samples.npz", x=x_train, y=y_train)
    np.savez(folder / "test.npz", x=x_test, y=y_test)


if __name__ == "__main__":
    train(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
