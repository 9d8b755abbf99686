"""Keras models to int16 activations with int8 weights, and the generated C equal to the oracle on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.api import deploy, quantize
from mcugen.boards.shipped import load_board
from mcugen.convert import Converted, convert
from mcugen.errors import ConversionError, UnsupportedOpError
from mcugen.flow.model import load_model
from mcugen.numerics.affine import quantize as quantized
from mcugen.oracle.oracle import Oracle
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.runtimes.tflm.program import TflmOptions, make_program
from tests import zoo
from tests.guard.conftest import in_this_process
from tests.schemas import check
from tests.tflm.support import real_tflm

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


def test_for_cmsis_nn_dense_layers_have_one_scale(made: Converted, in_this_process: None) -> None:
    board, options = load_board("mps2-an386"), TflmOptions("", arena_bytes=16384)
    with pytest.raises(UnsupportedOpError, match=r'FULLY_CONNECTED ".*": no weights with a scale per output channel'):
        make_program(made.tflite, "cnn", board, options)
    model = load_model(made.float_tflite, samples(24), runtime="tflm", activations="int16")
    program = make_program(model.opened, "cnn", board, options)
    graph = program.graph
    (dense,) = (graph.input_of(op, 1) for op in graph.ops if op.kind == "FULLY_CONNECTED")
    assert dense is not None
    assert dense.scale > 0
    given = [quantized(samples(1, seed=1), graph.tensor(graph.inputs[0]))]
    with Oracle(model.data) as here, Oracle(made.tflite) as there:
        answers = [oracle.run(given)[0].astype(int) for oracle in (here, there)]
    assert 0 < np.abs(answers[0] - answers[1]).max() < 300, "of 32,767: another rounding, the same model"


@pytest.mark.emulator
def test_so_that_it_runs_in_tflm(tmp_path: Path, in_this_process: None) -> None:
    told = {"board": "mps2-an386", "runtime": "tflm", "tflm": real_tflm(), "out": tmp_path / "p"}
    data = zoo.samples("ds_cnn", 24)
    proof = deploy(zoo.float_model("ds_cnn"), data=data, activations="int16", samples=3, **told)
    assert proof.verdict.bit_exact


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
