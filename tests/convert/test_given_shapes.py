"""`input_shape`: sizes for dimensions that a model leaves open, beyond the batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import api
from mcugen.convert.given_shapes import check_names, fixed_shape, using_shapes
from mcugen.errors import ConversionError, ModelError

X = np.random.default_rng(0).normal(size=(20, 12, 3)).astype(np.float32)


@pytest.mark.parametrize("text", ["x", "x=", "x=1,-2", "x=1,a", "=", "x=1,0,3", "1,2,"])
def test_what_is_no_shape(text: str) -> None:
    with pytest.raises(ModelError, match=r"is no shape of an input.*NAME=1,96,96,3"), using_shapes(text):
        pass


def test_shapes_by_name() -> None:
    assert fixed_shape("x", [None, None, 3], {"x": (1, 8, 3)}) == (1, 8, 3)
    assert fixed_shape("x", [None, 4, 3], {}) == (1, 4, 3)
    assert fixed_shape("x", [None, None], {"": (2, 5)}) == (2, 5)
    with pytest.raises(ConversionError, match=r'\[None, None, 3\]: only the batch .* `input_shape="x=1,N,3"`'):
        fixed_shape("x", [None, None, 3], {"y": (1, 2, 3)})
    for wrong in ((1, 8, 4), (1, 8), (1, 8, 3, 1)):
        with pytest.raises(ConversionError, match=r"which 1,8.* does not fit"):
            fixed_shape("x", [None, None, 3], {"x": wrong})
    check_names(["x"], {"": (1,)})
    with pytest.raises(ModelError, match=r"no input 'z'.*Its inputs are: x, y"):
        check_names(["x", "y"], {"z": (1,)})
    with pytest.raises(ModelError, match="the model has several inputs"):
        check_names(["x", "y"], {"": (1,)})


def keras_model() -> Any:
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(2)
    x = keras.Input((None, 3), name="window")
    y = layers.GlobalAveragePooling1D()(layers.Conv1D(6, 3, activation="relu")(x))
    return keras.Model(x, layers.Dense(4, activation="softmax")(y))


def as_keras(folder: Path) -> Path:
    keras_model().save(folder / "open.keras")
    return folder / "open.keras"


def as_saved_model(folder: Path) -> Path:
    keras_model().export(folder / "saved", verbose=False)
    return folder / "saved"


def as_tflite(folder: Path) -> Path:
    import tensorflow as tf

    path = folder / "open.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(keras_model()).convert())
    return path


@pytest.mark.tensorflow
@pytest.mark.parametrize("source", [as_keras, as_saved_model, as_tflite])
def test_an_open_length_is_given(source: Callable[[Path], Path], tmp_path: Path) -> None:
    pytest.importorskip("keras", reason="Keras is not installed")
    path = source(tmp_path)
    with pytest.raises((ConversionError, ModelError), match=r'only the batch .*`input_shape="[\w:]+=1,N,3"`'):
        api.quantize(path, data=X, out=tmp_path / "none.tflite")
    with pytest.raises((ConversionError, ModelError), match="which 1,12,4 does not fit"):
        api.quantize(path, data=X, out=tmp_path / "none.tflite", input_shape="1,12,4")
    assert not (tmp_path / "none.tflite").exists()
    made = api.quantize(path, data=X, out=tmp_path / "int8.tflite", input_shape="1,12,3")
    report = made.model.report
    assert report is not None
    assert report.inputs[0].shape == (1, 12, 3)
    figures = report.agreement[0]
    assert figures.sqnr_db is not None
    assert figures.sqnr_db > 25
