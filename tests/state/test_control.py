"""IF and WHILE: the emitted C takes the same way through the model as the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.errors import ModelError, UnsupportedOpError
from mcugen.ops.base import Target
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.runtimes.aot.supported import check_supported
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options
from tests.state.models import assert_sequence_bit_exact, edited_inputs, joined

Q = {"scale": 0.1, "zero_point": -3}


def tensor(name: str, shape: tuple[int, ...] = (1, 4)) -> TensorSpec:
    return TensorSpec(shape, "int8", name=name, **Q)


def flag(name: str = "flag") -> TensorSpec:
    return TensorSpec((1,), "bool", name=name)


def number(name: str) -> TensorSpec:
    """A counter: ADD is exact where all scales are equal."""
    return TensorSpec((1,), "int8", 0.5, 0, name=name)


def dense(source: TensorSpec, target: TensorSpec, seed: int = 0) -> Node:
    rng = np.random.default_rng(seed)
    depth, channels = source.shape[-1], target.shape[-1]
    weights = constant(rng.integers(-127, 127, (channels, depth)).astype(np.int8), 0.01)
    bias = constant(rng.integers(-90, 90, channels).astype(np.int32), 0.001)
    return Node("FULLY_CONNECTED", options("FullyConnectedOptions"), [source, weights, bias], [target])


def add(a: TensorSpec, b: TensorSpec, target: TensorSpec) -> Node:
    return Node("ADD", options("AddOptions"), [a, b], [target])


def two_layers(wide: int = 6) -> bytes:
    a, hidden, y = tensor("a"), tensor("hidden", (1, wide)), tensor("y")
    return build_graph([dense(a, hidden), dense(hidden, y, 1)], [y])


def passed_on() -> bytes:
    """A branch that gives back its input."""
    a, unused = tensor("a"), tensor("unused")
    return build_graph([Node("RELU", None, [a], [unused])], [a])


def with_constant() -> bytes:
    """A branch that gives back a constant, whatever its input."""
    a, unused = tensor("a"), tensor("unused")
    value = constant(np.array([[1, -2, 3, 4]], np.int8), **Q)
    return build_graph([Node("RELU", None, [a], [unused]), Node("RELU", None, [value], [tensor("z")])], [value])


def branching(then: bytes, otherwise: bytes, condition: TensorSpec | None = None) -> bytes:
    """conv → IF → relu, with the branches' input also read after them."""
    x, a, chosen, y = tensor("x"), tensor("a"), tensor("chosen"), tensor("y")
    nodes = [
        dense(x, a, 2),
        Node("IF", options("IfOptions", thenSubgraphIndex=1, elseSubgraphIndex=2), [condition or flag(), a], [chosen]),
        add(chosen, a, y),
    ]
    return joined(build_graph(nodes, [y]), then, otherwise)


def samples(count: int = 8) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(0)
    return [[rng.integers(-128, 128, (1, 4)).astype(np.int8), np.array([n % 2 == 0])] for n in range(count)]


@pytest.mark.parametrize(
    ("then", "otherwise"),
    [(two_layers(), passed_on()), (with_constant(), two_layers(9)), (passed_on(), passed_on())],
    ids=["layers", "constant", "nothing"],
)
@pytest.mark.parametrize("target", [None, Target("cortex-m4", ("dsp",))], ids=["portable", "dsp"])
def test_both_branches(then: bytes, otherwise: bytes, target: Target | None) -> None:
    plan = assert_sequence_bit_exact(branching(then, otherwise), samples(), target=target)
    assert [step.op.kind for step in plan.steps] == ["FULLY_CONNECTED", "IF", "ADD"]


def layer_and_flag() -> bytes:
    """A branch that takes a flag, too, and does nothing with it."""
    unused, a, y, negated = flag("unused"), tensor("a"), tensor("y"), flag("negated")
    nodes = [dense(a, y, 3), Node("LOGICAL_NOT", None, [unused], [negated])]
    return edited_inputs(build_graph(nodes, [y]), ["unused", "a"])


def test_branches_within_branches() -> None:
    f, a, y = flag("f"), tensor("a"), tensor("y")
    inner = Node("IF", options("IfOptions", thenSubgraphIndex=3, elseSubgraphIndex=4), [f, a], [y])
    x, g, z = tensor("x"), flag("g"), tensor("z")
    outer = Node("IF", options("IfOptions", thenSubgraphIndex=1, elseSubgraphIndex=2), [g, g, x], [z])
    model = joined(build_graph([outer], [z]), build_graph([inner], [y]), layer_and_flag(), two_layers(5), passed_on())
    rng = np.random.default_rng(1)
    given = [[np.array([n % 2 == 0]), rng.integers(-128, 128, (1, 4)).astype(np.int8)] for n in range(6)]
    assert_sequence_bit_exact(model, given)


