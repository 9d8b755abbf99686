"""ADD, SUB and MUL against the oracle: shapes, broadcasting, scales, constants, in-place use."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.ops.broadcasting import broadcast_loops
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.many_ops import ZERO_POINTS, draw_scale, int8, int8_constant, prove, refusal
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, build_model, constant, options

KINDS = ("ADD", "SUB", "MUL")
TABLES = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions"}
NONE, RELU, RELU_N1_TO_1, RELU6, TANH = range(5)

BROADCASTS = [
    ((1, 4, 5, 3), (1, 4, 5, 3)),
    ((1, 4, 5, 3), (3,)),
    ((1, 4, 5, 3), (1, 1, 1, 3)),
    ((3,), (2, 4, 5, 3)),
    ((2, 4, 5, 3), ()),
    ((), (2, 3)),
    ((), ()),
    ((1,), (7,)),
    ((2, 1, 5, 1), (1, 4, 1, 3)),
    ((2, 4, 5, 3), (2, 1, 1, 3)),
    ((2, 1, 5, 3), (2, 4, 5, 1)),
    ((4, 1), (1, 6)),
    ((2, 3, 1, 1, 2), (2, 3, 2, 2, 2)),
    ((1, 1, 1, 1, 1, 9), (9,)),
    ((2, 1, 3, 3, 2, 2), (2, 3, 3, 3, 2, 2)),
]


def node(kind: str, first: TensorSpec, second: TensorSpec, output: TensorSpec, activation: int = NONE) -> Node:
    return Node(kind, options(TABLES[kind], fusedActivationFunction=activation), [first, second], [output])


def output_for(rng: np.random.Generator, kind: str, first: TensorSpec, second: TensorSpec) -> TensorSpec:
    """An output whose scale neither drowns nor always saturates the result."""
    scale1, scale2 = float(first.scale), float(second.scale)  # type: ignore[arg-type]
    natural = scale1 * scale2 * 100 if kind == "MUL" else max(scale1, scale2)
    shape = np.broadcast_shapes(first.shape, second.shape)
    return int8(rng, shape, float(np.float32(natural * 10 ** rng.uniform(-1.5, 1.5))))


@pytest.mark.parametrize("kind", KINDS)
def test_broadcasting(kind: str) -> None:
    rng = np.random.default_rng(1)
    nodes = []
    for shape1, shape2 in BROADCASTS:
        first, second = int8(rng, shape1), int8(rng, shape2)
        nodes.append(node(kind, first, second, output_for(rng, kind, first, second)))
    prove(nodes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_random_scales_and_activations(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = []
    for _ in range(24):
        first, second = int8(rng, (64,)), int8(rng, (64,))
        activation = int(rng.choice([NONE, RELU, RELU_N1_TO_1, RELU6]))
        nodes.append(node(kind, first, second, output_for(rng, kind, first, second), activation))
    prove(nodes, samples=6, seed=seed)


@pytest.mark.parametrize("kind", KINDS)
def test_all_pairs_of_values(kind: str) -> None:
    rng = np.random.default_rng(7)
    values = np.arange(-128, 128, dtype=np.int8)
    for _ in range(8):
        first = TensorSpec((256, 1), scale=draw_scale(rng), zero_point=int(rng.choice(ZERO_POINTS)))
        second = TensorSpec((1, 256), scale=draw_scale(rng), zero_point=int(rng.choice(ZERO_POINTS)))
        one = node(kind, first, second, output_for(rng, kind, first, second))
        model = build_model(one.op, one.options, one.inputs, one.outputs)
        assert_bit_exact(model, [[values.reshape(256, 1), values.reshape(1, 256)]])


@pytest.mark.parametrize("kind", KINDS)
def test_constant_operands(kind: str) -> None:
    rng = np.random.default_rng(3)
    nodes = []
    for shape in ((2, 3, 4), (4,), (1, 3, 1), ()):
        variable, constant = int8(rng, (2, 3, 4)), int8_constant(rng, shape)
        nodes.append(node(kind, variable, constant, output_for(rng, kind, variable, constant)))
        nodes.append(node(kind, constant, variable, output_for(rng, kind, constant, variable)))
    prove(nodes)


@pytest.mark.parametrize("kind", KINDS)
def test_one_tensor_as_both_operands(kind: str) -> None:
    rng = np.random.default_rng(4)
    both = int8(rng, (33,))
    prove([node(kind, both, both, output_for(rng, kind, both, both))])


@pytest.mark.parametrize("kind", KINDS)
def test_in_place_chain(kind: str) -> None:
    """Each result takes over the memory of an operand, the wider one when they differ."""
    rng = np.random.default_rng(5)
    first, second, row = int8(rng, (6, 8)), int8(rng, (6, 8)), int8(rng, (8,))
    a = output_for(rng, kind, first, second)
    b = output_for(rng, kind, row, a)
    c = output_for(rng, kind, b, b)
    model = build_graph([node(kind, first, second, a), node(kind, row, a, b), node(kind, b, b, c)], [c])
    plan = make_plan(read_graph(model))
    assert plan.arena_bytes == 48 + 48 + 8
    assert_bit_exact(model, 8)


@pytest.mark.parametrize("kind", ["ADD", "SUB"])
def test_smallest_output_scale(kind: str) -> None:
    """The sum's factor just below 1: TFLM stops at 1 and above."""
    first, second = TensorSpec((64,), scale=0.5), TensorSpec((64,), scale=0.25)
    scale = float(np.float32(0.5) / 2**19)
    above = float(np.nextafter(np.float32(scale), np.float32(1)))
    prove([node(kind, first, second, TensorSpec((64,), scale=above))])
    assert "2^19" in refusal(node(kind, first, second, TensorSpec((64,), scale=scale)))


