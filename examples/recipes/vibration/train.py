"""Faults of a machine found by an autoencoder: it learns the spectra of healthy vibration, and fails on others.

The data are made here: a motor at 25 to 30 turns per second with harmonics, the mesh of its gears, and noise; a bad
bearing strikes 5.4 times per turn, and each blow makes the housing ring between 2 and 2.6 kHz. Seeded. The spectra are
those of pipeline.toml: training takes them from the very front end that the firmware has.
Writes vibration.keras, pipeline.toml with a threshold half as high again as any error of healthy machines that were not
trained on, samples.npz (healthy recordings to calibrate with), and the folder test: healthy/*.wav and anomaly/*.wav.
"""

from __future__ import annotations

import os
import re
import sys
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Keep TensorFlow's start-up messages off the terminal; set before it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

HERE = Path(__file__).resolve().parent
SEED = 7
RATE = 8000
SECONDS = 2
TESTED = 10
MARGIN = 1.5


def vibration(rng: np.random.Generator, *, faulty: bool) -> NDArray[np.int16]:
    """Two seconds of a machine, (16000,)."""
    times = np.arange(RATE * SECONDS) / RATE
    speed, load = rng.uniform(25, 30), rng.uniform(0.7, 1.3)
    wave_ = rng.normal(0, 0.05, len(times))
    for harmonic in range(1, 9):
        wave_ += load / harmonic**1.5 * np.sin(2 * np.pi * (harmonic * speed * times + rng.uniform()))
    for mesh in (17, 34):
        wave_ += 0.2 * load * np.sin(2 * np.pi * (mesh * speed * times + rng.uniform()))
    if faulty:
        strikes = np.zeros(len(times))
        every = RATE / (speed * rng.uniform(5.3, 5.5))
        strikes[np.arange(rng.uniform(0, every), len(times), every).astype(int)] = rng.uniform(0.4, 0.8)
        decay = np.arange(160) / RATE
        ringing = np.exp(-decay / 0.002) * np.sin(2 * np.pi * rng.uniform(2000, 2600) * decay)
        wave_ += np.convolve(strikes, ringing)[: len(times)]
    return np.clip(np.rint(8000 * wave_), -32768, 32767).astype(np.int16)


def write_wav(path: Path, samples: NDArray[np.int16]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())


def train(folder: Path) -> None:
    import keras

    from mcugen.pipeline import read_pipeline

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    pipeline = read_pipeline(HERE / "pipeline.toml")
    healthy = [vibration(rng, faulty=False) for _ in range(50)]
    rows = np.stack([pipeline.rows(samples) for samples in healthy])
    learned, kept = rows[:40], rows[40:]
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(rows.shape[2:], name="spectrum"),
            layers.Dense(24, activation="relu", name="narrow"),
            layers.Dense(8, activation="relu", name="code"),
            layers.Dense(24, activation="relu", name="widen"),
            layers.Dense(rows.shape[2], name="again"),
        ],
        name="vibration",
    )
    model.compile(keras.optimizers.Adam(0.003), "mse")
    model.fit(np.concatenate(learned), np.concatenate(learned), batch_size=32, epochs=25, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "vibration.keras")

    # What the decision compares: the mean of squares over the last inferences, here of machines not trained on.
    again = model.predict(np.concatenate(kept), verbose=0).reshape(kept.shape)
    errors = np.square(again - kept).mean(axis=2)
    window = np.ones(16) / 16
    worst = max(np.convolve(one, window, "valid").max() for one in errors)
    text = re.sub(r"threshold = .*", f"threshold = {MARGIN * worst:.4g}", pipeline.text)
    (folder / "pipeline.toml").write_text(text, encoding="utf-8")
    np.savez(folder / "samples.npz", **{f"healthy{n}": samples for n, samples in enumerate(healthy[:20])})
    for name, faulty in (("healthy", False), ("anomaly", True)):
        for number in range(TESTED):
            write_wav(folder / "test" / name / f"{number}.wav", vibration(rng, faulty=faulty))


if __name__ == "__main__":
    train(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
