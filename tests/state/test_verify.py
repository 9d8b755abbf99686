"""Verification of models with state: one sequence from a reset, on the device as in the oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen import api
from mcugen.convert.calibrate import observe
from mcugen.oracle import Oracle, make_inputs
from mcugen.progress import Share
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.tflite.streaming import streaming
from mcugen.ui.proof import verdict_text
from mcugen.verify import verify_device
from mcugen.verify.parted_oracle import open_oracle
from tests import zoo
from tests.models import both, model_path, real
from tests.state.test_recurrent import lstm_f32_model, lstm_model, svdf_f32_model
from tests.state.test_variables import add, assign, declare, handle, model, read, tensor


class HostDevice:
    """A host model as verification knows a device; `forgetful` says whether it can be reset."""

    def __init__(self, host: HostModel, *, forgetful: bool = True) -> None:
        self._host, self._forgetful = host, forgetful

    def run(
        self, inputs: Sequence[NDArray[Any]], *, on_progress: Share | None = None
    ) -> tuple[list[NDArray[Any]], int]:
        return self._host.run(inputs), 0

    def layers(self, inputs: Sequence[NDArray[Any]]) -> Iterator[tuple[int, bytes]]:
        for op, values in self._host.layers(inputs):
            yield op, values.tobytes()

    def forget(self) -> None:
        if self._forgetful:
            self._host.reset()


def running_sum() -> bytes:
    h, x, old, new = handle(), tensor("x"), tensor("old"), tensor("new")
    again, y = tensor("again"), tensor("y")
    return model([declare(h), read(h, old), add(old, x, new), assign(h, new), read(h, again), add(again, old, y)], y)


@pytest.mark.parametrize(
    "data",
    [running_sum(), *(build(np.random.default_rng(3)) for build in (lstm_model, lstm_f32_model, svdf_f32_model))],
    ids=["variable", "lstm", "lstm in float32", "svdf in float32"],
)
def test_a_stream_is_run_from_a_reset(data: bytes) -> None:
    with streaming(True):
        graph = optimize(read_graph(data))
    plan = make_plan(graph)
    samples = make_inputs(graph, 6)
    with HostModel(plan) as host, Oracle(data) as oracle:
        verdict = verify_device(HostDevice(host), plan, oracle, samples, layers=True)
        assert verdict.passed
        assert verdict.sequence
        assert verdict.layers_checked == len(samples) * len(plan.steps)
        assert verdict.to_dict()["sequence"] is True
        forgets_nothing = verify_device(HostDevice(host, forgetful=False), plan, oracle, samples, layers=True)
        assert not forgets_nothing.passed


def of_several_steps(build: Callable[[np.random.Generator], bytes]) -> bytes:
    made = (build(np.random.default_rng(seed)) for seed in range(50))
    return next(data for data in made if read_graph(data).tensor(0).shape[1] > 1)


@pytest.mark.parametrize("build", [lstm_model, lstm_f32_model], ids=["int8", "float32"])
def test_whole_sequences_each_begin_afresh(build: Callable[[np.random.Generator], bytes]) -> None:
    """An LSTM over several steps begins a sample with zeros, as Keras does: the samples' order does not matter."""
    data = of_several_steps(build)
    graph = optimize(read_graph(data))
    assert graph.sequences
    assert not graph.streams
    samples = make_inputs(graph, 6)
    with HostModel(make_plan(graph)) as host, open_oracle(data) as oracle:
        verdict = verify_device(HostDevice(host), make_plan(graph), oracle, samples, layers=True)
        assert verdict.passed
        assert not verdict.sequence
        assert verdict.afresh.startswith("every sample is a whole sequence: the state was reset before each")
        back = [oracle.run(sample)[0].tobytes() for sample in reversed(samples)]
        assert back[::-1] == [outputs[0].tobytes() for outputs in verdict.outputs]
        keeps_its_state = verify_device(HostDevice(host, forgetful=False), make_plan(graph), oracle, samples)
        assert not keeps_its_state.passed
    with Oracle(data) as stream:  # what the op alone does
        assert [stream.run(sample)[0].tobytes() for sample in samples] != back[::-1]


