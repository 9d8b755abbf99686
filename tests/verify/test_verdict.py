"""Verification finds what differs, names where it began, and says what a person should know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.errors import ModelError
from mcugen.oracle import Oracle, make_inputs
from mcugen.progress import Share
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import Plan, make_plan
from mcugen.verify import verify_device
from tests import zoo
from tests.kernels.single_op import Node, TensorSpec, build_graph, options
from tests.models import both, model_bytes


class HostDevice:
    """The model compiled for the host, dressed as a device, with a fault on demand."""

    def __init__(self, host: HostModel, plan: Plan, *, fault_at: int | None = None, on_sample: int = 0) -> None:
        self._host, self._plan = host, plan
        self._fault_at, self._on_sample = fault_at, on_sample
        self._sample = -1

    def _wrong(self, values: NDArray[Any]) -> NDArray[Any]:
        spoiled = values.copy()
        spoiled.reshape(-1)[0] ^= 1
        return spoiled

    def run(
        self, inputs: Sequence[NDArray[Any]], *, on_progress: Share | None = None
    ) -> tuple[list[NDArray[Any]], int]:
        if on_progress is not None:
            on_progress(1.0)
        self._sample += 1
        outputs = self._host.run(inputs)
        if self._fault_at is not None and self._sample >= self._on_sample:
            outputs = [self._wrong(out) for out in outputs]
        return outputs, 1000 + self._sample

    def layers(self, inputs: Sequence[NDArray[Any]]) -> Iterator[tuple[int, bytes]]:
        for op, values in self._host.layers(inputs):
            faulty = self._fault_at is not None and op >= self._fault_at and self._sample >= self._on_sample
            yield op, (self._wrong(values) if faulty else values).tobytes()


@pytest.fixture(scope="module")
def chain() -> Iterator[tuple[Plan, HostModel, Oracle]]:
    """Three ADDs in a row."""
    tensors = [TensorSpec((1, 6), scale=0.1 * (n + 1), zero_point=n, name=f"t{n}") for n in range(4)]
    nodes = [Node("ADD", options("AddOptions"), [a, tensors[0]], [b]) for a, b in pairwise(tensors)]
    model = build_graph(nodes, [tensors[3]])
    plan = make_plan(optimize(read_graph(model)))
    with HostModel(plan) as host, Oracle(model) as oracle:
        yield plan, host, oracle


def test_equal_is_bit_exact(chain: tuple[Plan, HostModel, Oracle]) -> None:
    plan, host, oracle = chain
    seen: list[float] = []
    verdict = verify_device(
        HostDevice(host, plan),
        plan,
        oracle,
        make_inputs(plan.graph, 8),
        layers=True,
        progress=seen.append,
    )
    assert verdict.bit_exact
    assert (verdict.samples, verdict.layers_checked, verdict.max_abs_diff) == (8, 24, 0)
    assert verdict.first_divergent_op is None
    assert verdict.output_moves
    assert verdict.costs == tuple(range(1000, 1008))
    assert verdict.oracle.startswith("tflite-micro ")
    assert seen == [n / 16 for n in range(1, 17)]  # every sample once for its outputs, once for its layers


def test_the_first_divergent_op_is_named_without_being_asked(chain: tuple[Plan, HostModel, Oracle]) -> None:
    plan, host, oracle = chain
    device = HostDevice(host, plan, fault_at=1, on_sample=2)
    verdict = verify_device(device, plan, oracle, make_inputs(plan.graph, 4))
    assert not verdict.bit_exact
    assert verdict.mismatched == (2, 3)
    assert verdict.max_abs_diff == 1
    found = verdict.first_divergent_op
    assert (found.op, found.kind, found.name, found.sample, found.differing) == (1, "ADD", "t2", 2, 1)
    assert verdict.to_dict()["first_divergent_op"]["max_abs_diff"] == 1


def test_a_wrong_layer_behind_equal_outputs_is_no_pass(chain: tuple[Plan, HostModel, Oracle]) -> None:
    plan, host, oracle = chain

    class Sneaky(HostDevice):
        def run(
            self, inputs: Sequence[NDArray[Any]], *, on_progress: Share | None = None
        ) -> tuple[list[NDArray[Any]], int]:
            if on_progress is not None:
                on_progress(1.0)
            self._sample += 1
            return self._host.run(inputs), 1

    verdict = verify_device(Sneaky(host, plan, fault_at=0), plan, oracle, make_inputs(plan.graph, 2), layers=True)
    assert verdict.mismatched == ()
    assert not verdict.bit_exact
    assert verdict.first_divergent_op.op == 0


def test_an_output_that_never_moves_is_said(chain: tuple[Plan, HostModel, Oracle]) -> None:
    plan, host, oracle = chain

    class Stuck(HostDevice):
        def run(
            self, inputs: Sequence[NDArray[Any]], *, on_progress: Share | None = None
        ) -> tuple[list[NDArray[Any]], int]:
            if on_progress is not None:
                on_progress(1.0)
            return [np.full((1, 6), -128, np.int8)], 1

    assert not verify_device(Stuck(host, plan), plan, oracle, make_inputs(plan.graph, 3)).output_moves


def test_verification_without_inputs_is_no_verification(chain: tuple[Plan, HostModel, Oracle]) -> None:
    plan, host, oracle = chain
    with pytest.raises(ValueError, match="at least one"):
        verify_device(HostDevice(host, plan), plan, oracle, [])


def test_inputs_cover_the_range_and_are_seeded(chain: tuple[Plan, HostModel, Oracle]) -> None:
    graph = chain[0].graph
    first, second = make_inputs(graph, 8, seed=5), make_inputs(graph, 8, seed=5)
    assert all((a[0] == b[0]).all() for a, b in zip(first, second, strict=True))
    assert any((a[0] != b[0]).any() for a, b in zip(first, make_inputs(graph, 8, seed=6), strict=True))
    assert (first[1][0] == -128).all()
    assert (first[2][0] == 127).all()
    assert (first[3][0] == 0).all()
    assert {int(v) for v in first[4][0].reshape(-1)} == {-128, 127}


@pytest.mark.parametrize("name", [name for name in zoo.NAMES if name not in zoo.STATEFUL])
def test_every_layer_of_whole_models_is_compared(name: str) -> None:
    """And a fault in the middle is found where it is, not where it shows."""
    model = zoo.model(name)
    plan = make_plan(optimize(read_graph(model)))
    samples = make_inputs(plan.graph, 3)
    with HostModel(plan) as host, Oracle(model) as oracle:
        verdict = verify_device(HostDevice(host, plan), plan, oracle, samples, layers=True)
        assert verdict.bit_exact
        assert verdict.layers_checked == len(samples) * len(plan.steps)
        middle = len(plan.steps) // 2
        faulty = verify_device(HostDevice(host, plan, fault_at=middle), plan, oracle, samples, layers=True)
    assert not faulty.passed
    assert faulty.first_divergent_op is not None
    assert faulty.first_divergent_op.op == middle


DIGESTS = {
    "kws_ref_model": 0x4E535C25,
    "vww_96_int8": 0xAB66ECB1,
    "pretrainedResnet_quant": 0xC33C05F7,
    "ad01_int8": 0x26124DD8,
    "micro_speech_quantized": 0xE4A1BBFD,
    "hello_world_int8": 0x6D0B6DD7,
}


@pytest.mark.parametrize("name", both([], DIGESTS))
def test_oracle_and_host_model_give_the_published_outputs(name: str) -> None:
    """Digests (32-bit FNV-1a) of the outputs that TFLM gives on real cores for one known input."""
    model = model_bytes(name)
    plan = make_plan(optimize(read_graph(model)))
    tensor = plan.input_tensors()[0]
    x = ((37 * np.arange(tensor.elements) + 11) % 256).astype(np.uint8).view(np.int8).reshape(tensor.shape)
    with HostModel(plan) as host, Oracle(model) as oracle:
        for (output,) in (host.run([x]), oracle.run([x])):
            value = 0x811C9DC5
            for byte in output.tobytes():
                value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
            assert value == DIGESTS[name]


def test_a_model_that_tflm_refuses_is_an_error_with_its_words(chain: tuple[Plan, HostModel, Oracle]) -> None:
    x, y = TensorSpec((1, 4), scale=0.5), TensorSpec((1, 4), scale=0.5)
    model = build_graph([Node("BITCAST", None, [x], [y])], [y])
    with pytest.raises(ModelError, match="TensorFlow Lite Micro"):
        Oracle(model)


def test_an_oracle_survives_a_bad_request_and_ends(chain: tuple[Plan, HostModel, Oracle]) -> None:
    _, _, oracle = chain
    with pytest.raises(ModelError, match="Dimension mismatch"):
        oracle.run([np.zeros((1, 99), np.int8)])
    assert len(oracle.run([np.zeros((1, 6), np.int8)])) == 1


def test_without_float_arithmetic_there_is_no_tolerance(chain: tuple[Plan, HostModel, Oracle]) -> None:
    plan, host, oracle = chain
    verdict = verify_device(HostDevice(host, plan), plan, oracle, make_inputs(plan.graph, 2))
    assert (verdict.passed, verdict.bit_exact, verdict.tolerant) == (True, True, False)
    assert verdict.to_dict()["comparison"] == {"kind": "bits", "relative": 0.0, "absolute": 0.0, "worst_error": 0.0}