def test_mul_left_shifts() -> None:
    first = TensorSpec((64,), scale=1.0, zero_point=-128)
    nodes = [
        node("MUL", first, TensorSpec((64,), scale=1.0, zero_point=127), TensorSpec((64,), scale=2.0**-shift))
        for shift in (0, 1, 5, 14)
    ]
    prove(nodes)


def test_refusals() -> None:
    x, y = TensorSpec((2, 3), scale=0.1), TensorSpec((2, 3), scale=0.1)
    tiny = TensorSpec((2, 3), scale=1e-9)
    assert "overflows" in refusal(node("MUL", x, y, tiny))
    assert "TANH" in refusal(node("ADD", x, y, TensorSpec((2, 3), scale=0.1), TANH))
    assert "no quantization" in refusal(node("ADD", x, TensorSpec((2, 3)), y))
    assert "int16, not int8" in refusal(node("ADD", x, TensorSpec((2, 3), "int16", 0.1), y))
    assert "scale of zero" in refusal(node("SUB", x, TensorSpec((2, 3), scale=0.0), y))
    by_column = constant(np.zeros((2, 3), np.int8), [0.1] * 3, [0] * 3, axis=1)
    assert "per channel" in refusal(node("ADD", x, by_column, y))
    assert "do not broadcast" in refusal(node("ADD", x, TensorSpec((2,), scale=0.1), y))
    assert "is expected" in refusal(node("ADD", x, TensorSpec((3,), scale=0.1), TensorSpec((3, 2), scale=0.1)))
    alternating = (TensorSpec((2, 1, 2, 1, 2), scale=0.1), TensorSpec((1, 2, 1, 2, 1), scale=0.1))
    assert "5 nested loops" in refusal(node("ADD", *alternating, TensorSpec((2, 2, 2, 2, 2), scale=0.1)))
    three = Node("ADD", options("AddOptions"), [x, y, x], [TensorSpec((2, 3), scale=0.1)])
    assert "3 inputs" in refusal(three)


def test_loops_are_joined() -> None:
    assert len(broadcast_loops((2, 4, 5, 3), (2, 4, 5, 3))) == 1
    assert len(broadcast_loops((2, 4, 5, 3), (5, 3))) == 2
    assert len(broadcast_loops((2, 4, 1, 3), (2, 1, 1, 3))) == 3
    assert broadcast_loops((), ()) == []