def test_what_streams() -> None:
    """Resource variables and filters' memories live on; so does an LSTM that is fed step by step."""
    assert read_graph(running_sum()).streams
    assert read_graph(svdf_f32_model(np.random.default_rng(3))).streams
    graphs = [read_graph(lstm_model(np.random.default_rng(seed))) for seed in range(20)]
    steps = [graph.tensor(graph.inputs[0]).shape[1] for graph in graphs]
    assert {1, 2} <= set(steps)
    assert [graph.streams for graph in graphs] == [count == 1 for count in steps]
    assert not read_graph(zoo.model("sine")).streams


def test_calibration_begins_every_sequence_afresh() -> None:
    """Ranges that only a state carried over reaches would cost resolution."""
    data = of_several_steps(lstm_f32_model)
    graph = read_graph(data)
    samples = make_inputs(graph, 5)
    feeds = [np.stack([sample[0] for sample in samples])]
    outputs = graph.outputs
    alone = [observe(data, [feeds[0][n : n + 1]], (), outputs).outputs[0][0] for n in range(5)]
    together = observe(data, feeds, (), outputs).outputs[0]
    np.testing.assert_array_equal(together, np.stack(alone))
    with streaming(True):
        assert not np.array_equal(observe(data, feeds, (), outputs).outputs[0], together)


@pytest.mark.emulator
def test_the_option_keeps_the_state_and_the_verdict_says_which(tmp_path: Path) -> None:
    lstm = zoo.path("lstm")
    fresh = api.deploy(lstm, board="mps2-an386", out=tmp_path / "lstm", samples=4)
    assert fresh.verdict.bit_exact
    assert fresh.verdict.afresh
    assert "4/4 whole sequences equal" in verdict_text(fresh)
    assert "call this before each" in (tmp_path / "lstm/lib/mcg_model/mcg_model.h").read_text()
    stream = api.verify(tmp_path / "lstm", samples=4, stream=True)
    assert stream.verdict.bit_exact
    assert stream.verdict.sequence
    assert not stream.verdict.afresh
    assert stream.verdict.outputs[3][0].tobytes() != fresh.verdict.outputs[3][0].tobytes()
    x = np.random.default_rng(1).integers(-128, 127, (3, *zoo_shape("lstm"))).astype(np.int8)
    there = api.run(tmp_path / "lstm", inputs=x).outputs[0]
    back = api.run(tmp_path / "lstm", inputs=x[::-1]).outputs[0]
    np.testing.assert_array_equal(back[::-1], there)


def zoo_shape(name: str) -> tuple[int, ...]:
    graph = read_graph(zoo.model(name))
    return graph.tensor(graph.inputs[0]).shape[1:]


STREAM = 24
"""Steps: more than the rows of any of these models' states, so that what the first left has gone round."""


@pytest.mark.emulator
@pytest.mark.parametrize(("name", "copies"), [("wake_word", 4), pytest.param("okay_nabu", 6, marks=real("okay_nabu"))])
def test_a_stream_on_the_device(name: str, copies: int, tmp_path: Path) -> None:
    """Twice from a reset: once for the outputs, once for all layers and the states."""
    proof = api.deploy(model_path(name), board="mps2-an386", out=tmp_path / "stream", samples=STREAM, layers=True)
    assert proof.exit_code == 0
    assert proof.verdict.sequence
    assert proof.verdict.layers_checked == STREAM * len(proof.plan.steps)
    assert sum(step.op.kind == "ASSIGN_VARIABLE" for step in proof.plan.steps) == copies


@pytest.mark.emulator
@pytest.mark.parametrize("name", both(["lstm"], ["trained_lstm_int8"]))
def test_an_lstm_on_the_device(name: str, tmp_path: Path) -> None:
    proof = api.deploy(model_path(name), board="mps2-an386", out=tmp_path / "lstm", samples=4)
    assert proof.exit_code == 0
    assert proof.plan.steps[0].variant == "dsp"
