"""Keras and SavedModel sources, and our quantizer against TensorFlow's own.

Every kind of source is loaded in the confined process once (`test_digits_keep_their_accuracy`); what else is said of
models does without starting TensorFlow again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.convert import Converted, convert, float_runner
from mcugen.convert.compare import agreement, run_int8
from mcugen.convert.inspect_source import inspect_model
from mcugen.errors import ConversionError, ModelError, ToolError
from mcugen.tflite.fields import input_specs, output_specs, quantization_of
from mcugen.tflite.schema import unpack_model
from mcugen.verbs.deploy import deploy
from tests.conftest import ROOT, find_model
from tests.convert.float_models import small_dense
from tests.guard.conftest import in_this_process
from tests.models import real

__all__ = ["in_this_process"]

pytestmark = [pytest.mark.tensorflow, pytest.mark.xdist_group("tensorflow")]


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.images[..., None] / 16).astype(np.float32), data.target


@pytest.fixture(scope="module")
def cnn(keras: Any, digits: tuple[Any, Any]) -> Any:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(8, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, padding="same", activation="relu6"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits",
    )
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
    model.fit(digits[0][:1200], digits[1][:1200], epochs=4, batch_size=64, verbose=0)
    return model


@pytest.fixture(scope="module")
def files(cnn: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    cnn.save(folder / "digits.keras")
    cnn.save(folder / "digits.h5")
    cnn.save_weights(folder / "only.weights.h5")
    cnn.export(folder / "saved", verbose=False)
    return folder


def accuracy(scores: Any, labels: Any) -> float:
    return float(np.mean(scores.reshape(len(scores), -1).argmax(axis=1) == labels))


def int8_scores(converted: Converted, x: Any) -> Any:
    specs = converted.report.inputs
    return run_int8(converted.tflite, [x[:, None]], specs, converted.report.outputs)[0]


@pytest.mark.parametrize(
    ("name", "kind"), [("digits.keras", "keras"), ("digits.h5", "keras h5"), ("saved", "saved_model")]
)
def test_digits_keep_their_accuracy(files: Path, cnn: Any, digits: tuple[Any, Any], name: str, kind: str) -> None:
    x, y = digits
    converted = convert(files / name, {"x": x[:1200], "y": y[:1200]})
    assert converted.report.source_kind == kind
    assert converted.report.inputs[0].shape == (1, 8, 8, 1)
    test = x[1200:1400]
    expected = cnn.predict(test, verbose=0)
    runner = float_runner(converted)
    assert np.abs(runner(test) - expected).max() < 1e-4
    float_accuracy = accuracy(expected, y[1200:1400])
    assert float_accuracy > 0.85
    assert accuracy(int8_scores(converted, test), y[1200:1400]) > float_accuracy - 0.02
    # No batch is left open, and no shape arithmetic.
    assert not inspect_model(converted.model).notes


def test_keras_object(cnn: Any, digits: tuple[Any, Any], in_this_process: None) -> None:
    converted = convert(cnn, digits[0][:100])
    assert (converted.name, converted.report.source_kind) == ("digits", "keras object")
    assert converted.report.agreement[0].cosine_similarity > 0.99


@pytest.mark.emulator
def test_float_against_int8_on_the_same_device(
    files: Path, digits: tuple[Any, Any], tmp_path: Path, in_this_process: None
) -> None:
    images, inputs = digits[0][:100], digits[0][1200:1204]
    model, board = files / "digits.keras", "mps2-an386"
    real = deploy(model, board=board, quantize=False, out=tmp_path / "float", inputs=inputs, layers=True)
    int8 = deploy(model, board=board, data=images, out=tmp_path / "int8", inputs=inputs)
    assert (real.verdict.passed, real.verdict.tolerant) == (True, True)
    assert (int8.verdict.bit_exact, int8.verdict.tolerant) == (True, False)
    assert real.ready.model.report is not None
    assert not real.ready.model.report.quantized
    assert real.firmware.flash.weights > 1.5 * int8.firmware.flash.weights
    assert real.firmware.ram.arena > 1.5 * int8.firmware.ram.arena
    real_classes, int8_classes = (
        [int(outputs[0].argmax()) for outputs in proof.verdict.outputs] for proof in (real, int8)
    )
    assert real_classes == int8_classes


def test_object_with_an_own_class_is_converted_in_this_process(keras: Any) -> None:
    class Twice(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * 2.0

    model = keras.Sequential([keras.Input((4,)), Twice(), keras.layers.Dense(3)])
    converted = convert(model, np.random.default_rng(0).normal(size=(50, 4)))
    first, second = converted.report.attempts[:2]
    assert not first.ok
    assert "Twice" in first.outcome
    assert (second.step, second.ok) == ("convert the model object in this process", True)


def test_two_inputs(keras: Any, tmp_path: Path, in_this_process: None) -> None:
    a, b = keras.Input((4,), name="left"), keras.Input((2,), name="right")
    joined = keras.layers.Concatenate()([keras.layers.Dense(4, activation="relu")(a), b])
    keras.Model([a, b], keras.layers.Dense(2)(joined)).save(tmp_path / "two.keras")
    rng = np.random.default_rng(0)
    converted = convert(tmp_path / "two.keras", {"left": rng.normal(size=(50, 4)), "right": rng.normal(size=(50, 2))})
    assert [s.name for s in converted.report.inputs] == ["left", "right"]
    assert converted.report.agreement[0].cosine_similarity > 0.99


def test_refusals(keras: Any, files: Path, tmp_path: Path, in_this_process: None) -> None:
    with pytest.raises(ConversionError, match="holds weights only"):
        convert(files / "only.weights.h5", "random")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x, name="sneaky")])
    model.save(tmp_path / "code.h5")
    with pytest.raises(ConversionError, match='layer "sneaky": is a Lambda layer'):
        convert(tmp_path / "code.h5", "random")
    keras.Sequential([keras.Input((None, 4)), keras.layers.Conv1D(2, 3)]).save(tmp_path / "open.keras")
    with pytest.raises(ConversionError, match=r'only the batch .* may be left open.*`input_shape="\w+=1,N,4"`'):
        convert(tmp_path / "open.keras", "random")


@pytest.mark.usefixtures("cold")
def test_missing_tensorflow_is_said(files: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A package of that name that cannot be imported stands for one that is not there.
    (tmp_path / "h5py.py").write_text("raise ModuleNotFoundError('No module named h5py', name='h5py')\n")
    (tmp_path / "keras.py").write_text("raise ModuleNotFoundError('No module named keras', name='keras')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"package h5py is needed .*pip install 'mcugen\[tf\]'"):
        convert(files / "digits.keras", "random")


def test_litert_steps_in_where_tflm_cannot_run_the_float_model(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    expected = convert(small_dense(), x).report

    def refuse(*_args: Any, **_options: Any) -> None:
        raise ModelError("no such op")

    monkeypatch.setattr("mcugen.convert.calibrate.Oracle", refuse)
    report = convert(small_dense(), x).report
    assert [a.ok for a in report.attempts] == [False, True]
    for a, b in zip(report.ranges, expected.ranges, strict=True):
        assert (a.minimum, a.maximum) == pytest.approx((b.minimum, b.maximum), rel=1e-4, abs=1e-5)


CONVERT_WITH_KERAS_2 = """
import sys
import numpy as np
import tf_keras
from tests.convert.test_tensorflow_sources import theirs
source, samples, result = sys.argv[1:]
open(result, "wb").write(theirs(tf_keras, source, np.load(samples)))
"""


def theirs(keras: Any, source: str, x: Any) -> bytes:
    """What TensorFlow's own quantizer makes of a model file."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(keras.models.load_model(source, compile=False))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([v[None]] for v in x)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    # Dense weights with one scale, as ours.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return bytes(converter.convert())


