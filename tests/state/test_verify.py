"""Verification of models with state: one sequence from a reset, on the device as in the oracle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen import api
from mcugen.oracle import Oracle, make_inputs
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.verify import verify_device
from tests.models import both, model_path, real
from tests.state.test_recurrent import lstm_f32_model, lstm_model, svdf_f32_model
from tests.state.test_variables import add, assign, declare, handle, model, read, tensor


class HostDevice:
    """A host model as verification knows a device; `forgetful` says whether it can be reset."""

    def __init__(self, host: HostModel, *, forgetful: bool = True) -> None:
        self._host, self._forgetful = host, forgetful

    def run(self, inputs: Sequence[NDArray[Any]]) -> tuple[list[NDArray[Any]], int]:
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
def test_a_sequence_is_run_from_a_reset(data: bytes) -> None:
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


@pytest.mark.emulator
@pytest.mark.parametrize(("name", "copies"), [("wake_word", 4), pytest.param("okay_nabu", 6, marks=real("okay_nabu"))])
def test_a_stream_on_the_device(name: str, copies: int, tmp_path: Path) -> None:
    """Twice from a reset: once for the outputs, once for all layers and the states."""
    proof = api.deploy(model_path(name), board="mps2-an386", out=tmp_path / "stream", samples=50, layers=True)
    assert proof.exit_code == 0
    assert proof.verdict.sequence
    assert proof.verdict.layers_checked == 50 * len(proof.plan.steps)
    assert sum(step.op.kind == "ASSIGN_VARIABLE" for step in proof.plan.steps) == copies


@pytest.mark.emulator
@pytest.mark.parametrize("name", both(["lstm"], ["trained_lstm_int8"]))
def test_an_lstm_on_the_device(name: str, tmp_path: Path) -> None:
    proof = api.deploy(model_path(name), board="mps2-an386", out=tmp_path / "lstm", samples=4)
    assert proof.exit_code == 0
    assert proof.plan.steps[0].variant == "dsp"
