"""Functions that TensorFlow Lite Micro has in float32 alone, in the middle of an int8 model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from mcugen.convert import convert
from mcugen.oracle.oracle import Oracle
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from tests.convert.float_models import FloatModel, S, dense

KINDS = ("CEIL", "COS", "EXP", "FLOOR", "LOG", "ROUND", "SIN", "SQRT")
RNG = np.random.default_rng(5)
DATA = RNG.uniform(0.1, 1, (60, 8)).astype(np.float32)


def functions() -> bytes:
    """Every function of the same positive tensor, joined."""
    m = FloatModel()
    x = dense(m, m.input((1, 8)), np.abs(RNG.normal(size=(8, 8))), np.full(8, 0.2), activation=1)
    made = [m.op(kind, [x], (1, 8)) for kind in KINDS]
    mixed = [dense(m, i, RNG.normal(size=(4, 8)), np.zeros(4)) for i in made]
    return m.build(m.op("CONCATENATION", mixed, (1, 32), options=S.ConcatenationOptionsT(axis=-1)))


@pytest.fixture(scope="module")
def converted() -> bytes:
    made = convert(functions(), DATA)
    assert made.report.agreement[0].sqnr_db is not None
    assert made.report.agreement[0].sqnr_db > 25
    return made.tflite


def test_they_compute_on_real_numbers_between_conversions(converted: bytes) -> None:
    graph = read_graph(converted)
    for op in graph.ops:
        if op.kind in KINDS:
            before, (after,) = graph.producer(op.inputs[0]), graph.consumers(op.outputs[0])
            assert before is not None
            assert (before.kind, after.kind) == ("MAXIMUM" if op.kind == "LOG" else "DEQUANTIZE", "QUANTIZE")
    assert set(KINDS) < {op.kind for op in graph.ops}


def test_every_input_gives_the_oracles_bits(converted: bytes) -> None:
    graph = optimize(read_graph(converted))
    samples = np.random.default_rng(1).integers(-128, 128, (200, 1, 8), np.int8)
    with HostModel(make_plan(graph)) as model, Oracle(converted) as oracle:
        for sample in samples:
            np.testing.assert_array_equal(model.run([sample])[0], oracle.run([sample])[0])


@pytest.mark.parametrize("kind", ["LOG", "SQRT"])
def test_what_lies_outside_of_a_function_never_reaches_it(kind: str) -> None:
    """The real 0, and numbers below it: the reference's QUANTIZE of infinity and NaN is not defined."""
    m = FloatModel()
    parts = [m.input((1, 4)), m.input((1, 4), name="signed")]
    both = m.op("CONCATENATION", parts, (1, 8), options=S.ConcatenationOptionsT(axis=1))  # of one scale
    begin, size = (m.constant(values, np.int32) for values in ([0, 0], [1, 4]))
    x = m.op("SLICE", [both, begin, size], (1, 4), options=S.SliceOptionsT())
    model = m.build(dense(m, m.op(kind, [x], (1, 4)), np.eye(4)), both)
    data = {"x": np.float32(1) + 9 * DATA[:, :4], "signed": DATA[:, 4:] - 1}
    made = convert(model, data)
    graph = optimize(read_graph(made.tflite))
    assert "MAXIMUM" in {op.kind for op in graph.ops}
    sample = [np.array([[-128, -120, -90, 127]], np.int8)] * 2
    with HostModel(make_plan(graph)) as host, Oracle(made.tflite) as oracle:
        np.testing.assert_array_equal(host.run(sample)[0], oracle.run(sample)[0])


@pytest.mark.emulator
def test_a_core_without_fpu_gives_the_same_bits(converted: bytes, tmp_path: Path) -> None:
    (tmp_path / "f.tflite").write_bytes(converted)
    proof = api.deploy(tmp_path / "f.tflite", board="lm3s6965evb", out=tmp_path / "fw", samples=60)
    assert proof.verdict is not None
    assert proof.verdict.bit_exact
