"""Float32 arithmetic agrees within a tolerance; nothing else is ever compared so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.oracle import Oracle, make_inputs
from mcugen.progress import Share
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import Plan, make_plan
from mcugen.verify import verify_device
from mcugen.verify.compare import compare, tolerant_tensors
from tests.kernels.f32 import real
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options


def floats(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("got", "want", "accepted"),
    [
        (1.0, 1.0, True),
        (1.000005, 1.0, True),
        (1.00002, 1.0, False),
        (9e-7, 0.0, True),
        (2e-6, 0.0, False),
        (0.0, -0.0, True),
        (1000.009, 1000.0, True),
        (1000.02, 1000.0, False),
        (np.nan, np.nan, True),
        (np.inf, np.inf, True),
        (np.inf, -np.inf, False),
        (np.nan, 1.0, False),
        (1.0, np.nan, False),
        (np.inf, 3e38, False),
        (3e38, np.inf, False),
        (np.nan, np.inf, False),
    ],
)
def test_tolerance(got: float, want: float, accepted: bool) -> None:
    found = compare(floats(5.0, got), floats(5.0, want), tolerant=True)
    assert found.accepted is accepted
    assert found.differing == (0 if accepted else 1)
    assert (found.worst <= 1.0) is accepted
    exact = compare(floats(5.0, got), floats(5.0, want), tolerant=False)
    assert exact.accepted is exact.same_bits is (floats(got).tobytes() == floats(want).tobytes())


def test_worst_difference_is_told() -> None:
    found = compare(floats(1.000005, 2.0), floats(1.0, 2.0), tolerant=True)
    assert found.max_abs_diff == pytest.approx(5e-6, rel=0.05)
    assert found.worst == pytest.approx(5e-6 / 1.1e-5, rel=0.05)
    assert compare(floats(np.nan), floats(1.0), tolerant=True).max_abs_diff == np.inf


def test_shapes_and_types_have_to_be_equal() -> None:
    with pytest.raises(AssertionError, match="cannot be compared"):
        compare(floats(1.0), np.array([1.0]), tolerant=True)


def test_which_tensors_may_differ() -> None:
    """Not those that are only dequantized and moved, nor integers behind float arithmetic."""
    x = TensorSpec((1, 4), scale=0.1, name="x")
    made, moved, summed, shaped = real(1, 4), real(4), real(4), real(2, 2)
    index, back = TensorSpec((), "int32"), TensorSpec((2, 2), scale=0.1)
    again = real(2, 2)
    nodes = [
        Node("DEQUANTIZE", None, [x], [made]),
        Node("RESHAPE", options("ReshapeOptions", newShape=[4]), [made, constant(np.array([4], np.int32))], [moved]),
        Node("ADD", options("AddOptions"), [moved, real(4)], [summed]),
        Node("RESHAPE", options("ReshapeOptions"), [summed, constant(np.array([2, 2], np.int32))], [shaped]),
        Node("ARG_MAX", options("ArgMaxOptions", outputType=2), [summed, constant(np.array(0, np.int32))], [index]),
        Node("QUANTIZE", None, [shaped], [back]),
        Node("DEQUANTIZE", None, [back], [again]),
    ]
    graph = read_graph(build_graph(nodes, [moved, shaped, index, again]))
    produced = {node.op: [op.outputs[0] for op in graph.ops if op.kind == node.op] for node in nodes}
    assert tolerant_tensors(graph) == {produced["ADD"][0], produced["RESHAPE"][1]}


class Drifting:
    """The model compiled for the host, whose results drift by some parts of themselves from one op on."""

    def __init__(self, host: HostModel, drift: float, first: int = 0) -> None:
        self._host, self._factor, self._first = host, np.float32(1.0 + drift), first

    def run(
        self, inputs: Sequence[NDArray[Any]], *, on_progress: Share | None = None
    ) -> tuple[list[NDArray[Any]], int]:
        return [self._drifted(values) for values in self._host.run(inputs)], 7

    def layers(self, inputs: Sequence[NDArray[Any]]) -> Iterator[tuple[int, bytes]]:
        for op, values in self._host.layers(inputs):
            yield op, (self._drifted(values) if op >= self._first else values).tobytes()

    def forget(self) -> None:
        raise AssertionError("the model has no state")

    def _drifted(self, values: NDArray[Any]) -> NDArray[Any]:
        return values * self._factor if values.dtype == np.float32 else values


@pytest.fixture(scope="module")
def sigmoid() -> Iterator[tuple[Plan, HostModel, Oracle]]:
    """Two float32 ops."""
    x, y, z = real(1, 8), real(1, 8), real(1, 8)
    model = build_graph([Node("ADD", options("AddOptions"), [x, x], [y]), Node("LOGISTIC", None, [y], [z])], [z])
    plan = make_plan(read_graph(model))
    with HostModel(plan) as host, Oracle(model) as oracle:
        yield plan, host, oracle


def test_a_small_drift_passes_and_is_told(sigmoid: tuple[Plan, HostModel, Oracle]) -> None:
    plan, host, oracle = sigmoid
    verdict = verify_device(Drifting(host, 5e-6), plan, oracle, make_inputs(plan.graph, 4), layers=True)
    assert (verdict.passed, verdict.bit_exact, verdict.tolerant) == (True, False, True)
    assert verdict.mismatched == ()
    assert 0.1 < verdict.worst_error <= 1
    assert verdict.max_abs_diff > 0
    told = verdict.to_dict()["comparison"]
    assert (told["kind"], told["relative"], told["absolute"]) == ("tolerance", 1e-5, 1e-6)
    assert told["worst_error"] == verdict.worst_error


def test_a_large_drift_fails_and_names_the_op(sigmoid: tuple[Plan, HostModel, Oracle]) -> None:
    plan, host, oracle = sigmoid
    verdict = verify_device(Drifting(host, 1e-4, first=1), plan, oracle, make_inputs(plan.graph, 4))
    assert not verdict.passed
    assert verdict.mismatched == (0, 1, 2, 3)
    assert verdict.worst_error > 1
    assert verdict.first_divergent_op is not None
    assert verdict.first_divergent_op.kind == "LOGISTIC"


def test_float_inputs_differ_in_size_and_are_seeded(sigmoid: tuple[Plan, HostModel, Oracle]) -> None:
    graph = sigmoid[0].graph
    inputs = [sample[0] for sample in make_inputs(graph, 12, seed=3)]
    assert all((a == b[0]).all() for a, b in zip(inputs, make_inputs(graph, 12, seed=3), strict=True))
    assert not inputs[3].any()
    sizes = [float(np.abs(values).mean()) for values in inputs]
    assert 0.2 < sizes[0] < 3
    assert max(sizes[4::2]) > 3 * min(sizes[4::2])


def test_json_holds_no_infinity(sigmoid: tuple[Plan, HostModel, Oracle]) -> None:
    plan, host, oracle = sigmoid
    verdict = verify_device(Drifting(host, np.inf), plan, oracle, make_inputs(plan.graph, 1))
    assert not verdict.passed
    told = verdict.to_dict()
    assert told["max_abs_diff"] is told["comparison"]["worst_error"] is None


def test_dequantized_outputs_are_compared_by_their_bytes() -> None:
    x, y = TensorSpec((1, 8), scale=0.1), real(1, 8)
    model = build_graph([Node("DEQUANTIZE", None, [x], [y])], [y])
    plan = make_plan(read_graph(model))
    with HostModel(plan) as host, Oracle(model) as oracle:
        inputs = make_inputs(plan.graph, 2)
        assert verify_device(Drifting(host, 0.0), plan, oracle, inputs).bit_exact
        verdict = verify_device(Drifting(host, 5e-7), plan, oracle, inputs)
    assert (verdict.passed, verdict.tolerant) == (False, False)
