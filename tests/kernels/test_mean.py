"""MEAN against the oracle: every subset of axes, kept or dropped, scales and counts at the limits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.cores import M4, join
from tests.kernels.cores import prove as prove_on_core
from tests.kernels.many_ops import ZERO_POINTS, draw_scale, prove, refusal
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_model, constant, options
from tests.kernels.weighted_models import distinct


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


def mean_models(sizes: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[bytes]:
    """A MEAN and a SUM of every shape over these axes."""
    rng = np.random.default_rng(7)
    models = []
    for shape, axes in sizes:
        for kind in ("MEAN", "SUM"):
            scales = (float(10.0 ** rng.uniform(-2, 0)), float(10.0 ** rng.uniform(-2, 0)))
            zero_points = (int(rng.integers(-128, 128)), int(rng.integers(-128, 128)))
            made = node(shape, axes, True, scales, zero_points)
            models.append(build_model(kind, made.options, made.inputs, made.outputs))
    return models


SUMMED_IN_HALVES = [
    ((1, 7, 5, 20), (1, 2)),
    ((3, 4, 8), (0,)),
    ((2, 3, 4, 8), (0, 2)),
    ((2, 6, 4), (1,)),
    ((1, 15, 17, 4), (1, 2)),
]
"""What mcg_mean_s8_dsp takes; the last are as many elements as fit into 16 bits."""


def test_means_by_words() -> None:
    for model in mean_models(SUMMED_IN_HALVES):
        (call,) = make_plan(read_graph(model), M4.target).steps[0].calls
        assert call.kernel == "mcg_mean_s8_dsp"
    results = assert_bit_exact(join(mean_models(SUMMED_IN_HALVES)), target=M4.target)
    assert distinct(results) > 100


@pytest.mark.emulator
def test_means_by_words_on_core(tmp_path: Path) -> None:
    plan = prove_on_core(mean_models(SUMMED_IN_HALVES), M4, tmp_path)
    assert {call.kernel for step in plan.steps for call in step.calls} == {"mcg_mean_s8_dsp"}


@pytest.mark.parametrize(
    ("shape", "axes", "why"),
    [
        ((1, 16, 16, 4), (1, 2), "sums of 256 elements do not fit into 16 bits"),
        ((1, 4, 4, 6), (1, 2), "it does not keep a multiple of 4 elements that lie side by side"),
        ((4, 8), (1,), "it does not keep a multiple of 4 elements that lie side by side"),
    ],
)
def test_means_one_by_one(shape: tuple[int, ...], axes: tuple[int, ...], why: str) -> None:
    for model in mean_models([(shape, axes)]):
        (call,) = make_plan(read_graph(model), M4.target).steps[0].calls
        assert (call.kernel, call.why_not_faster) == ("mcg_mean_s8", f"no DSP variant: {why}")
        assert_bit_exact(model, target=M4.target)


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
