"""Float32 operators element by element against the oracle, also on zeros, infinities and NaN."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.f32 import SPECIAL, numbers, prove, real
from tests.kernels.many_ops import refusal
from tests.kernels.single_op import Node, TensorSpec, constant, inputs_of, options

ARITHMETIC = ("ADD", "SUB", "MUL", "DIV")
PLAIN = {
    "MAXIMUM": "MaximumMinimumOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "SQUARED_DIFFERENCE": "SquaredDifferenceOptions",
    "FLOOR_DIV": "FloorDivOptions",
    "FLOOR_MOD": "FloorModOptions",
}
COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
IEEE = ("ABS", "CEIL", "FLOOR", "HARD_SWISH", "NEG", "RELU", "RELU6", "ROUND", "RSQRT", "SQRT", "SQUARE")
FUNCTIONS = ("COS", "ELU", "EXP", "LOG", "LOGISTIC", "SIN", "TANH")
NONE, RELU, RELU_N1_TO_1, RELU6, TANH = range(5)

BROADCASTS = [
    ((1, 4, 5, 3), (1, 4, 5, 3)),
    ((1, 4, 5, 3), (3,)),
    ((3,), (2, 4, 5, 3)),
    ((2, 4, 5, 3), ()),
    ((), ()),
    ((2, 1, 5, 1), (1, 4, 1, 3)),
    ((2, 1, 5, 3), (2, 4, 5, 1)),
    ((4, 1), (1, 6)),
]


def arithmetic(kind: str, first: TensorSpec, second: TensorSpec, activation: int = NONE) -> Node:
    shape = np.broadcast_shapes(first.shape, second.shape)
    made = options(f"{kind.capitalize()}Options", fusedActivationFunction=activation)
    return Node(kind, made, [first, second], [real(*shape)])


def plain(kind: str, first: TensorSpec, second: TensorSpec) -> Node:
    table = PLAIN.get(kind)
    shape = np.broadcast_shapes(first.shape, second.shape)
    return Node(kind, options(table) if table else None, [first, second], [real(*shape)])


def comparison(kind: str, first: TensorSpec, second: TensorSpec) -> Node:
    table = "".join(part.capitalize() for part in kind.split("_")) + "Options"
    shape = np.broadcast_shapes(first.shape, second.shape)
    return Node(kind, options(table), [first, second], [TensorSpec(shape, "bool")])


def test_functions_of_special_numbers() -> None:
    nodes = [Node(kind, None, [real(*SPECIAL.shape)], [real(*SPECIAL.shape)]) for kind in IEEE]
    prove(nodes, [[SPECIAL] * len(nodes)])
    nodes = [Node(kind, None, [real(*SPECIAL.shape)], [real(*SPECIAL.shape)]) for kind in FUNCTIONS]
    prove(nodes, [[SPECIAL] * len(nodes)], tolerant=True)


def test_functions_over_their_range() -> None:
    x = np.linspace(-20, 20, 4001, dtype=np.float32)
    for kinds, tolerant in ((IEEE, False), (FUNCTIONS, True)):
        nodes = [Node(kind, None, [real(*x.shape)], [real(*x.shape)]) for kind in kinds]
        prove(nodes, [[x] * len(nodes), [x / 10] * len(nodes)], tolerant=tolerant)


@pytest.mark.parametrize("alpha", [0.3, -0.5, 0.0, 2.0])
def test_leaky_relu(alpha: float) -> None:
    node = Node("LEAKY_RELU", options("LeakyReluOptions", alpha=alpha), [real(*SPECIAL.shape)], [real(*SPECIAL.shape)])
    prove([node], [[SPECIAL]])


def test_broadcasting() -> None:
    for first, second in BROADCASTS:
        nodes = [arithmetic(kind, real(*first), real(*second)) for kind in ARITHMETIC]
        nodes += [plain(kind, real(*first), real(*second)) for kind in (*PLAIN, "PRELU")]
        nodes += [comparison(kind, real(*first), real(*second)) for kind in COMPARISONS]
        prove(nodes)


def test_five_dimensions() -> None:
    nodes = [arithmetic(kind, real(2, 3, 1, 1, 2), real(2, 3, 2, 2, 2)) for kind in ARITHMETIC]
    prove(nodes + [plain(kind, real(2, 3, 1, 1, 2), real(2, 3, 2, 2, 2)) for kind in ("MAXIMUM", "SQUARED_DIFFERENCE")])
    assert "5 dimensions" in refusal(plain("PRELU", real(1, 2, 3, 1, 2), real(2)))


def test_pairs_of_special_numbers() -> None:
    """Every pair, for all operators that any pair has a result for."""
    size = SPECIAL.size
    shapes = real(size, 1), real(1, size)
    nodes = [arithmetic(kind, *shapes) for kind in ARITHMETIC]
    nodes += [plain(kind, *shapes) for kind in ("MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "PRELU")]
    nodes += [comparison(kind, *shapes) for kind in COMPARISONS]
    prove(nodes, [[SPECIAL.reshape(t.shape) for t in inputs_of(nodes)]])


@pytest.mark.parametrize("activation", [RELU, RELU_N1_TO_1, RELU6])
def test_fused_activations(activation: int) -> None:
    size = SPECIAL.size
    nodes = [arithmetic(kind, real(size, 1), real(1, size), activation) for kind in ARITHMETIC]
    prove(nodes, [[SPECIAL.reshape(t.shape) for t in inputs_of(nodes)]])
    prove(nodes)


def test_floor_remainders_have_the_divisors_sign() -> None:
    a = np.array([7, -7, 7, -7, 6, -6, 0, 0.3, -0.3, 1e30], np.float32)
    b = np.array([3, 3, -3, -3, 3, 3, -2, 0.1, 0.1, 7], np.float32)
    nodes = [plain(kind, real(10), real(10)) for kind in ("FLOOR_DIV", "FLOOR_MOD")]
    ((quotients, remainders),) = prove(nodes, [[a, b, a, b]])
    assert remainders[:4].tolist() == [1, 2, -2, -1]
    assert quotients[:4].tolist() == [2, -3, -3, 2]


def test_constants_infinities_among_them() -> None:
    rng = np.random.default_rng(3)
    mask = np.where(rng.random((1, 4, 4)) < 0.5, -np.inf, 0).astype(np.float32)
    nodes = [arithmetic("ADD", real(2, 4, 4), constant(mask)), arithmetic("SUB", numbers(rng, 4), real(3, 4))]
    prove(nodes)
    folded = [arithmetic("MUL", constant(mask[0, :1]), constant(SPECIAL[:4]))]
    folded.append(arithmetic("ADD", real(2, 4), folded[0].outputs[0]))
    prove(folded, optimized=True)


def test_in_place_chain() -> None:
    x, y = real(6, 8), real(8)
    first = arithmetic("SUB", x, y)
    second = Node("TANH", None, first.outputs, [real(6, 8)])
    third = plain("MAXIMUM", y, second.outputs[0])
    prove([first, second, third], tolerant=True)


def test_sums_of_many() -> None:
    x, y = real(3, 4), real(3, 4)
    many = Node("ADD_N", options("AddNOptions"), [x, y, x, real(3, 4)], [real(3, 4)])
    prove([many, Node("ADD_N", options("AddNOptions"), [x, y], [real(3, 4)])])
    special = Node("ADD_N", options("AddNOptions"), [real(*SPECIAL.shape)] * 2, [real(*SPECIAL.shape)])
    prove([special], [[SPECIAL]])


def test_casts_to_integers() -> None:
    """Also of numbers that do not fit, for which C has no rule."""
    x = np.append(SPECIAL, np.array([127.9, -128.9, 300, -40000, 2147483520, -2147483648, 3e9], np.float32))
    nodes = [Node("CAST", None, [real(*x.shape)], [TensorSpec(x.shape, t)]) for t in ("int8", "int16", "int32")]
    prove(nodes, [[x] * 3])


def test_refusals() -> None:
    def two(kind: str, table: str, second: TensorSpec, output: TensorSpec) -> Node:
        return Node(kind, options(table), [real(3), second], [output])

    assert "TANH" in refusal(arithmetic("ADD", real(3), real(3), TANH))
    assert "do not broadcast" in refusal(two("MUL", "MulOptions", real(2), real(3)))
    assert "int32, not float32" in refusal(two("DIV", "DivOptions", TensorSpec((3,), "int32"), real(3)))
    assert "the output float32" in refusal(two("LESS", "LessOptions", real(3), real(3)))
