"""Quantization-aware training: the copy computes the same at first, learns, and its ranges reach the int8 model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.convert import Converted, convert, float_runner
from mcugen.errors import ConversionError
from mcugen.qat import quantize_aware

pytestmark = pytest.mark.tensorflow

RNG = np.random.default_rng(0)
X = RNG.uniform(size=(64, 8, 8, 1)).astype(np.float32)
Y = (X.mean(axis=(1, 2, 3)) > 0.5).astype(np.int64)


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


@pytest.fixture(scope="module")
def model(keras: Any) -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(6, 3, padding="same", use_bias=False, name="edges")(image)
    x = layers.ReLU(name="cut")(layers.BatchNormalization(name="norm")(x))
    y = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="spread")(x)
    x = layers.MaxPooling2D(name="halve")(layers.Add(name="sum")([x, y]))
    return keras.Model(image, layers.Dense(2, name="logits")(layers.Flatten(name="flat")(x)))


@pytest.fixture(scope="module")
def trained(keras: Any, model: Any) -> Any:
    aware = quantize_aware(model, momentum=0.5)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    aware.compile(keras.optimizers.Adam(1e-2), loss)
    aware.fit(X, Y, batch_size=16, epochs=3, verbose=0)
    return aware


@pytest.fixture(scope="module")
def converted(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    path: Path = tmp_path_factory.mktemp("qat") / "aware.keras"
    trained.save(path)
    return convert(path, X)


def range_of(trained: Any, layer: str) -> tuple[float, float]:
    found = trained.get_layer(f"{layer}_range")
    return min(float(found.low.numpy()), 0.0), max(float(found.high.numpy()), 0.0)


def test_ranges_stand_where_int8_tensors_will_be(trained: Any) -> None:
    names = {layer.name for layer in trained.layers if layer.name.endswith("_range")}
    assert names == {"cut_range", "spread_range", "sum_range", "logits_range"}


def test_kernels_are_rounded_when_used_and_trained_as_they_are(model: Any, trained: Any) -> None:
    before, after = (m.get_layer("edges") for m in (model, trained))
    assert not np.allclose(before.kernel.numpy(), after.layer.kernel.numpy()), "gradients must reach the kernel"
    kernel = after.layer.kernel.numpy()
    step = np.abs(kernel).max(axis=(0, 1, 2)) / 127
    assert np.abs(kernel / step - np.round(kernel / step)).max() > 0.1
    impulse = np.zeros((1, 8, 8, 1), np.float32)
    impulse[0, 4, 4] = 1
    centre = np.asarray(after(impulse))[0, 4, 4]
    np.testing.assert_allclose(centre, np.round(kernel[1, 1, 0] / step) * step, atol=1e-6)


def test_the_quantizer_takes_the_trained_ranges(trained: Any, converted: Converted) -> None:
    scales = {round(r.scale, 9) for r in converted.report.ranges}
    for layer in ("cut", "sum", "logits"):
        low, high = range_of(trained, layer)
        assert any(abs(scale - (high - low) / 255) < 1e-6 for scale in scales), layer
    assert any("4 fake quantizations" in note for note in converted.report.notes)


def test_int8_answers_like_the_model_that_was_trained(trained: Any, converted: Converted) -> None:
    # A step of int8 now and then, where the two round a tie differently; no more.
    float_outputs = float_runner(converted)(X)
    aware = np.asarray(trained(X, training=False))
    assert np.abs(float_outputs - aware).max() < 0.1 * np.abs(aware).max()
    assert converted.report.agreement[0].same_argmax == 1.0


def test_models_that_it_does_not_know_are_refused(keras: Any) -> None:
    layers = keras.layers
    image = keras.Input((4,))
    dense = layers.Dense(4, name="twice")
    with pytest.raises(ConversionError, match="used more than once"):
        quantize_aware(keras.Model(image, dense(dense(image))))
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4)], name="inner")
    with pytest.raises(ConversionError, match="a model within the model"):
        quantize_aware(keras.Sequential([image, inner, layers.Dense(2)]))
    with pytest.raises(ConversionError, match="not a built Sequential"):
        quantize_aware(object())
