"""Networks that need external memory: refused with the numbers elsewhere, proved on the board that has it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from mcugen.errors import DoesNotFitError
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options

SMALL, LARGE = "mps3-an547", "mps3-an547-ddr"


def dense_model() -> bytes:
    """FULLY_CONNECTED 800 → 1,000: 800 KB of weights, more than the board's tightly coupled memory has."""
    rng = np.random.default_rng(3)
    source = TensorSpec((1, 800), scale=0.02, name="in")
    result = TensorSpec((1, 1000), scale=0.5, zero_point=5, name="out")
    weights = constant(rng.integers(-127, 128, (1000, 800)).astype(np.int8), 0.01)
    bias = constant(rng.integers(-3000, 3000, 1000).astype(np.int32), 0.0002)
    layer = Node("FULLY_CONNECTED", options("FullyConnectedOptions"), [source, weights, bias], [result])
    return build_graph([layer], [result])


@pytest.mark.emulator
def test_weights_in_external_memory(tmp_path: Path) -> None:
    model = tmp_path / "dense.tflite"
    model.write_bytes(dense_model())
    fit = api.fit(model, boards=[SMALL, LARGE])
    small, large = fit.candidates[0].fits
    assert small.flash_missing > 200_000
    assert large.fits
    with pytest.raises(DoesNotFitError, match=r"flash: needs about 8\d\d,\d\d\d bytes"):
        api.verify(model, board=SMALL)
    proof = api.verify(model, board=LARGE, samples=3)
    assert proof.verdict.bit_exact
    assert proof.verdict.output_moves
    assert proof.firmware.flash.weights > 800_000


@pytest.mark.tensorflow
@pytest.mark.emulator
@pytest.mark.skipif("MCUGEN_LARGE" not in os.environ, reason="takes minutes; MCUGEN_LARGE=1 runs it")
def test_inception_v3(tmp_path: Path) -> None:
    """Keras InceptionV3 with random weights, seeded: 5.7 billion multiply-accumulates, 23 MiB as int8."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(7)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 299, 299, 3)).astype(np.float32)
    # Without softmax: with 1,000 nearly equal logits, which random weights give, TFLM's stops with an assertion.
    model = keras.applications.InceptionV3(weights=None, classifier_activation=None)
    last = model.layers[-1]
    kernel, bias = last.get_weights()
    last.set_weights([kernel * (4 / model.predict(images[:1], verbose=0).std()), bias])
    path = tmp_path / "inception_v3.keras"
    model.save(path)
    quantized = api.quantize(path, data=images, out=tmp_path / "inception_v3.tflite")
    report = quantized.model.report
    assert report is not None
    assert 3.7 < report.float_bytes / report.int8_bytes < 4.0
    fit = api.fit(tmp_path / "inception_v3.tflite", boards=["nucleo-h743zi", SMALL, LARGE])
    assert [found.fits for found in fit.candidates[0].fits] == [False, False, True]
    proof = api.verify(tmp_path / "inception_v3.tflite", board=LARGE, samples=2)
    assert proof.verdict.bit_exact
    assert proof.verdict.output_moves
