"""Images by transfer learning: a network trained on many digits learns three others from a folder of 60 images each.

The images are scikit-learn's handwritten digits (8 × 8 pixels), which come with it. A CNN learns 0 to 6 and is saved as
a body; the digits 7, 8 and 9 become a folder of .png files with a subfolder per class, as anybody's own images would
be. `mcugen transfer` keeps the body's filters as they are, and trains a new last layer on that folder. Seeded. Writes
body.keras, the folder images, what `mcugen transfer` writes (model.keras, samples.npz, test.npz, labels.txt), and
transfer.keras, a copy of model.keras.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np

# Keep TensorFlow's start-up messages off the terminal; set before it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

SEED = 7
KNOWN = 7
PER_CLASS = 60


def train(folder: Path) -> None:
    import keras
    from PIL import Image
    from sklearn.datasets import load_digits

    from mcugen import api

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    digits = load_digits()
    pixels = np.rint(digits.images * 255 / 16).astype(np.uint8)
    x = (pixels / 255).astype(np.float32)[..., np.newaxis]
    y = digits.target.astype(np.int64)
    layers = keras.layers
    body = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="edges"),
            layers.MaxPooling2D(2, name="halve"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="parts"),
            layers.Flatten(name="flat"),
            layers.Dense(48, activation="relu", name="strokes"),
            layers.Dense(KNOWN, activation="softmax", name="digit"),
        ],
        name="body",
    )
    body.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy")
    body.fit(x[y < KNOWN], y[y < KNOWN], batch_size=32, epochs=20, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    body.save(folder / "body.keras")
    for digit, name in ((7, "seven"), (8, "eight"), (9, "nine")):
        (folder / "images" / name).mkdir(parents=True, exist_ok=True)
        for number in rng.permutation(np.flatnonzero(y == digit))[:PER_CLASS]:
            Image.fromarray(pixels[number]).save(folder / "images" / name / f"{number}.png")

    result = api.transfer(folder / "body.keras", data=folder / "images", out=folder, seed=SEED)
    print(f"{result.taught.accuracy:.1%} of {result.tested} images that were not trained on")
    shutil.copy(folder / "model.keras", folder / "transfer.keras")


if __name__ == "__main__":
    train(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
