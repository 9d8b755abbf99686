"""Recurrent Keras layers with options of their own: those that do nothing in inference, and those that nothing runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcugen.convert import convert
from mcugen.errors import ConversionError

pytestmark = pytest.mark.tensorflow
keras = pytest.importorskip("keras", reason="Keras is not installed")
layers = keras.layers

STEPS, FEATURES, UNITS = 6, 3, 5


def model(*recurrent: Any, batch: int | None = None) -> Any:
    keras.utils.set_random_seed(3)
    x = keras.Input(batch_shape=(batch, STEPS, FEATURES))
    y = x
    for layer in recurrent:
        y = layer(y)
    return keras.Model(x, layers.Dense(4, activation="softmax")(y))


def samples(count: int = 60) -> Any:
    return np.random.default_rng(0).normal(size=(count, STEPS, FEATURES)).astype(np.float32)


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_dropout_of_a_recurrent_layer_does_nothing(kind: str, unroll: bool) -> None:
    given = model(getattr(layers, kind)(UNITS, dropout=0.2, recurrent_dropout=0.3, unroll=unroll))
    converted = convert(given, samples())
    assert len(converted.float_model.schema.subgraphs) == (3 if kind == "GRU" and not unroll else 1)
    figures = converted.report.agreement[0]
    assert figures.sqnr_db is not None
    assert figures.sqnr_db > 18
    from mcugen.convert import float_runner

    np.testing.assert_allclose(float_runner(converted)(samples(5)), given.predict(samples(5), verbose=0), atol=1e-5)


def test_an_object_keeps_its_dropout() -> None:
    from mcugen.convert.keras_recurrent import without_dropout

    given = model(layers.Bidirectional(layers.GRU(UNITS, dropout=0.2, recurrent_dropout=0.3)))
    wrapper = given.layers[1]
    cells = [wrapper.forward_layer.cell, wrapper.backward_layer.cell]
    with without_dropout(given):
        assert [(cell.dropout, cell.recurrent_dropout) for cell in cells] == [(0.0, 0.0)] * 2
    assert [(cell.dropout, cell.recurrent_dropout) for cell in cells] == [(0.2, 0.3)] * 2


def test_masking_is_refused_by_its_name() -> None:
    given = model(layers.Masking(name="padding"), layers.LSTM(UNITS))
    with pytest.raises(ConversionError, match=r'layer "padding" \(Masking\): leaves out the steps .*Remove it'):
        convert(given, samples())


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="bias that is zero at first"),
        pytest.param({"recurrent_activation": "hard_sigmoid"}, id="hard sigmoid"),
        pytest.param({"activation": "relu"}, id="relu"),
        pytest.param({"reset_after": False}, id="reset before"),
    ],
)
def test_int16_activations(options: dict[str, Any]) -> None:
    """First rounds begin with zeros, for whose products no scale fits."""
    converted = convert(model(layers.GRU(UNITS, **options)), samples(), activations="int16")
    figures = converted.report.agreement[0]
    assert figures.sqnr_db is not None
    assert figures.sqnr_db > 40
