"""The zoo's models are what they claim to be: the same every time, alive, of real structure, and bit-exact in C."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.convert import convert
from mcugen.ops.base import Target
from mcugen.oracle import make_inputs
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from tests import zoo
from tests.kernels.single_op import oracle
from tests.state.models import assert_sequence_bit_exact

STRUCTURE = {
    "autoencoder": {"FULLY_CONNECTED": 10},
    "ds_cnn": {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 4, "AVERAGE_POOL_2D": 1, "FULLY_CONNECTED": 1, "SOFTMAX": 1},
    "gru": {"RESHAPE": 2, "WHILE": 1, "FULLY_CONNECTED": 1, "SOFTMAX": 1},
    "lstm": {"UNIDIRECTIONAL_SEQUENCE_LSTM": 1, "RESHAPE": 1, "FULLY_CONNECTED": 1, "SOFTMAX": 1},
    "mobilenet_v1": {"CONV_2D": 14, "DEPTHWISE_CONV_2D": 13, "AVERAGE_POOL_2D": 1, "RESHAPE": 1, "SOFTMAX": 1},
    "mobilenet_v2": {"CONV_2D": 13, "DEPTHWISE_CONV_2D": 6, "ADD": 3, "PAD": 3, "MEAN": 1},
    "resnet": {"CONV_2D": 9, "ADD": 3, "AVERAGE_POOL_2D": 1},
    "sine": {"FULLY_CONNECTED": 3},
    "speech": {"RESHAPE": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "SOFTMAX": 1},
    "svdf": {"SVDF": 5, "FULLY_CONNECTED": 4, "QUANTIZE": 2, "SOFTMAX": 1},
    "transformer": {"BATCH_MATMUL": 2, "SOFTMAX": 2, "RSQRT": 2, "TRANSPOSE": 4, "MEAN": 5},
    "u_net": {"CONV_2D": 8, "MAX_POOL_2D": 2, "TRANSPOSE_CONV": 1, "RESIZE_NEAREST_NEIGHBOR": 1, "CONCATENATION": 2},
    "wake_word": {"READ_VARIABLE": 5, "ASSIGN_VARIABLE": 5, "SPLIT_V": 2, "DEPTHWISE_CONV_2D": 6, "LOGISTIC": 1},
}
STRUCTURE["ds_cnn_16x8"] = STRUCTURE["ds_cnn"]
SQNR = 25.0
"""Signal to quantization noise in dB that int8 models reach; a network of 27 layers loses more."""
DEEP = {"mobilenet_v1": 12.0}


def test_every_model_has_its_structure_here() -> None:
    assert sorted(STRUCTURE) == list(zoo.NAMES)


@pytest.mark.parametrize("name", zoo.NAMES)
def test_the_ops_are_those_of_the_architecture(name: str) -> None:
    kinds = [op.kind for op in read_graph(zoo.model(name)).ops]
    assert {kind: kinds.count(kind) for kind in STRUCTURE[name]} == STRUCTURE[name]


@pytest.mark.parametrize("name", zoo.NAMES)
def test_a_model_is_built_the_same_twice(name: str) -> None:
    again = zoo.model.__wrapped__(name)
    assert again == zoo.model(name)
    assert again is not zoo.model(name)


@pytest.mark.parametrize("name", zoo.NAMES)
def test_outputs_depend_on_inputs(name: str) -> None:
    """Whoever returns a constant would pass a comparison of equal constants."""
    model = zoo.model(name)
    outputs = oracle(model, make_inputs(read_graph(model), 24))
    assert len({np.asarray(output[0]).tobytes() for output in outputs}) >= 8


TARGETS = {
    "portable": Target(),
    "mla": Target("cortex-m3", ("mla",)),
    "dsp": Target("cortex-m4", ("dsp",)),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", zoo.NAMES)
def test_generated_code_equals_the_oracle(name: str, target: str) -> None:
    samples = make_inputs(read_graph(zoo.model(name)), 8)
    plan = assert_sequence_bit_exact(zoo.model(name), samples, target=TARGETS[target])
    assert plan.stateful == (name in zoo.STATEFUL)
    if target == "portable" or name == "ds_cnn_16x8":  # all cores run the portable kernels for int16
        assert {step.variant for step in plan.steps} == {"portable"}
    elif target == "dsp":
        assert "dsp" in {step.variant for step in plan.steps}


@pytest.mark.parametrize("name", zoo.FLOAT_NAMES)
def test_generated_float_code_equals_the_oracle(name: str) -> None:
    assert_sequence_bit_exact(zoo.float_model(name), [[one[None]] for one in zoo.samples(name, 4)])


@pytest.mark.parametrize("name", zoo.FLOAT_NAMES)
def test_int8_is_near_the_float_model(name: str) -> None:
    for figures in convert(zoo.float_model(name), zoo.samples(name, 100, seed=1)).report.agreement:
        assert figures.sqnr_db is not None
        assert figures.sqnr_db > DEEP.get(name, SQNR)


def test_a_third_of_the_filters_is_dead() -> None:
    """And the pass that drops channels finds more: what only dead channels read."""
    graph = read_graph(zoo.model("mobilenet_v1"))
    filters = [tensor.data for op in graph.ops if op.kind == "CONV_2D" and (tensor := graph.input_of(op, 1))]
    dead = np.concatenate([(w.reshape(len(w), -1) == 0).all(axis=1) for w in filters if w is not None])
    assert 0.3 < dead.mean() < 0.36
    assert make_plan(optimize(graph)).macs < 0.6 * make_plan(graph).macs
