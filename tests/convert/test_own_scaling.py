"""Keras models that scale their images themselves: a folder of images is given to them as it is, 0 to 255."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mcugen.assess import load_evaluation
from mcugen.convert import Converted, convert
from mcugen.convert.inspect_source import inspect_model
from mcugen.convert.keras_inputs import live_scaling, own_scaling
from mcugen.convert.types import OwnScaling

pytestmark = [pytest.mark.tensorflow, pytest.mark.xdist_group("tensorflow")]

Build = Callable[[Any], Any]
SHAPE = (8, 8, 3)


def conv(k: Any) -> Any:
    layers = [k.layers.Rescaling(1 / 255), k.layers.Conv2D(4, 3), k.layers.Flatten(), k.layers.Dense(2)]
    return k.Sequential([k.Input(SHAPE), *layers])


def depthwise(k: Any) -> Any:
    layers = [k.layers.Rescaling(1 / 127.5, offset=-1), k.layers.DepthwiseConv2D(3), k.layers.Flatten()]
    return k.Sequential([k.Input(SHAPE), *layers, k.layers.Dense(2)])


def dense(k: Any) -> Any:
    layers = [k.layers.Rescaling(1 / 255), k.layers.Flatten(), k.layers.Dense(2)]
    return k.Sequential([k.Input(SHAPE), *layers])


def dense_after(k: Any) -> Any:
    x = k.Input(SHAPE)
    return k.Model(x, k.layers.Dense(2)(k.layers.Rescaling(1 / 255)(k.layers.Flatten()(x))))


def pooling(k: Any) -> Any:
    x = k.Input(SHAPE)
    y = k.layers.AveragePooling2D(2)(k.layers.Rescaling(1 / 255)(x))
    return k.Model(x, k.layers.Dense(2)(k.layers.Flatten()(k.layers.Conv2D(4, 3)(y))))


def nested(k: Any) -> Any:
    inner = k.Input(SHAPE)
    body = k.Model(inner, k.layers.Conv2D(4, 3)(k.layers.Rescaling(1 / 255)(inner)), name="body")
    x = k.Input(SHAPE)
    return k.Model(x, k.layers.Dense(2)(k.layers.Flatten()(body(x))))


def nested_before(k: Any) -> Any:
    """As in tutorials: augmentation and scaling in a model of their own, before the network."""
    before = k.Sequential([k.Input(SHAPE), k.layers.RandomFlip(), k.layers.Rescaling(1 / 255)], name="before")
    x = k.Input(SHAPE)
    return k.Model(x, k.layers.Dense(2)(k.layers.Flatten()(k.layers.Conv2D(4, 3)(before(x)))))


def branches(k: Any) -> Any:
    x = k.Input(SHAPE)
    y = k.layers.Rescaling(1 / 255)(x)
    a, b = k.layers.Conv2D(4, 3)(y), k.layers.Conv2D(4, 3)(y)
    return k.Model(x, k.layers.Dense(2)(k.layers.Flatten()(k.layers.Add()([a, b]))))


def operators(k: Any) -> Any:
    """As preprocess_input of many networks does."""
    x = k.Input(SHAPE)
    return k.Model(x, k.layers.Dense(2)(k.layers.Flatten()(k.layers.Conv2D(4, 3)(x / 127.5 - 1.0))))


def mean_taken_off(k: Any) -> Any:
    """As networks of the time of Caffe do: pixels are not scaled, but their mean is taken off."""
    x = k.Input(SHAPE)
    y = x - np.array([103.939, 116.779, 123.68], np.float32)
    return k.Model(x, k.layers.Dense(2)(k.layers.Flatten()(k.layers.Conv2D(4, 3)(y))))


def normalized(k: Any) -> Any:
    normalize = k.layers.Normalization()
    normalize.adapt(np.random.default_rng(0).uniform(0, 255, (50, *SHAPE)).astype(np.float32))
    layers = [normalize, k.layers.Conv2D(4, 3), k.layers.Flatten(), k.layers.Dense(2)]
    return k.Sequential([k.Input(SHAPE), *layers])


FOLDED = [conv, depthwise, dense, pooling, nested]
"""Layouts that TensorFlow folds, or leaves in the middle of the model."""
PIXELS = [*FOLDED, dense_after, nested_before, branches, operators, mean_taken_off, normalized]


def unscaled(k: Any) -> Any:
    return k.Sequential([k.Input(SHAPE), k.layers.Conv2D(4, 3), k.layers.Flatten(), k.layers.Dense(2)])


def scaled_later(k: Any) -> Any:
    layers = [k.layers.Conv2D(4, 3), k.layers.Rescaling(1 / 255), k.layers.Flatten(), k.layers.Dense(2)]
    return k.Sequential([k.Input(SHAPE), *layers])


def normalized_units(k: Any) -> Any:
    layers = [k.layers.Normalization(mean=0.5, variance=0.08), k.layers.Flatten(), k.layers.Dense(2)]
    return k.Sequential([k.Input(SHAPE), *layers])


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random images that use all of 0 to 255."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(5)
    for number in range(4):
        Image.fromarray(rng.integers(0, 256, SHAPE, np.uint8)).save(folder / f"{number}.png")
    return folder


def largest(made: Converted) -> float:
    """The largest value that the input was quantized for."""
    spec = made.report.inputs[0]
    return spec.scale * (127 - spec.zero_point)


@pytest.mark.parametrize("build", FOLDED, ids=lambda build: str(build.__name__))
def test_images_are_not_scaled_twice(build: Build, images: Path, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)
    build(keras).save(tmp_path / "model.keras")
    made = convert(tmp_path / "model.keras", images)
    assert largest(made) == pytest.approx(255, rel=0.02)
    assert made.scaling is not None
    assert made.scaling.takes_pixels
    assert "pixel values are 0…255, because the model itself scales them" in made.report.calibration.notes
    assert made.float_model is not None
    judged = load_evaluation(made.float_model, images, scaling=made.scaling)
    assert judged.feeds[0].max() == 255
    # The int8 file alone tells it as well, by the range that it was quantized for.
    assert inspect_model(made.model).rescales_input
    assert load_evaluation(made.model, images).feeds[0].max() == 255


@pytest.mark.parametrize("build", PIXELS, ids=lambda build: str(build.__name__))
def test_layers_tell_that_the_model_takes_pixels(build: Build) -> None:
    found = live_scaling(build(pytest.importorskip("keras")))
    assert found is not None
    assert found.takes_pixels
    assert found.layer


@pytest.mark.parametrize("build", [unscaled, scaled_later, normalized_units], ids=lambda build: str(build.__name__))
def test_layers_tell_that_it_does_not(build: Build) -> None:
    found = live_scaling(build(pytest.importorskip("keras")))
    assert found is not None
    assert not found.takes_pixels


def test_images_are_scaled_where_the_model_does_not(images: Path, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    scaled_later(keras).save(tmp_path / "model.keras")
    made = convert(tmp_path / "model.keras", images)
    assert largest(made) == pytest.approx(1, rel=0.02)
    assert not inspect_model(made.model).rescales_input


def test_other_ways_to_hand_the_model_over(images: Path, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = nested(keras)
    assert largest(convert(model, images)) == pytest.approx(255, rel=0.02)
    model.save(tmp_path / "model.h5")
    assert largest(convert(tmp_path / "model.h5", images)) == pytest.approx(255, rel=0.02)
    model.export(tmp_path / "saved")
    assert largest(convert(tmp_path / "saved", images)) == pytest.approx(255, rel=0.02)


@pytest.mark.parametrize("build", [conv, nested_before, operators], ids=lambda build: str(build.__name__))
def test_keras_2(build: Build) -> None:
    keras = pytest.importorskip("tf_keras")
    found = live_scaling(build(keras))
    assert found is not None
    assert found.takes_pixels


@pytest.mark.parametrize("build", PIXELS[:-1], ids=lambda build: str(build.__name__))
def test_a_configuration_alone_tells(build: Build) -> None:
    model = build(pytest.importorskip("keras"))
    found = own_scaling(type(model).__name__, model.get_config())
    assert found is not None
    assert found.takes_pixels
    assert found.layer


def test_what_a_layer_learned_is_not_in_the_configuration() -> None:
    model = normalized(pytest.importorskip("keras"))
    assert own_scaling("Sequential", model.get_config()) is None
    assert live_scaling(model) is not None


@pytest.mark.parametrize(
    "config",
    [{}, {"layers": None}, {"layers": [{"class_name": "Rescaling"}]}, {"layers": [{"class_name": [], "config": {}}]}],
)
def test_damaged_configurations_tell_nothing(config: dict[str, Any]) -> None:
    assert own_scaling("Sequential", config) is None
    assert own_scaling("Functional", config) is None


def test_factors() -> None:
    assert [OwnScaling(scale, "x").takes_pixels for scale in (1, 0.5, 1 / 64, 1 / 127.5, 1 / 255)] == [
        False,
        False,
        True,
        True,
        True,
    ]
