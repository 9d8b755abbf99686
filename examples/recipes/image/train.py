"""Pictures as a camera sends them: digits in 96 × 64 pixels of RGB565, which the network reads as 28 × 28 in grey.

The digits are scikit-learn's handwritten ones (8 × 8 pixels), which come with it. They are drawn here in random
colours, a little beside the middle and in several sizes, on a background that is brighter on one side. Crop, grey and
size are those of pipeline.toml: training takes its pictures from the very front end that the firmware has. Seeded.
Writes image.keras, pipeline.toml, samples.npz (pictures to calibrate with), and test.npz: pictures by the name
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
WIDTH, HEIGHT = 96, 64
TESTED = 80


def drawn(rng: np.random.Generator, digit: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A picture of a digit (8, 8) with values 0 … 16, as lines of RGB565, little endian: (64, 192)."""
    from PIL import Image

    size = int(rng.integers(44, 57))
    ink = Image.fromarray((digit * 255 / 16).astype(np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
    left, top = (side // 2 - size // 2 + int(rng.integers(-4, 5)) for side in (WIDTH, HEIGHT))
    mask = np.zeros((HEIGHT, WIDTH, 1))
    mask[top : top + size, left : left + size, 0] = np.asarray(ink) / 255
    light = np.linspace(*rng.uniform(0.7, 1.0, 2), WIDTH)[:, None]
    colours = rng.uniform(0.0, 0.25, 3), rng.uniform(0.6, 1.0, 3)
    picture = (colours[1] * mask + colours[0] * (1 - mask)) * light + rng.normal(0, 0.03, (HEIGHT, WIDTH, 3))
    red, green, blue = (np.clip(picture, 0, 1) * (31, 63, 31)).round().astype(np.uint16).transpose(2, 0, 1)
    pixels = (red << 11 | green << 5 | blue).astype("<u2")
    return pixels.view(np.uint8).reshape(HEIGHT, WIDTH * 2)


def train(folder: Path) -> None:
    import keras
    from sklearn.datasets import load_digits

    from mcugen.pipeline import read_pipeline

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    pipeline = read_pipeline(HERE / "pipeline.toml")
    digits = load_digits()
    order = rng.permutation(len(digits.target))
    pictures = np.stack([drawn(rng, digits.images[n]) for n in order])
    x = pipeline.rows(pictures.reshape(-1, WIDTH * 2))
    y = digits.target[order].astype(np.int64)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:], name="grey"),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="edges"),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="strokes"),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu", name="parts"),
            layers.Flatten(name="flat"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="image",
    )
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    model.fit(x[TESTED:], y[TESTED:], batch_size=32, epochs=12, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "image.keras")
    shutil.copy(HERE / "pipeline.toml", folder)
    np.savez(folder / "samples.npz", pictures=pictures[TESTED : TESTED + 200].reshape(-1, WIDTH * 2))
    np.savez(folder / "test.npz", **{f"{y[n]} {n}": pictures[n] for n in range(TESTED)})


if __name__ == "__main__":
    train(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
