"""Resource variables: handles become state tensors, and copies are left out only where nothing shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mcugen.errors import ModelError, UnsupportedOpError
from mcugen.oracle import Oracle, make_inputs
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.runtimes.aot.plan.types import Plan
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options
from tests.models import model_bytes, real
from tests.state.models import assert_sequence_bit_exact, edited_inputs, joined

SHAPE = (1, 2, 4)
Q = {"scale": 0.1, "zero_point": -3}


def tensor(name: str, shape: tuple[int, ...] = SHAPE, **changes: Any) -> TensorSpec:
    return TensorSpec(shape, "int8", name=name, **{**Q, **changes})


def handle(name: str = "handle") -> TensorSpec:
    return TensorSpec((), "int32", name=name)


def declare(target: TensorSpec, name: bytes = b"memory") -> Node:
    return Node("VAR_HANDLE", options("VarHandleOptions", container=b"", sharedName=name), [], [target])


def read(source: TensorSpec, target: TensorSpec) -> Node:
    return Node("READ_VARIABLE", None, [source], [target])


def assign(target: TensorSpec, value: TensorSpec) -> Node:
    return Node("ASSIGN_VARIABLE", None, [target, value], [])


def add(a: TensorSpec, b: TensorSpec, target: TensorSpec) -> Node:
    return Node("ADD", options("AddOptions"), [a, b], [target])


def relu(a: TensorSpec, target: TensorSpec) -> Node:
    return Node("RELU", None, [a], [target])


def model(nodes: Sequence[Node], *outputs: TensorSpec) -> bytes:
    return joined(build_graph(nodes, outputs))


def kinds(plan: Plan) -> list[str]:
    return [step.op.kind for step in plan.steps]


def test_a_sum_over_time_is_computed_in_the_states_memory() -> None:
    """ADD works in place, so that neither reading nor assigning costs anything."""
    h, x, old, new, y = handle(), tensor("x"), tensor("old"), tensor("new"), tensor("y")
    plan = assert_sequence_bit_exact(
        model([declare(h), read(h, old), add(old, x, new), assign(h, new), relu(new, y)], y)
    )
    assert kinds(plan) == ["ADD", "RELU"]


def test_a_value_read_before_and_after_the_assignment() -> None:
    """The old value is still read when the new one is there: it takes a copy."""
    h, x, old, new, y = handle(), tensor("x"), tensor("old"), tensor("new"), tensor("y")
    again = tensor("again")
    nodes = [declare(h), read(h, old), relu(x, new), assign(h, new), read(h, again), add(old, again, y)]
    plan = assert_sequence_bit_exact(model(nodes, y))
    assert kinds(plan).count("READ_VARIABLE") + kinds(plan).count("ASSIGN_VARIABLE") >= 1


def test_a_view_of_the_state_through_a_reshape_outlives_the_assignment() -> None:
    h, x, old, flat, y = handle(), tensor("x"), tensor("old"), tensor("flat", (1, 8)), tensor("y", (1, 8))
    shape = constant(np.array([1, 8], np.int32))
    nodes = [
        declare(h),
        read(h, old),
        Node("RESHAPE", options("ReshapeOptions", newShape=[1, 8]), [old, shape], [flat]),
        assign(h, x),
        relu(flat, y),
    ]
    assert "READ_VARIABLE" in kinds(assert_sequence_bit_exact(model(nodes, y)))


def test_two_assignments_and_a_state_as_output() -> None:
    h, x, a, b, old = handle(), tensor("x"), tensor("a"), tensor("b"), tensor("old")
    last = tensor("last")
    nodes = [
        declare(h),
        read(h, old),
        add(old, x, a),
        assign(h, a),
        add(a, x, b),
        assign(h, b),
        read(h, last),
    ]
    assert_sequence_bit_exact(model(nodes, last, a))


def test_swapping_two_variables() -> None:
    h, g, x, a, b, y = handle(), handle("handle2"), tensor("x"), tensor("a"), tensor("b"), tensor("y")
    nodes = [
        declare(h),
        declare(g, b"other"),
        read(h, a),
        read(g, b),
        add(a, x, y),
        assign(h, b),
        assign(g, y),
    ]
    assert_sequence_bit_exact(model(nodes, y))


def test_a_stream_copies_its_state_once_in_and_once_out() -> None:
    """concat(state, x) → the last rows → assign: the slice is a view, and so is what is read."""
    h, x = handle(), tensor("x", (1, 1, 4))
    old, window, kept, y = tensor("old"), tensor("window", (1, 3, 4)), tensor("kept"), tensor("y", (1, 3, 4))
    begin, size = constant(np.array([0, 1, 0], np.int32)), constant(np.array([1, 2, 4], np.int32))
    nodes = [
        declare(h),
        read(h, old),
        Node("CONCATENATION", options("ConcatenationOptions", axis=1), [old, x], [window]),
        Node("SLICE", options("SliceOptions"), [window, begin, size], [kept]),
        assign(h, kept),
        relu(window, y),
    ]
    assert kinds(assert_sequence_bit_exact(model(nodes, y))) == ["CONCATENATION", "ASSIGN_VARIABLE", "RELU"]


def test_a_stream_that_slides_before_it_joins_is_no_place_for_the_join() -> None:
    """As microWakeWord's first models: the old rows without the first, and the new one behind them, are the new state.

    They may not be joined where the old ones lie; an op that only copies one value is no concatenation.
    """
    h, x, old, kept = handle(), tensor("x", (1, 1, 4)), tensor("old"), tensor("kept", (1, 1, 4))
    window, y = tensor("window"), tensor("y")
    begin, size = constant(np.array([0, 1, 0], np.int32)), constant(np.array([1, 1, 4], np.int32))
    nodes = [
        declare(h),
        read(h, old),
        Node("SLICE", options("SliceOptions"), [old, begin, size], [kept]),
        Node("CONCATENATION", options("ConcatenationOptions", axis=1), [kept, x], [window]),
        assign(h, window),
        relu(window, y),
    ]
    assert kinds(assert_sequence_bit_exact(model(nodes, y))) == ["CONCATENATION", "ASSIGN_VARIABLE", "RELU"]


def test_a_value_that_is_assigned_and_looked_at_after_the_next_one_is_made() -> None:
    """Both values could be computed in the state's memory, but not one after the other."""
    h, x, a, b, y = handle(), tensor("x"), tensor("a"), tensor("b"), tensor("y")
    nodes = [declare(h), add(x, x, a), assign(h, a), relu(x, b), add(a, b, y), assign(h, b)]
    plan = assert_sequence_bit_exact(model(nodes, y))
    assert kinds(plan).count("ASSIGN_VARIABLE") == 1


