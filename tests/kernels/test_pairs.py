"""MAXIMUM, MINIMUM, comparisons, LOGICAL_*, SELECT_V2, SQUARED_DIFFERENCE and PRELU against the oracle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.kernels.many_ops import draw_scale, int8, int8_constant, prove, refusal
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, options

COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
BROADCASTS = [
    ((1, 4, 5, 3), (1, 4, 5, 3)),
    ((1, 4, 5, 3), (3,)),
    ((3,), (2, 4, 5, 3)),
    ((2, 4, 5, 3), ()),
    ((7,), (1,)),
    ((2, 1, 5, 1), (1, 4, 1, 3)),
    ((2, 4, 5, 3), (2, 1, 1, 3)),
    ((4, 1), (1, 6)),
]
EVERY_PAIR = [a.reshape(-1).astype(np.int8) for a in np.meshgrid(np.arange(-128, 128), np.arange(-128, 128))]


def out_shape(*shapes: Sequence[int]) -> tuple[int, ...]:
    return np.broadcast_shapes(*(tuple(s) for s in shapes))


def prove_every_pair(nodes: list[Node]) -> None:
    """Over all 65,536 pairs of int8 values."""
    model = build_graph(nodes, [n.outputs[0] for n in nodes])
    assert_bit_exact(model, [EVERY_PAIR * len(nodes)])


@pytest.mark.parametrize("kind", ["MAXIMUM", "MINIMUM"])
def test_extremes(kind: str) -> None:
    nodes = []
    for first, second in BROADCASTS:
        a, b, c = (TensorSpec(s, scale=0.3, zero_point=-7) for s in (first, second, out_shape(first, second)))
        nodes.append(Node(kind, options("MaximumMinimumOptions"), [a, b], [c]))
    prove(nodes)


@pytest.mark.parametrize("kind", COMPARISONS)
def test_comparisons(kind: str) -> None:
    rng = np.random.default_rng(len(kind))
    nodes = []
    for first, second in BROADCASTS:
        output = TensorSpec(out_shape(first, second), "bool")
        pair = [int8(rng, s, draw_scale(rng, -3, -0.1)) for s in (first, second)]
        nodes.append(Node(kind, None, pair, [output]))
        words = [TensorSpec(s, "int32") for s in (first, second)]
        nodes.append(Node(kind, None, words, [TensorSpec(output.shape, "bool")]))
    prove(nodes)


@pytest.mark.parametrize("seed", range(2))
def test_every_pair_compared(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = []
    for scales in ((0.5, 0.25), (0.1, 0.1), (0.01, 0.013), (2.0**-7, 2.0**-8)):
        pair = [int8(rng, (65536,), s) for s in scales]
        nodes.append(Node(str(rng.choice(COMPARISONS)), None, pair, [TensorSpec((65536,), "bool")]))
    prove_every_pair(nodes)


@pytest.mark.parametrize("kind", ["LOGICAL_AND", "LOGICAL_OR"])
def test_logical(kind: str) -> None:
    shapes = [(TensorSpec(a, "bool"), TensorSpec(b, "bool"), out_shape(a, b)) for a, b in BROADCASTS]
    prove([Node(kind, None, [a, b], [TensorSpec(s, "bool")]) for a, b, s in shapes])


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_select(dtype: str) -> None:
    scale = 0.5 if dtype == "int8" else None
    cases = [*((a, b, b) for a, b in BROADCASTS), *((a, b, out_shape(a, b)) for a, b in BROADCASTS)]
    cases += [((2, 1, 3, 1, 2), (1, 4, 3, 1, 1), (2, 4, 1, 5, 1)), ((1,), (4, 1), (1, 3))]
    nodes = []
    for condition, first, second in cases:
        x, y, z = (TensorSpec(s, dtype, scale) for s in (first, second, out_shape(condition, first, second)))
        nodes.append(Node("SELECT_V2", options("SelectV2Options"), [TensorSpec(condition, "bool"), x, y], [z]))
    prove(nodes)


@pytest.mark.parametrize("kind", ["SQUARED_DIFFERENCE", "PRELU"])
@pytest.mark.parametrize("seed", range(2))
def test_scaled_pairs(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = []
    for first, second in BROADCASTS:
        if kind == "PRELU" and out_shape(first, second) != tuple(first):
            continue
        a = int8(rng, first)
        b = int8_constant(rng, second) if rng.integers(2) else int8(rng, second, draw_scale(rng, -2, 0))
        natural = float(a.scale) if kind == "PRELU" else max(float(a.scale), float(b.scale)) ** 2 * 100  # type: ignore[arg-type]
        output = int8(rng, out_shape(first, second), float(np.float32(natural * 10 ** rng.uniform(-1, 1.5))))
        nodes.append(Node(kind, None, [a, b], [output]))
    prove(nodes, seed=seed)


@pytest.mark.parametrize("kind", ["SQUARED_DIFFERENCE", "PRELU"])
def test_every_pair_scaled(kind: str) -> None:
    rng = np.random.default_rng(9)
    nodes = []
    for scales in ((0.5, 0.25, 0.5), (0.1, 0.1, 0.1), (0.02, 0.013, 0.01), (0.3, 1.7, 3.1)):
        pair = [int8(rng, (65536,), s) for s in scales[:2]]
        output = scales[2] if kind == "PRELU" else 200 * max(scales[:2]) ** 2
        nodes.append(Node(kind, None, pair, [int8(rng, (65536,), output)]))
    prove_every_pair(nodes)


def test_refusals() -> None:
    a, b = TensorSpec((4,), scale=0.5), TensorSpec((4,), scale=0.25)
    flags = TensorSpec((4,), "bool")
    assert "quantized differently" in refusal(Node("MAXIMUM", None, [a, b], [TensorSpec((4,), scale=0.5)]))
    assert "1 or more" in refusal(Node("LESS", None, [a, TensorSpec((4,), scale=1.0)], [flags]))
    assert "not bool" in refusal(Node("LESS", None, [a, b], [TensorSpec((4,), scale=0.5)]))
    assert "not bool" in refusal(Node("LOGICAL_AND", None, [a, b], [flags]))
    assert "condition" in refusal(Node("SELECT_V2", None, [a, a, a], [TensorSpec((4,), scale=0.5)]))
    assert "do not broadcast" in refusal(Node("SELECT_V2", None, [TensorSpec((3,), "bool"), a, a], [a_like()]))
    assert "overflows" in refusal(Node("SQUARED_DIFFERENCE", None, [a, b], [TensorSpec((4,), scale=2.0**-30)]))
    assert "overflows" in refusal(Node("PRELU", None, [a, b], [TensorSpec((4,), scale=2.0**-30)]))


def a_like() -> TensorSpec:
    return TensorSpec((4,), scale=0.5)
