"""Images by transfer learning: a network trained on many digits learns three others from 30 images each.

The images are scikit-learn's handwritten digits (8 × 8 pixels), which come with it. A CNN learns 0 to 6; its filters
are kept as they are, and a new last layer learns 7, 8 and 9. Seeded. Writes image.keras, and samples.npz (calibration)
and test.npz, each with images `x` (0 … 1) and classes `y` (0 … 2 for 7 … 9).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

# Keep TensorFlow's start-up messages off the terminal; set before it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

SEED = 7
KNOWN = 7
PER_CLASS = 30


def train(folder: Path) -> None:
    import keras
    from sklearn.datasets import load_digits

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    digits = load_digits()
    x = (digits.images / 16.0).astype(np.float32)[..., np.newaxis]
    y = digits.target.astype(np.int64)
    layers = keras.layers
    body = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="edges"),
            layers.MaxPooling2D(2, name="halve"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="parts"),
            layers.Flatten(name="flat"),
            layers.Dense(48, activation="relu", name="features"),
        ],
        name="body",
    )
    first = keras.Sequential([keras.Input((8, 8, 1)), body, layers.Dense(KNOWN, activation="softmax")])
    first.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy")
    first.fit(x[y < KNOWN], y[y < KNOWN], batch_size=32, epochs=20, verbose=0)

    body.trainable = False
    image = keras.Input((8, 8, 1), name="image")
    model = keras.Model(image, layers.Dense(10 - KNOWN, activation="softmax", name="digit")(body(image)), name="image")
    new = [rng.permutation(np.flatnonzero(y == digit)) for digit in range(KNOWN, 10)]
    few = np.concatenate([indices[:PER_CLASS] for indices in new])
    rest = np.concatenate([indices[PER_CLASS:] for indices in new])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(x[few], y[few] - KNOWN, batch_size=16, epochs=40, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "image.keras")
    np.savez(folder / "samples.npz", x=x[few], y=y[few] - KNOWN)
    np.savez(folder / "test.npz", x=x[rest], y=y[rest] - KNOWN)


if __name__ == "__main__":
    train(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
