"""Quantization-aware training of a small CNN on scikit-learn's handwritten digits, next to plain training.

Trains digits.keras, makes it aware of int8 (mcugen.qat) and trains it for a few epochs more, then quantizes both and
prints the accuracy of each in float32 and int8. Leaves digits.keras, aware.keras, samples.npz (calibration) and
test.npz in the folder. Seeded.

    python examples/qat_digits/train.py FOLDER
    mcugen deploy FOLDER/aware.keras --data FOLDER/samples.npz --eval-data FOLDER/test.npz --board mps2-an386
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Keep TensorFlow's start-up messages off the terminal; set before it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

SEED = 7


def train(folder: Path, epochs: int = 30, aware_epochs: int = 5) -> None:
    import keras
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    from mcugen import api
    from mcugen.qat import quantize_aware

    folder.mkdir(exist_ok=True)
    keras.utils.set_random_seed(SEED)
    digits = load_digits()
    x = (digits.images / 16.0).astype(np.float32)[..., np.newaxis]
    y = digits.target.astype(np.int64)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=SEED, stratify=y)
    np.savez(folder / "samples.npz", x=x_train, y=y_train)
    np.savez(folder / "test.npz", x=x_test, y=y_test)

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(8, 3, padding="same", use_bias=False, name="edges"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="cut"),
            layers.DepthwiseConv2D(3, padding="same", activation="relu", name="spread"),
            layers.Conv2D(16, 1, activation="relu", name="mix"),
            layers.MaxPooling2D(2, name="halve"),
            layers.Flatten(name="flat"),
            layers.Dense(10, name="digit"),
        ],
        name="digits",
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    model.fit(x_train, y_train, batch_size=32, epochs=epochs, verbose=0)
    model.save(folder / "digits.keras")

    aware = quantize_aware(model, momentum=0.9)
    aware.compile(keras.optimizers.Adam(3e-4), loss)
    aware.fit(x_train, y_train, batch_size=32, epochs=aware_epochs, verbose=0)
    aware.save(folder / "aware.keras")

    for name in ("digits", "aware"):
        result = api.quantize(
            folder / f"{name}.keras", data=str(folder / "samples.npz"), eval_data=str(folder / "test.npz")
        )
        assert result.assessment is not None
        told = [f"{run.arithmetic} {100 * run.value('accuracy'):.2f} %" for run in result.assessment.runs]
        print(f"{name}.keras: {', '.join(told)}")


if __name__ == "__main__":
    train(Path(sys.argv[1]))