@pytest.mark.parametrize("value", [True, False])
def test_a_constant_condition_leaves_one_branch(value: bool) -> None:
    condition = constant(np.array([value]))
    model = branching(two_layers(), passed_on(), condition)
    plan = assert_sequence_bit_exact(model, [[sample[0]] for sample in samples(4)])
    assert len(plan.steps[1].plans) == 1
    assert "if (" not in emit_model(plan)["mcg_model.c"]


def counting_loop(*, recursive: bool = False) -> bytes:
    """while i < limit: x = layers(x); i += 1"""
    x, i, limit, y = tensor("x"), number("i"), number("limit"), tensor("y")
    x1, i1, limit1 = tensor("x1"), number("i1"), number("limit1")
    body_index = 0 if recursive else 2
    loop = Node(
        "WHILE",
        options("WhileOptions", condSubgraphIndex=1, bodySubgraphIndex=body_index),
        [x, i, limit],
        [x1, i1, limit1],
    )
    main = build_graph([loop, dense(x1, y, 5)], [y, i1])

    cx, ci, climit, go = tensor("cx"), number("ci"), number("climit"), flag("go")
    condition = build_graph(
        [Node("LESS", None, [ci, climit], [go]), Node("RELU", None, [cx], [tensor("unused")])], [go]
    )

    bx, bi, blimit = tensor("bx"), number("bi"), number("blimit")
    hidden, bx1, bi1, unused = tensor("hidden", (1, 7)), tensor("bx1"), number("bi1"), flag("unused")
    body = [
        dense(bx, hidden),
        add(bi, constant(np.array([1], np.int8), 0.5), bi1),
        dense(hidden, bx1, 1),
        Node("LESS", None, [bi, blimit], [unused]),
    ]
    return joined(
        main,
        edited_inputs(condition, ["cx", "ci", "climit"]),
        edited_inputs(build_graph(body, [bx1, bi1, blimit]), ["bx", "bi", "blimit"]),
    )


def test_a_loop_runs_as_often_as_its_condition_says() -> None:
    rng = np.random.default_rng(2)
    given = [
        [rng.integers(-128, 128, (1, 4)).astype(np.int8), np.array([first], np.int8), np.array([limit], np.int8)]
        for first, limit in ((0, 3), (0, 0), (2, 7), (5, 6))
    ]
    plan = assert_sequence_bit_exact(counting_loop(), given)
    assert [step.op.kind for step in plan.steps] == ["WHILE", "FULLY_CONNECTED"]


def test_the_layers_of_a_loop_share_the_memory_of_its_condition() -> None:
    plan = make_plan(optimize(read_graph(counting_loop())))
    condition, body = plan.steps[0].plans
    assert plan.steps[0].scratch_bytes == max(condition.arena_bytes, body.arena_bytes)
    code = emit_model(plan)["mcg_model.c"]
    assert "  for (;;) {\n" in code
    assert code.index("mcg_op_0_1_0(void) {") < code.index("mcg_op_0(void) {")


def test_subgraphs_that_run_themselves_are_refused() -> None:
    with pytest.raises(ModelError, match="subgraph 0 runs itself"):
        read_graph(counting_loop(recursive=True))


def test_an_index_that_does_not_exist_is_refused() -> None:
    x, y = tensor("x"), tensor("y")
    node = Node("IF", options("IfOptions", thenSubgraphIndex=1, elseSubgraphIndex=5), [flag(), x], [y])
    with pytest.raises(ModelError, match="subgraph 5, which does not exist"):
        read_graph(joined(build_graph([node], [y]), passed_on()))


@pytest.mark.parametrize(
    ("branch", "message"),
    [
        (layer_and_flag(), "its else has 2 inputs, the op 1"),
        (build_graph([dense(tensor("a"), tensor("y", (1, 3)))], []), "its else has 0 outputs, the op 1"),
    ],
)
def test_branches_that_do_not_fit_are_refused(branch: bytes, message: str) -> None:
    with pytest.raises(UnsupportedOpError, match=message):
        check_supported(read_graph(branching(two_layers(), branch)))


def test_an_op_in_a_branch_without_a_kernel_is_refused() -> None:
    a, y = tensor("a"), tensor("y")
    unknown = build_graph([Node("HASHTABLE_LOOKUP", None, [a], [y])], [y])
    with pytest.raises(UnsupportedOpError, match="no ahead-of-time kernel for HASHTABLE_LOOKUP"):
        check_supported(read_graph(branching(two_layers(), unknown)))


def test_variables_in_branches_are_refused() -> None:
    a, y, handle = tensor("a"), tensor("y"), TensorSpec((), "int32", name="handle")
    declare = Node("VAR_HANDLE", options("VarHandleOptions", container=b"", sharedName=b"s"), [], [handle])
    branch = build_graph([declare, Node("ASSIGN_VARIABLE", None, [handle, a], []), dense(a, y)], [y])
    with pytest.raises(ModelError, match="its then uses resource variables"):
        read_graph(branching(branch, two_layers()))
