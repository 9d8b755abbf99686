"""Models that were trained in mixed precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.convert import convert, float_runner
from mcugen.convert.mixed_precision import _changed
from tests.guard.conftest import in_this_process

__all__ = ["in_this_process"]


def test_names_are_changed_wherever_they_stand() -> None:
    policy = {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
    config = {"layers": [{"config": {"dtype": policy, "name": "a"}}, ("mixed_bfloat16", 3)], "name": "mixed"}
    changed = _changed(config)
    assert changed["layers"][0]["config"]["dtype"]["config"]["name"] == "float32"
    assert changed["layers"][1] == ("float32", 3)
    assert (changed["name"], changed["layers"][0]["config"]["name"]) == ("mixed", "a")


def model_of(keras: Any, policy: str) -> Any:
    layers = keras.layers
    keras.mixed_precision.set_global_policy(policy)
    try:
        inner_input = keras.Input((6, 6, 4))
        inner = keras.Model(inner_input, layers.Conv2D(4, 3, activation="relu")(inner_input), name="inner")
        image = keras.Input((8, 8, 2), name="image")
        y = layers.BatchNormalization()(inner(layers.Conv2D(4, 3)(image)))
        return keras.Model(image, layers.Dense(3, dtype="float32", name="scores")(layers.Flatten()(y)))
    finally:
        keras.mixed_precision.set_global_policy("float32")


@pytest.mark.tensorflow
@pytest.mark.xdist_group("tensorflow")
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_they_are_converted_in_float32(policy: str, tmp_path: Path, in_this_process: None) -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    model = model_of(keras, policy)
    plain = model_of(keras, "float32")
    plain.set_weights(model.get_weights())
    model.save(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(20, 8, 8, 2)).astype(np.float32)
    converted = convert(tmp_path / "model.keras", x)
    assert np.abs(float_runner(converted)(x) - plain.predict(x, verbose=0)).max() < 1e-4
    assert converted.report.agreement[0].cosine_similarity > 0.99
    assert [spec.name for spec in converted.report.outputs] == ["scores"]
