"""Tables: wines told apart by 13 measured quantities, with scikit-learn's scaler before a dense network.

The data come with scikit-learn. Alcohol is near 13, proline near 750: one scale for all would leave int8 nothing of the
small ones. So the scaler stays outside the model: the firmware subtracts the mean of each quantity and divides by its
deviation, which scaler.json holds, and gives the model what is left. Seeded.
Writes tabular.keras, scaler.json, and samples.npz (calibration) and test.npz, each with scaled rows `x` and wines `y`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

# Keep TensorFlow's start-up messages off the terminal; set before it is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

SEED = 7


def train(folder: Path) -> None:
    import keras
    from sklearn.datasets import load_wine
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    keras.utils.set_random_seed(SEED)
    wine = load_wine()
    split = train_test_split(wine.data, wine.target, test_size=0.4, random_state=SEED, stratify=wine.target)
    scaler = StandardScaler().fit(split[0])
    x_train, x_test = (scaler.transform(x).astype(np.float32) for x in split[:2])
    y_train, y_test = (y.astype(np.int64) for y in split[2:])
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((x_train.shape[1],), name="scaled"),
            layers.Dense(16, activation="relu", name="hidden"),
            layers.Dense(3, activation="softmax", name="wine"),
        ],
        name="tabular",
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(x_train, y_train, batch_size=16, epochs=30, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "tabular.keras")
    facts = {"names": list(wine.feature_names), "mean": scaler.mean_.tolist(), "deviation": scaler.scale_.tolist()}
    (folder / "scaler.json").write_text(json.dumps(facts, indent=2) + "\n")
    np.savez(folder / "samples.npz", x=x_train, y=y_train)
    np.savez(folder / "test.npz", x=x_test, y=y_test)


if __name__ == "__main__":
    train(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
