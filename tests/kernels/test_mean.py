"""MEAN against the oracle: every subset of axes, kept or dropped, scales and counts at the limits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest

from tests.kernels.many_ops import ZERO_POINTS, draw_scale, prove, refusal
from tests.kernels.single_op import Node, TensorSpec, constant, options


def node(
    shape: tuple[int, ...],
    axes: Sequence[int],
    keep: bool = True,
    scales: tuple[float, float] = (0.5, 0.25),
    zero_points: tuple[int, int] = (3, -7),
) -> Node:
    reduced = {a % len(shape) for a in axes} if shape else set()
    output = tuple(1 if n in reduced else d for n, d in enumerate(shape) if keep or n not in reduced)
    source = TensorSpec(shape, scale=scales[0], zero_point=zero_points[0])
    axis_tensor = constant(np.array(axes, np.int32))
    return Node(
        "MEAN",
        options("ReducerOptions", keepDims=keep),
        [source, axis_tensor],
        [TensorSpec(output, scale=scales[1], zero_point=zero_points[1])],
    )


@pytest.mark.parametrize("rank", range(1, 6))
@pytest.mark.parametrize("keep", [True, False])
def test_each_subset_of_axes(rank: int, keep: bool) -> None:
    shape = (2, 3, 4, 5, 2)[:rank]
    subsets = [s for n in range(1, rank + 1) for s in itertools.combinations(range(rank), n)]
    prove([node(shape, axes, keep) for axes in subsets], samples=2)


@pytest.mark.parametrize("seed", range(3))
def test_random(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = []
    for _ in range(25):
        shape = tuple(int(d) for d in rng.integers(1, 8, rng.integers(1, 5)))
        axes = [int(a) for a in rng.integers(-len(shape), len(shape), rng.integers(1, 4))]  # repeats and negatives
        scale = draw_scale(rng)
        scales = (scale, float(np.float32(scale * 10 ** rng.uniform(-2, 2))))
        zero_points = (int(rng.choice(ZERO_POINTS)), int(rng.choice(ZERO_POINTS)))
        nodes.append(node(shape, axes, bool(rng.integers(2)), scales, zero_points))
    prove(nodes, samples=6, seed=seed)


def test_counts_around_powers_of_two() -> None:
    prove(
        [
            node((count, 2), [0], True, (0.1, 0.1), zp)
            for count in (1, 2, 3, 7, 8, 9, 255, 256, 257, 1000)
            for zp in ((-128, 127), (0, 0))
        ],
        samples=3,
    )


def test_extreme_ratios() -> None:
    """Scales so far apart that the shift is clamped, or that nothing is left; and a left shift."""
    ratios = [(1.0, 2.0**30), (1.0, 2.0**31.5), (2.0**-31, 1.0), (2.0**-40, 1.0), (1.0, 2.0**-10), (3.0, 2.0**-12)]
    prove([node((9, 3), [0], True, (a, float(np.float32(b)))) for a, b in ratios], samples=3)


def test_scalar_axis_and_no_axis() -> None:
    source = TensorSpec((3, 4), scale=0.5)
    scalar = Node(
        "MEAN", options("ReducerOptions"), [source, constant(np.array(1, np.int32))], [TensorSpec((3,), scale=0.25)]
    )
    prove([scalar])


def test_six_dimensions() -> None:
    shape = (2, 3, 2, 3, 2, 3)
    prove([node(shape, [0, 2, 4]), node(shape, [1, 3, 5]), node(shape, [5]), node(shape, [0])], samples=2)


def test_refusals() -> None:
    good = node((2, 3, 4), [1])
    source, output = good.inputs[0], good.outputs[0]

    def with_axes(axes: TensorSpec, to: TensorSpec = output) -> Node:
        return Node("MEAN", good.options, [source, axes], [to])

    assert "not constant" in refusal(with_axes(TensorSpec((1,), "int32")))
    assert "int64" in refusal(with_axes(constant(np.array([1], np.int64))))
    assert "axis 3" in refusal(with_axes(constant(np.array([3], np.int32))))
    assert "axis -4" in refusal(with_axes(constant(np.array([-4], np.int32))))
    assert "shape" in refusal(with_axes(constant(np.array([2], np.int32))))
    assert "overflows" in refusal(node((2, 3), [0], True, (1.0, 2.0**-23)))
    assert "nested loops" in refusal(node((2,) * 8, [0, 2, 4, 6]))
    assert math.prod(output.shape) == 8
