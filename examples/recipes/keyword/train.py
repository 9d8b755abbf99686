"""Spoken commands, told apart by a small depthwise separable CNN on log-mel spectra: 25 rows of 20 bands.

The data are made here, since none are free to ship: each "word" is a sequence of three vowels with its own formants,
spoken at a random pitch, speed and loudness into noise, at 8 kHz. Seeded. The spectra are those of pipeline.toml:
training takes them from the very front end that the firmware has.
Writes keyword.keras, pipeline.toml, samples.npz (sounds to calibrate with), and test.npz: sounds by the name
"LABEL NUMBER".
"""

from __future__ import annotations

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
RATE = 8000
TESTED = 120
SAMPLES = 256 + 24 * 160
"""25 windows of 32 ms, one every 20 ms."""
VOWELS = {"a": (800, 1200), "e": (450, 2000), "i": (300, 2500), "o": (450, 850), "u": (320, 700)}
"""The first two formants, in Hz."""
WORDS = {"on": "oao", "off": "uoe", "left": "eia", "right": "aie"}


def spoken(rng: np.random.Generator, vowels: str) -> NDArray[np.int16]:
    """Half a second of a word, (4096,)."""
    place = np.clip((np.arange(SAMPLES) / SAMPLES - rng.uniform(0, 0.15)) / rng.uniform(0.75, 0.85), 0, 0.999)
    position = place * len(vowels)
    formants = np.array([VOWELS[v] for v in vowels], np.float64) * rng.uniform(0.92, 1.08)
    first, second = (np.interp(position - 0.5, range(len(vowels)), formants[:, n]) for n in (0, 1))
    pitch = rng.uniform(100, 220)
    phase = 2 * np.pi * pitch * np.arange(SAMPLES) / RATE
    wave = np.zeros(SAMPLES)
    for harmonic in range(1, int(RATE / 2 / pitch)):
        hertz = harmonic * pitch
        size = sum(np.exp(-(((hertz - formant) / 120) ** 2)) for formant in (first, second))
        wave += size * np.sin(harmonic * phase)
    loud = np.sin(np.pi * place) * rng.uniform(0.3, 1.0)
    heard = loud * wave + rng.normal(0, 0.1, SAMPLES)
    return np.clip(np.rint(3000 * heard), -32768, 32767).astype(np.int16)


def words(rng: np.random.Generator, count: int) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Sounds (count, 4096), and the number of each one's word."""
    y = rng.integers(0, len(WORDS), count)
    return np.stack([spoken(rng, list(WORDS.values())[word]) for word in y]), y.astype(np.int64)


def train(folder: Path) -> None:
    import keras

    from mcugen.pipeline import read_pipeline

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    pipeline = read_pipeline(HERE / "pipeline.toml")
    sounds, y = words(rng, 800)
    tested, truth = words(rng, TESTED)
    x = np.concatenate([pipeline.windows(sound) for sound in sounds])[..., np.newaxis]
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:], name="spectrum"),
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
    model.fit(x, y, batch_size=32, epochs=8, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "keyword.keras")
    shutil.copy(HERE / "pipeline.toml", folder)
    np.savez(folder / "samples.npz", **{f"sound{n}": sound for n, sound in enumerate(sounds[:200])})
    names = list(WORDS)
    np.savez(folder / "test.npz", **{f"{names[truth[n]]} {n}": tested[n] for n in range(TESTED)})


if __name__ == "__main__":
    train(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