def test_one_variable_is_copied_to_another() -> None:
    """The value lies in the memory of the variable that it was read from, and goes to that of the other."""
    h, g, x, old, new, last = handle(), handle("handle2"), tensor("x"), tensor("old"), tensor("new"), tensor("last")
    nodes = [declare(h), declare(g, b"other"), read(h, old), assign(g, old), read(g, last), add(old, x, new)]
    nodes.append(assign(h, new))
    assert "ASSIGN_VARIABLE" in kinds(assert_sequence_bit_exact(model(nodes, last)))


def initialized(value: TensorSpec, *extra: Node, after: bool = False, assigns: bool = True) -> bytes:
    """A running sum whose start CALL_ONCE assigns."""
    h, x, old, new = handle(), tensor("x"), tensor("old"), tensor("new")
    call = Node("CALL_ONCE", options("CallOnceOptions", initSubgraphIndex=1), [], [])
    body = [declare(h), read(h, old), add(old, x, new), *([assign(h, new)] if assigns else [])]
    main = build_graph([*body, call] if after else [call, *body], [new])
    g = handle("handle_init")
    start = build_graph([declare(g), *extra, assign(g, value)], [])
    return joined(main, start)


def test_call_once_gives_the_initial_value() -> None:
    start = constant(np.arange(8, dtype=np.int8).reshape(SHAPE), **Q)
    plan = assert_sequence_bit_exact(initialized(start))
    np.testing.assert_array_equal(plan.graph.states[0].initial, start.data)


