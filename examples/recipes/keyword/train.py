"""Spoken words, from a microphone's samples to an event: yes, no, stop and go among other words.

The speakers are voices of espeak-ng (apt install espeak-ng), with several accents, pitches and speeds; nobody who
speaks the test was heard in training. Sounds become rows by the very front end of pipeline.toml, so that training and
device cannot differ. Seeded. Writes into the folder keyword.keras; samples.npz (calibration) and test.npz, each with
windows `x` and words `y`; pipeline.toml; and for the whole way test/*.wav with truth.csv, and calibration/*.wav.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import wave
from dataclasses import dataclass, replace
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from mcugen import pipeline

# Keep TensorFlow's start-up messages off the terminal; set before it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

SEED = 7
RATE = 16000
WORDS = ("yes", "no", "stop", "go")
OTHERS = ("left", "right", "hello", "seven", "maybe", "water", "paper", "people", "garden", "river")
SILENCE, OTHER = 0, 1
"""Classes; those of the words follow."""
ACCENTS = ("en-us", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-029")
LEARNT = (
    *("m1", "m2", "m3", "m4", "m5", "f1", "f2", "f3", "f5", "Andy", "Annie", "Gene", "steph"),
    *("Mario", "Jacky", "anika", "edward", "shelby"),
)
HELD_OUT = ("m7", "f4", "Lee", "Alicia", "Michael", "linda")
"""Variants of the voice. Each speaker has an accent of one's own, which goes round."""


@dataclass(frozen=True)
class Speech:
    """Samples (n,) int16, and what is said in them: class, first and last second."""

    samples: NDArray[np.int16]
    said: tuple[tuple[int, float, float], ...]


def spoken(word: str, voice: str, speed: int, pitch: int) -> NDArray[np.float64]:
    """A word, without the silence around it."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", word]
    with wave.open(io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout)) as file:
        rate, content = file.getframerate(), file.readframes(1 << 24)  # the length in its header is made up
    common = gcd(RATE, rate)
    samples = resample_poly(np.frombuffer(content, "<i2").astype(np.float64), RATE // common, rate // common)
    loud = np.nonzero(np.abs(samples) > 0.02 * np.abs(samples).max())[0]
    return np.asarray(samples[loud[0] : loud[-1] + 1] / np.abs(samples).max())


def speech(rng: np.random.Generator, voice: str, rounds: int) -> Speech:
    """All words by one speaker, in a random order, with pauses, in noise."""
    parts, said, at = [], [], 0

    def add(samples: NDArray[np.float64]) -> None:
        nonlocal at
        parts.append(samples)
        at += len(samples)

    add(np.zeros(RATE))
    for _ in range(rounds):
        speed, pitch = int(rng.integers(120, 200)), int(rng.integers(25, 75))
        for word in rng.permutation([*WORDS, *OTHERS]):
            one = spoken(str(word), voice, speed, pitch) * rng.uniform(2000, 16000)
            kind = 2 + WORDS.index(word) if word in WORDS else OTHER
            said.append((kind, at / RATE, (at + len(one)) / RATE))
            add(one)
            add(np.zeros(int(RATE * rng.uniform(0.7, 1.2))))
    samples = np.concatenate(parts)
    samples += rng.normal(0, rng.uniform(5, 150), len(samples))
    return Speech(np.clip(np.rint(samples), -32768, 32767).astype(np.int16), tuple(said))


def windows(app: pipeline.Pipeline, one: Speech) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The windows of a speech as the device cuts them, and what was said in each.

    A word counts where all of it lies in the window, and ended at most 0.3 s ago; half of one is left out, and half of
    another word is another word.
    """
    x = app.windows(one.samples)
    front = app.front_end.rows()
    stride = app.stride or app.window or 1
    ends = (front.frames_first + ((app.window or 1) - 1 + stride * np.arange(len(x))) * front.frames_step) / RATE
    starts = ends - (front.frames_first + ((app.window or 1) - 1) * front.frames_step) / RATE
    y, wanted = np.full(len(x), SILENCE), np.ones(len(x), bool)
    for kind, first, last in one.said:
        touched = (starts < last) & (ends > first)
        whole = (starts <= first + 0.05) & (ends >= last)
        if kind == OTHER:
            y[touched & (y == SILENCE)] = OTHER
            continue
        wanted &= ~touched | whole
        y[whole & (ends <= last + 0.3)] = kind
        wanted &= ~(whole & (ends > last + 0.3))
    return x[wanted], y[wanted]


def many(app: pipeline.Pipeline, speeches: list[Speech]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    parts = [windows(app, one) for one in speeches]
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def save_wav(path: Path, samples: NDArray[np.int16]) -> None:
    path.parent.mkdir(exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())


def train(folder: Path) -> None:
    if shutil.which("espeak-ng") is None:
        sys.exit("The speakers are voices of espeak-ng, which is not installed: apt install espeak-ng")
    import keras

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    folder.mkdir(parents=True, exist_ok=True)
    app = pipeline.read_pipeline(shutil.copy(Path(__file__).parent / "pipeline.toml", folder))
    voices = [f"{ACCENTS[n % len(ACCENTS)]}+{name}" for n, name in enumerate((*LEARNT, *HELD_OUT))]
    if len({spoken(WORDS[0], voice, 150, 50).tobytes() for voice in voices}) < len(voices):
        sys.exit("This espeak-ng speaks with the same voice for two speakers, so the test would not be of strangers")
    learnt = [speech(rng, voice, 2) for voice in voices[: len(LEARNT)]]
    held_out = [speech(rng, voice, 1) for voice in voices[len(LEARNT) :]]
    # Learnt from are more windows than the device cuts: a word lies elsewhere in each.
    x_train, y_train = many(replace(app, stride=3), learnt)
    x_test, y_test = many(app, held_out)
    shape = x_train.shape[1:]
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(shape, name="rows"),
            layers.Reshape((*shape, 1), name="image"),
            layers.Conv2D(16, (6, 5), strides=2, padding="same", activation="relu", name="edges"),
            layers.DepthwiseConv2D(3, padding="same", activation="relu", name="spread"),
            layers.Conv2D(24, 1, activation="relu", name="mix"),
            layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu", name="spread_again"),
            layers.Conv2D(32, 1, activation="relu", name="mix_again"),
            layers.AveragePooling2D((2, 2), name="pool"),
            layers.Flatten(name="flat"),
            layers.Dropout(0.3, name="forget"),
            layers.Dense(2 + len(WORDS), activation="softmax", name="word"),
        ],
        name="keyword",
    )
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    # Silence is heard more often than any word.
    weights = {kind: len(y_train) / (6 * max(1, int(np.sum(y_train == kind)))) for kind in range(2 + len(WORDS))}
    model.fit(x_train, y_train, batch_size=64, epochs=6, class_weight=weights, verbose=0)
    model.save(folder / "keyword.keras")
    some = rng.permutation(len(x_train))[:300]
    np.savez(folder / "samples.npz", x=x_train[some], y=y_train[some])
    np.savez(folder / "test.npz", x=x_test, y=y_test)
    for number, one in enumerate(learnt[::5]):
        save_wav(folder / "calibration" / f"{number}.wav", one.samples[: 6 * RATE])
    lines = ["file,start,end,label"]
    for name, one in zip(HELD_OUT, held_out, strict=True):
        save_wav(folder / "test" / f"{name}.wav", one.samples)
        lines += [f"{name}.wav,{s:.3f},{e:.3f},{WORDS[kind - 2]}" for kind, s, e in one.said if kind > OTHER]
    (folder / "truth.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    train(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
