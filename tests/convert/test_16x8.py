"""Keras models to int16 activations with int8 weights, and the generated C equal to the oracle on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.api import deploy, quantize
from mcugen.convert import Converted, convert
from mcugen.errors import ConversionError
from mcugen.numerics.affine import quantize as quantized
from mcugen.oracle.oracle import Oracle
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from tests.guard.conftest import in_this_process
from tests.schemas import check

__all__ = ["in_this_process"]

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def cnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((12, 12, 3))
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    y = layers.ReLU(6)(layers.DepthwiseConv2D(3, padding="same")(x))
    x = layers.MaxPooling2D()(layers.Add()([x, y]))
    x = layers.Conv2D(12, 3, strides=2, activation="tanh")(x)
    x = layers.Concatenate()([x, layers.Activation("sigmoid")(x)])
    x = layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    path = tmp_path_factory.mktemp("keras") / "cnn.keras"
    keras.Model(image, x).save(path)
    return path


def samples(count: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(count, 12, 12, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def made(cnn: Path) -> Converted:
    return convert(cnn, samples(24), activations="int16")


def test_a_cnn_follows_its_float_model_and_equals_the_oracle(made: Converted) -> None:
    report = made.report
    assert (report.activations, report.inputs[0].dtype, report.outputs[0].dtype) == ("int16", "int16", "int16")
    sqnr = report.agreement[0].sqnr_db
    assert sqnr is not None
    assert sqnr > 45, "int16 activations are far more exact than int8 ones"

    graph = read_graph(made.tflite)
    assert {t.dtype.value for t in graph.tensors.values()} == {"int8", "int16", "int32", "int64"}
    with Oracle(made.tflite) as oracle, HostModel(make_plan(optimize(graph))) as host:
        for image in samples(8, seed=1):
            given = [quantized(image[None], graph.tensor(graph.inputs[0]))]
            np.testing.assert_array_equal(host.run(given)[0], oracle.run(given)[0])


def test_a_float_tflite_is_quantized_likewise(made: Converted, tmp_path: Path, in_this_process: None) -> None:
    out = tmp_path / "cnn16.tflite"
    facts = check(quantize(made.float_tflite, data=samples(24), activations="int16", out=out).to_dict())
    assert facts["quantization"]["activations"] == "int16"
    assert out.read_bytes() == made.tflite


def test_what_has_no_int16_form_is_refused(made: Converted) -> None:
    with pytest.raises(ConversionError, match="is already quantized"):
        convert(made.tflite, samples(4), activations="int16")
    with pytest.raises(ConversionError, match="is to stay float32"):
        convert(made.float_tflite, quantize=False, activations="int16")


@pytest.mark.emulator
def test_the_firmware_ends_with_a_verdict(made: Converted, tmp_path: Path) -> None:
    proof = deploy(made.tflite, board="mps2-an386", out=tmp_path / "project", samples=4, layers=True)
    assert proof.verdict.bit_exact
    assert proof.exit_code == 0
    header = (tmp_path / "project/lib/mcg_model/mcg_model.h").read_text()
    assert "static inline int16_t mcg_model_quantize_input0(float value)" in header
