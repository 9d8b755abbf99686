"""Unrolled layers with int16 activations: all rounds have the same scales, and so the same biases and multipliers."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.convert import Converted, convert
from mcugen.convert.loops.rounds import rounds_of
from mcugen.convert.loops.unrolled import unroll
from mcugen.numerics.affine import quantize as quantized
from mcugen.oracle.oracle import Oracle
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.tflite import fields as flat
from mcugen.tflite.opened import open_model
from tests.convert.float_models import FloatModel, S, dense
from tests.convert.recurrent_models import STEPS, inputs, recurrent

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def looped() -> Converted:
    return convert(recurrent("gru"), inputs(40), activations="int16")


@pytest.fixture(scope="module")
def unrolled() -> Converted:
    """As PyTorch exports it: no loop, but ops that come again."""
    return convert(unroll(open_model(recurrent("gru"))).model.data, inputs(40), activations="int16")


@pytest.mark.parametrize("name", ["looped", "unrolled"])
def test_rounds_have_scales_and_biases_in_common(name: str, request: pytest.FixtureRequest) -> None:
    model = open_model(request.getfixturevalue(name).tflite).schema
    main = model.subgraphs[0]
    rounds = rounds_of(model)
    assert sum(len(positions) >= STEPS - 3 for positions in rounds) > 10, [len(p) for p in rounds]
    for positions in rounds:
        scales = {
            tuple(flat.quantization_of(main.tensors[i])[0] for i in (*flat.ints(op.inputs), *flat.ints(op.outputs)))
            for op in (main.operators[n] for n in positions)
        }
        assert len(scales) == 1
    dense_ops = [op for op in main.operators if flat.kind_of(model, op) == "FULLY_CONNECTED"]
    assert len(dense_ops) > 2 * STEPS - 4
    of_layer = {flat.ints(op.inputs)[1:] for op in dense_ops[:-1]}
    assert len(of_layer) == len({weights for weights, _ in of_layer}), "one bias for each matrix"


@pytest.mark.parametrize("name", ["looped", "unrolled"])
def test_the_model_follows_its_float_model_and_equals_the_oracle(name: str, request: pytest.FixtureRequest) -> None:
    made: Converted = request.getfixturevalue(name)
    sqnr = made.report.agreement[0].sqnr_db
    assert sqnr is not None
    assert sqnr > 40
    graph = read_graph(made.tflite)
    with Oracle(made.tflite) as oracle, HostModel(make_plan(optimize(graph))) as host:
        for sample in inputs(6, seed=1):
            given = [quantized(sample[None], graph.tensor(graph.inputs[0]))]
            np.testing.assert_array_equal(host.run(given)[0], oracle.run(given)[0])


def test_zeros_of_a_model_without_rounds_get_a_scale() -> None:
    """0 - x, as PyTorch writes a LayerNorm: TensorFlow's quantizer gives the zeros the scale 0, and TFLM divides."""
    making = FloatModel()
    x = making.input((1, 6))
    hidden = dense(making, x, np.random.default_rng(2).normal(size=(4, 6)))
    less = making.op("SUB", [making.constant(np.zeros(4)), hidden], (1, 4), options=S.SubOptionsT())
    samples = np.random.default_rng(1).normal(size=(20, 6)).astype(np.float32)
    made = convert(making.build(less), samples, activations="int16")
    sqnr = made.report.agreement[0].sqnr_db
    assert sqnr is not None
    assert sqnr > 40