def theirs_with_keras_2(source: Path, x: Any, folder: Path) -> bytes:
    """The same in a process of its own, which TensorFlow has to know from its start."""
    np.save(folder / "x.npy", x)
    result = folder / "theirs.tflite"
    subprocess.run(
        [sys.executable, "-c", CONVERT_WITH_KERAS_2, str(source), str(folder / "x.npy"), str(result)],
        check=True,
        capture_output=True,
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": str(ROOT)},
    )
    return result.read_bytes()


@pytest.fixture(scope="module")
def legacy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of Keras 2 that Keras 3 does not load, as it says more of a depthwise layer than that knows."""
    layers = pytest.importorskip("tf_keras").layers
    pytest.importorskip("tf_keras").utils.set_random_seed(1)
    model = pytest.importorskip("tf_keras").Sequential(
        [
            layers.InputLayer((24, 24, 3), name="image"),
            *(layers.Conv2D(8, 3, strides=2, padding="same"), layers.BatchNormalization(), layers.ReLU()),
            *(layers.DepthwiseConv2D(3, padding="same"), layers.BatchNormalization(), layers.ReLU()),
            *(layers.Conv2D(16, 1), layers.BatchNormalization(), layers.ReLU()),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, activation="softmax"),
        ]
    )
    path = tmp_path_factory.mktemp("legacy") / "legacy.h5"
    model.save(path)
    return path


SHAPES = {
    "digits": (8, 8, 1),
    "legacy": (24, 24, 3),
    "pretrainedResnet": (32, 32, 3),
}
OWN = [("digits", "3"), ("legacy", "2")]
REAL = [("pretrainedResnet", "3")]


@pytest.mark.parametrize(
    ("name", "keras_version"), [*OWN, *(pytest.param(*each, marks=real(f"{each[0]}.h5")) for each in REAL)]
)
def test_as_good_as_tensorflows_own_quantizer(
    request: pytest.FixtureRequest, keras: Any, tmp_path: Path, name: str, keras_version: str
) -> None:
    if name == "legacy":
        source = request.getfixturevalue("legacy")
    else:
        request.getfixturevalue("in_this_process")
        source = request.getfixturevalue("files") / "digits.h5" if name == "digits" else find_model(f"{name}.h5")
    x = np.random.default_rng(0).random((20, *SHAPES[name]), dtype=np.float32)
    converted = convert(source, x)
    if keras_version == "2":
        assert [a.ok for a in converted.report.attempts[:2]] == [False, True]
        assert "DepthwiseConv2D" in converted.report.attempts[0].outcome
    reference_model = (
        theirs_with_keras_2(source, x, tmp_path) if keras_version == "2" else theirs(keras, str(source), x)
    )
    reference_file = unpack_model(reference_model)
    graph = reference_file.subgraphs[0]
    feeds = [x[:, None]]
    outputs = run_int8(reference_model, feeds, input_specs(reference_file), output_specs(graph))
    floats = float_runner(converted).run(x)
    (reference,) = agreement(floats, outputs, output_specs(graph))
    (ours,) = converted.report.agreement
    assert ours.sqnr_db is not None
    assert reference.sqnr_db is not None
    assert ours.sqnr_db > reference.sqnr_db - 0.5
    assert ours.same_argmax is not None
    assert len(converted.tflite) < 1.05 * len(reference_model)
    # The same activations get the same parameters, up to the float kernels' rounding.
    # (Operands of ADD differ: the range that TensorFlow takes for one of them is that of the sum as well.)
    theirs_scales = [quantization_of(t)[0] for t in graph.tensors]
    same = [min(abs(r.scale - s) for s in theirs_scales) < 1e-3 * r.scale for r in converted.report.ranges]
    assert sum(same) >= 0.8 * len(same)
