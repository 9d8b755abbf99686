"""Trains a small CNN on scikit-learn's handwritten digits: 1,797 images of 8×8 pixels, 0 to 16.

Writes digits.keras; samples.npz (80 % of the images, for calibration) and test.npz (the other 20 %), each with pixels
`x` scaled to 0…1 and labels `y`. Seeded.

    python examples/digits/train.py FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Keep TensorFlow's start-up messages off the terminal; set before it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

SEED = 7


def train(folder: Path) -> None:
    import keras
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    keras.utils.set_random_seed(SEED)
    digits = load_digits()
    x = (digits.images / 16.0).astype(np.float32)[..., np.newaxis]
    y = digits.target.astype(np.int64)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=SEED, stratify=y)

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="edges"),
            layers.DepthwiseConv2D(3, padding="same", activation="relu", name="spread"),
            layers.Conv2D(32, 1, activation="relu", name="mix"),
            layers.MaxPooling2D(2, name="halve"),
            layers.Conv2D(32, 3, activation="relu", name="parts"),
            layers.Flatten(name="flat"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="digits",
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=32, epochs=30, verbose=0)
    model.save(folder / "digits.keras")
    np.savez(folder / "samples.npz", x=x_train, y=y_train)
    np.savez(folder / "test.npz", x=x_test, y=y_test)


if __name__ == "__main__":
    train(Path(sys.argv[1]))
