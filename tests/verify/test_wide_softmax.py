"""The witness for SOFTMAX over many classes: equal to TFLM wherever that does not stop, and used where it would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from mcugen.errors import ModelError
from mcugen.oracle import Oracle
from mcugen.verify.parted_oracle import open_oracle
from mcugen.verify.wide_softmax import wide_softmax
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options


def softmax(classes: int, scale: float, beta: float = 1.0) -> bytes:
    x = TensorSpec((1, classes), scale=scale, zero_point=3)
    y = TensorSpec((1, classes), scale=1 / 256, zero_point=-128)
    return build_graph([Node("SOFTMAX", options("SoftmaxOptions", beta=beta), [x], [y])], [y])


@pytest.mark.parametrize("classes", [2, 10, 511, 512, 600, 1001])
@pytest.mark.parametrize(("scale", "beta"), [(0.3, 1.0), (0.05, 1.0), (1.7, 0.5), (0.004, 30.0)])
def test_equal_to_the_reference_where_that_answers(classes: int, scale: float, beta: float) -> None:
    rng = np.random.default_rng(classes)
    with Oracle(softmax(classes, scale, beta)) as oracle:
        for spread in (127, 60):
            logits = np.clip(rng.normal(-60, spread, (1, classes)), -128, 120).astype(np.int8)
            logits[0, rng.integers(classes)] = 127
            (wanted,) = oracle.run([logits])
            np.testing.assert_array_equal(wide_softmax(logits, np.float32(beta), np.float32(scale)), wanted)


def test_the_reference_stops_and_the_witness_answers() -> None:
    """512 equal logits: each probability is 1/512, which is half a step and rounds up to one in int8."""
    equal = np.full((1, 512), 5, np.int8)
    with Oracle(softmax(512, 0.1)) as oracle, pytest.raises(ModelError, match="TensorFlow Lite Micro crashed"):
        oracle.run([equal])
    with open_oracle(softmax(512, 0.1)) as oracle:
        (answer,) = oracle.run([equal])
        assert "and mcugen's own reference of SOFTMAX over 512 and more classes" in oracle.name
        assert set(np.unique(answer)) <= {-128, -127}
    with open_oracle(softmax(511, 0.1)) as oracle:
        assert "mcugen" not in oracle.name


@pytest.mark.emulator
def test_a_classifier_of_600_classes_is_deployed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = TensorSpec((1, 16), scale=0.02, zero_point=-3), TensorSpec((1, 600), scale=1 / 256, zero_point=-128)
    logits = TensorSpec((1, 600), scale=0.002, zero_point=0)  # untrained: all nearly equal
    weights = constant(rng.integers(-127, 127, (600, 16)).astype(np.int8), 0.001)
    bias = constant(np.zeros(600, np.int32), 0.00002)
    nodes = [
        Node("FULLY_CONNECTED", options("FullyConnectedOptions"), [x, weights, bias], [logits]),
        Node("SOFTMAX", options("SoftmaxOptions", beta=1.0), [logits], [y]),
    ]
    path = tmp_path / "classes.tflite"
    path.write_bytes(build_graph(nodes, [y]))
    proof = api.deploy(path, board="mps2-an386", out=tmp_path / "out", samples=4, layers=True)
    assert proof.verdict.bit_exact
    assert "and mcugen's own reference of SOFTMAX" in proof.verdict.oracle
