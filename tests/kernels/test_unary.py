"""HARD_SWISH, LEAKY_RELU, ELU, ABS, RSQRT and LOGICAL_NOT against the oracle, over all inputs and many scales."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.many_ops import ZERO_POINTS, draw_scale, refusal
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, build_model, options

ALL_VALUES = np.arange(-128, 128, dtype=np.int8)
KINDS = ("HARD_SWISH", "LEAKY_RELU", "ELU", "ABS", "RSQRT")


def node(
    kind: str, scale: float, zero_point: int, output_scale: float, output_zero_point: int, alpha: float = 0.2
) -> Node:
    source = TensorSpec((256,), scale=scale, zero_point=-128 if kind == "RSQRT" else zero_point)
    op_options = options("LeakyReluOptions", alpha=alpha) if kind == "LEAKY_RELU" else None
    return Node(kind, op_options, [source], [TensorSpec((256,), scale=output_scale, zero_point=output_zero_point)])


def prove_all_values(nodes: list[Node]) -> None:
    model = build_graph(nodes, [n.outputs[0] for n in nodes])
    assert_bit_exact(model, [[ALL_VALUES] * len(nodes)])


def natural_output_scale(kind: str, scale: float) -> float:
    """A scale with which the results fill about int8's range."""
    return 1.0 / (np.sqrt(scale) * 127) if kind == "RSQRT" else scale


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_random_scales(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = []
    for _ in range(60):
        scale = draw_scale(rng, -5, 1)
        low = 0 if kind == "HARD_SWISH" else -2  # an output finer than the input, times 128, is refused
        output_scale = float(np.float32(natural_output_scale(kind, scale) * 10 ** rng.uniform(low, 2)))
        zero_points = (int(rng.choice(ZERO_POINTS)), int(rng.choice(ZERO_POINTS)))
        alpha = float(np.float32(rng.choice([0.0, 1.0, -1.0, 0.01, 0.3]) * rng.uniform(0.5, 2)))
        nodes.append(node(kind, scale, zero_points[0], output_scale, zero_points[1], alpha))
    prove_all_values(nodes)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_scales(kind: str) -> None:
    scales = [2.0**-8, 0.01, 1 / 16, 0.1, 0.3, 1.0]
    prove_all_values([node(kind, s, z, s, y) for s in scales for z in (-128, 3, 127) for y in (-128, 0, 127)])


@pytest.mark.parametrize("kind", ["ABS", "LEAKY_RELU"])
def test_ties_of_upscaling(kind: str) -> None:
    """Quotients of scales near k / (2x): input step x lands on a tie, and a float32 quotient shows."""
    rng = np.random.default_rng(6)
    nodes = []
    for _ in range(80):
        output_scale, x = draw_scale(rng), 2 * int(rng.integers(1, 10)) + 1
        scale = float(np.float32(output_scale * (2 * x + 1 + 2 * int(rng.integers(0, x))) / (2 * x)))
        alpha = float(rng.choice([1.0, -1.0, 0.5]))
        nodes.append(node(kind, scale, int(rng.integers(-20, 20)), output_scale, int(rng.integers(-128, 0)), alpha))
    prove_all_values(nodes)


@pytest.mark.parametrize("seed", range(2))
def test_ties_of_leaky_slopes(seed: int) -> None:
    """Slopes that put whole negative steps near ties."""
    rng = np.random.default_rng(seed)
    nodes = []
    for _ in range(80):
        scale, x = draw_scale(rng), 2 * int(rng.integers(1, 20)) + 1
        alpha = float(np.float32((2 * int(rng.integers(0, x)) + 1) / (2 * x)))
        output_scale = float(np.float32(scale * rng.choice([1.0, 0.5, rng.uniform(0.2, 3)])))
        nodes.append(node("LEAKY_RELU", scale, int(rng.integers(0, 100)), output_scale, 0, alpha))
    prove_all_values(nodes)


def test_logical_not() -> None:
    model = build_model("LOGICAL_NOT", None, [TensorSpec((3, 5), "bool")], [TensorSpec((3, 5), "bool")])
    outputs = assert_bit_exact(model, 4)
    assert {int(v) for sample in outputs for v in sample[0].reshape(-1)} == {0, 1}


def test_refusals() -> None:
    assert "zero point is 5" in refusal(
        Node("RSQRT", None, [TensorSpec((4,), scale=0.1, zero_point=5)], [TensorSpec((4,), scale=0.1)])
    )
    assert "out of range" in refusal(node("RSQRT", 0.1, 0, 1e9, 0))
    assert "out of range" in refusal(node("HARD_SWISH", 1.0, 0, 2.0**-10, 0))
    assert "out of range" in refusal(node("HARD_SWISH", 1e-8, 0, 1e-8, 0))
    assert "out of range" in refusal(node("ABS", 1.0, 0, 1e-10, 0))
    assert "out of range" in refusal(node("ELU", 1.0, 0, 1e-10, 0))
    assert "out of range" in refusal(node("LEAKY_RELU", 1.0, 0, 1e-10, 0))
    assert "not bool" in refusal(Node("LOGICAL_NOT", None, [TensorSpec((4,), scale=0.1)], [TensorSpec((4,), "bool")]))
