"""Tables: wines told apart by 13 measured quantities, with scikit-learn's scaler before a dense network.

The data come with scikit-learn. Alcohol is near 13, proline near 750: one scale for all would leave int8 nothing of the
small ones. So the scaler stays in front of the model, column by column, and goes along with it in one of two ways:
scaler.json for `--scaler`, so that the firmware's quantize_input() takes the quantities as they are; or pipeline.toml,
whose front end does the same in the firmware. Training takes its rows from that front end. Seeded. Writes
tabular.keras, scaler.json, pipeline.toml, and samples.npz (calibration) and test.npz, each with quantities `x` in their
own units and wines `y`.
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

PIPELINE = """\
# Quantities of a wine in their own units; the scaler that the network was trained with.

[input]
kind = "table"
format = "float32"
channels = {columns}

[frontend]
kind = "table"
offset = {offset}
size = {size}

[model]
file = "tabular.keras"
window = 1

[decision]
labels = {names}
threshold = 0.5
"""


def train(folder: Path) -> None:
    import keras
    from sklearn.datasets import load_wine
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from mcugen.frontends import Signal, rows_of
    from mcugen.frontends.table import from_scaler

    keras.utils.set_random_seed(SEED)
    wine = load_wine()
    split = train_test_split(wine.data, wine.target, test_size=0.4, random_state=SEED, stratify=wine.target)
    x_train, x_test = (x.astype(np.float32) for x in split[:2])
    y_train, y_test = (y.astype(np.int64) for y in split[2:])
    scaler = make_pipeline(StandardScaler()).fit(x_train)
    front_end = from_scaler(Signal("table", "float32", channels=x_train.shape[1]), scaler)
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
    model.fit(rows_of(front_end, x_train), y_train, batch_size=16, epochs=30, verbose=0)
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "tabular.keras")
    units = front_end.units
    facts = {"names": list(wine.feature_names), "mean": units.offset, "scale": units.size}
    (folder / "scaler.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    text = PIPELINE.format(
        columns=x_train.shape[1],
        offset=list(units.offset),
        size=list(units.size),
        names=json.dumps([str(name) for name in wine.target_names]),
    )
    (folder / "pipeline.toml").write_text(text, encoding="utf-8")
    np.savez(folder / "samples.npz", x=x_train, y=y_train)
    np.savez(folder / "test.npz", x=x_test, y=y_test)


if __name__ == "__main__":
    train(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
