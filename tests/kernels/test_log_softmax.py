"""LOG_SOFTMAX against the oracle: row lengths, scales at the limits, all sums that a row of two can have."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.many_ops import ZERO_POINTS, draw_scale, prove, refusal
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph


def node(shape: tuple[int, ...], scale: float, zero_point: int = 0) -> Node:
    source = TensorSpec(shape, scale=scale, zero_point=zero_point)
    return Node("LOG_SOFTMAX", None, [source], [TensorSpec(shape, scale=1 / 16, zero_point=127)])


@pytest.mark.parametrize("seed", range(3))
def test_random(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = []
    for _ in range(24):
        shape = tuple(int(d) for d in rng.integers(1, 12, rng.integers(1, 4)))
        nodes.append(node(shape, draw_scale(rng, -4, 1), int(rng.choice(ZERO_POINTS))))
    prove(nodes, samples=8, seed=seed)


def test_scales_and_long_rows() -> None:
    scales = [2.0**-24, 1e-5, 2.0**-10, 1 / 256, 1 / 16, 0.0625001, 0.1, 0.125, 1.0, 2.0, 7.9, 15.9]
    prove([node((2, n), s) for s in scales for n in (2, 37)] + [node((1, 1000), 0.05), node((1, 400), 1e-5)], samples=6)


def test_every_distance() -> None:
    rows = np.stack([np.full(256, 127), np.arange(-128, 128)], axis=1).astype(np.int8)
    nodes = [node((256, 2), s) for s in (0.003, 0.02, 0.1, 0.3, 1.0)]
    assert_bit_exact(build_graph(nodes, [n.outputs[0] for n in nodes]), [[rows] * len(nodes)])


def test_refusals() -> None:
    x, y = TensorSpec((4,), scale=0.1), TensorSpec((4,), scale=1 / 16)
    assert "zero point 0" in refusal(Node("LOG_SOFTMAX", None, [x], [y]))
    assert "last dimension is 5000" in refusal(node((1, 5000), 0.1))
    assert "scale is 16" in refusal(node((4,), 16.0))