def test_a_variable_that_nothing_changes_is_a_constant() -> None:
    start = constant(np.arange(8, dtype=np.int8).reshape(SHAPE), **Q)
    plan = assert_sequence_bit_exact(initialized(start, assigns=False))
    assert not plan.stateful
    assert kinds(plan) == ["ADD"]


def test_initial_values_are_computed_in_advance_or_refused() -> None:
    data, flat = constant(np.arange(8, dtype=np.int8), **Q), tensor("start")
    shape = constant(np.array(SHAPE, np.int32))
    reshape = Node("RESHAPE", options("ReshapeOptions", newShape=list(SHAPE)), [data, shape], [flat])
    assert_sequence_bit_exact(initialized(flat, reshape))
    computed = tensor("computed")
    with pytest.raises(ModelError, match="runs RELU, which was not computed in advance"):
        read_graph(initialized(computed, relu(constant(np.zeros(SHAPE, np.int8), **Q), computed)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            initialized(constant(np.zeros(SHAPE, np.int8), **Q), after=True),
            "initializes variables after they were used",
        ),
        (initialized(constant(np.zeros(6, np.int8), **Q)), "has 8 bytes, but is initialized with 6"),
    ],
)
def test_refusals(data: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_graph(data)


def test_variables_without_a_size_or_of_two_sizes_are_refused() -> None:
    h, x, y = handle(), tensor("x"), tensor("y")
    with pytest.raises(ModelError, match='nothing assigns the variable "memory"'):
        read_graph(model([declare(h), read(h, y), relu(x, tensor("z"))], y))
    other = tensor("other", (1, 3))
    with pytest.raises(ModelError, match="assigns int8 of 3 bytes to a variable of int8 and 8 bytes"):
        read_graph(model([declare(h), assign(h, x), assign(h, other), read(h, y)], y))
    wide = tensor("wide", (1, 3))
    with pytest.raises(UnsupportedOpError, match="cannot become"):
        make_plan(read_graph(model([declare(h), assign(h, x), read(h, wide)], wide)))


def test_the_handle_of_a_variable_goes_nowhere_else() -> None:
    h, x, y = handle(), tensor("x"), tensor("y")
    with pytest.raises(ModelError, match="takes the handle of a variable"):
        read_graph(model([declare(h), add(h, x, y)], y))
    with pytest.raises(ModelError, match="an input or output of the model"):
        read_graph(edited_inputs(model([declare(h), assign(h, x), read(h, y)], y), ["x", "handle"]))


@pytest.mark.parametrize(
    ("name", "states", "copies"), [("wake_word", 5, 4), pytest.param("okay_nabu", 6, 6, marks=real("okay_nabu"))]
)
def test_a_wake_word_streams_with_equal_states(name: str, states: int, copies: int) -> None:
    """The zoo's first slice begins at an odd byte: no view, so it is computed right in the state's memory."""
    data = model_bytes(name)
    graph = optimize(read_graph(data))
    plan = make_plan(graph)
    assert "READ_VARIABLE" not in kinds(plan)
    steps = [number for number, step in enumerate(plan.steps) if step.op.kind == "ASSIGN_VARIABLE"]
    assert (len(graph.states), len(steps)) == (states, copies)
    values = [plan.steps[n].op.inputs[0] for n in steps]
    with HostModel(plan) as host, Oracle(data) as oracle:
        for number, sample in enumerate(make_inputs(graph, 50)):
            layers = dict(host.layers(sample))
            for n, want in zip(steps, oracle.tensors(sample, values), strict=True):
                assert layers[n].tobytes() == want.tobytes(), (number, n)
        assert len({layers[n].tobytes() for n in steps}) > 1
