"""Keras's recurrent layers as they are, not unrolled, in float32: loops, or fused to one op."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from mcugen.convert import convert
from tests.state.models import assert_sequence_bit_exact

pytestmark = [pytest.mark.tensorflow, pytest.mark.xdist_group("tensorflow")]

_STEPS, _FEATURES = 5, 4


@pytest.mark.emulator
def test_an_lstm_that_is_not_unrolled_runs_as_a_loop(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    layers = [keras.layers.LSTM(6), keras.layers.Dense(3, activation="softmax")]
    model = keras.Sequential([keras.layers.Input((_STEPS, _FEATURES)), *layers])
    proof = api.deploy(model, board="mps2-an386", quantize=False, out=tmp_path / "lstm", samples=3)
    assert proof.exit_code == 0
    assert [step.op.kind for step in proof.plan.steps] == ["WHILE", "FULLY_CONNECTED", "SOFTMAX"]
    assert not proof.plan.stateful
    x = np.random.default_rng(0).normal(size=(1, _STEPS, _FEATURES)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    ran = api.run(tmp_path / "lstm", inputs=tmp_path / "x.npy")
    np.testing.assert_allclose(ran.outputs[0], model(x), rtol=1e-4, atol=1e-5)


def test_an_lstm_that_tensorflow_fuses_runs_as_one_op() -> None:
    tf = pytest.importorskip("tensorflow")
    layers = pytest.importorskip("tf_keras").layers
    model = pytest.importorskip("tf_keras").Sequential(
        [layers.InputLayer(batch_input_shape=(1, _STEPS, _FEATURES)), layers.LSTM(6, return_sequences=True)]
    )
    converted = convert(tf.lite.TFLiteConverter.from_keras_model(model).convert(), quantize=False)
    plan = assert_sequence_bit_exact(converted.tflite, 3)
    assert [step.kernels for step in plan.steps] == ["mcg_lstm_f32"]
