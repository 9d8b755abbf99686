"""Windows over parts of a tensor read them in place: the result is the same, and what cut the parts out is gone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcugen.graph import Graph
from mcugen.ops.weighted.depthwise_conv_2d import Part
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan.stripes import window_of
from mcugen.runtimes.aot.plan.types import Plan
from tests.kernels.cores import M4, M33, M55, Core, prove_samples
from tests.kernels.single_op import (
    Node,
    TensorSpec,
    assert_bit_exact,
    build_graph,
    constant,
    make_samples,
    options,
    oracle,
)

CUT = {"SPLIT", "SPLIT_V", "SLICE", "STRIDED_SLICE"}


def act(shape: tuple[int, ...], scale: float = 0.05, zero_point: int = 17) -> TensorSpec:
    return TensorSpec(shape, scale=scale, zero_point=zero_point)


def window(x: TensorSpec, taps: int, seed: int, *, stride: int = 1, activation: int = 0) -> Node:
    """A depthwise convolution with VALID padding, of x [1, rows, width, channels]."""
    rng = np.random.default_rng(seed)
    _, rows, width, channels = x.shape
    scales = (10.0 ** rng.uniform(-3, -2, channels)).astype(np.float32).tolist()
    weights = constant(rng.integers(-127, 128, (1, taps, width, channels)).astype(np.int8), scales, [0] * channels, 3)
    bias = constant(rng.integers(-3000, 3000, channels).astype(np.int32), 1e-3)
    made = options(
        "DepthwiseConv2DOptions",
        padding=1,
        strideW=1,
        strideH=stride,
        depthMultiplier=1,
        fusedActivationFunction=activation,
    )
    high = (rows - taps) // stride + 1
    return Node("DEPTHWISE_CONV_2D", made, [x, weights, bias], [act((1, high, 1, channels), 0.08, -9)])


def split(x: TensorSpec, sizes: list[int], axis: int) -> Node:
    parts = [act((*x.shape[:axis], size, *x.shape[axis + 1 :])) for size in sizes]
    operands = [x, constant(np.array(sizes, np.int32)), constant(np.array(axis, np.int32))]
    return Node("SPLIT_V", options("SplitVOptions", numSplits=len(sizes)), operands, parts)


def cut(x: TensorSpec, begin: list[int], size: list[int]) -> Node:
    operands = [x, constant(np.array(begin, np.int32)), constant(np.array(size, np.int32))]
    return Node("SLICE", options("SliceOptions"), operands, [act(tuple(size))])


def mixed(channels: tuple[int, ...], taps: tuple[int, ...], rows: int) -> bytes:
    """Groups of channels, each with a window of its own length over the last rows: MixConv."""
    x = act((1, rows, 1, sum(channels)))
    nodes = [split(x, list(channels), 3)]
    outputs = []
    for n, (part, length) in enumerate(zip(nodes[0].outputs, taps, strict=True)):
        if length < rows:
            nodes.append(cut(part, [0, rows - length, 0, 0], [1, length, 1, part.shape[3]]))
            part = nodes[-1].outputs[0]
        nodes.append(window(part, length, n))
        outputs += nodes[-1].outputs
    return build_graph(nodes, outputs)


def kinds(graph: Graph) -> list[str]:
    return [op.kind for op in graph.ops]


def parts(graph: Graph) -> list[Part | None]:
    return [op.options.part for op in graph.ops if op.kind == "DEPTHWISE_CONV_2D"]


MIXED = {
    "halves": ((32, 32), (5, 9), 9),
    "three": ((16, 20, 28), (1, 4, 3), 6),
    "odd number of words": ((20, 24), (7, 2), 8),
}


@pytest.mark.parametrize("name", MIXED)
def test_groups_of_channels_are_read_in_place(name: str) -> None:
    channels, taps, rows = MIXED[name]
    model = mixed(channels, taps, rows)
    graph = optimize(read_graph(model))
    assert CUT.isdisjoint(kinds(graph))
    step = sum(channels)
    wanted = [Part((rows - n) * step + sum(channels[:k]), step) for k, n in enumerate(taps)]
    assert parts(graph) == wanted
    assert all(window_of(graph, op) is None for op in graph.ops)  # a stripe would begin at another row
    for target in (None, M4.target):
        assert_bit_exact(model, optimized=True, target=target)


@pytest.mark.emulator
@pytest.mark.parametrize("core", [M4, M33, M55], ids=["m4", "m33", "m55"])
def test_on_cores(core: Core, tmp_path: Path) -> None:
    for name, (channels, taps, rows) in MIXED.items():
        model = mixed(channels, taps, rows)
        samples = make_samples(model, 2)
        folder = tmp_path / name.replace(" ", "_")
        plan = prove_samples(model, samples, oracle(model, samples), core, folder, optimized=True)
        assert kernels(plan) == {f"mcg_depthwise_single_s8_{core.target.kernels[0]}"}


def kernels(plan: Plan) -> set[str]:
    return {call.kernel for step in plan.steps for call in step.calls}


def test_rows_of_a_wide_image_are_read_in_place() -> None:
    x = act((1, 7, 3, 16))
    rows = cut(x, [0, 2, 0, 0], [1, 4, 3, 16])
    conv = window(rows.outputs[0], 4, 1)
    model = build_graph([rows, conv], conv.outputs)
    graph = optimize(read_graph(model))
    assert parts(graph) == [Part(2 * 3 * 16, 16)]
    assert_bit_exact(model, optimized=True)


def test_channels_of_rows_that_were_cut_out() -> None:
    x = act((1, 9, 1, 48))
    rows = cut(x, [0, 3, 0, 0], [1, 5, 1, 48])
    groups = split(rows.outputs[0], [16, 32], 3)
    convs = [window(part, 5, n) for n, part in enumerate(groups.outputs)]
    model = build_graph([rows, groups, *convs], [conv.outputs[0] for conv in convs])
    assert parts(optimize(read_graph(model))) == [Part(3 * 48, 48), Part(3 * 48 + 16, 48)]
    assert_bit_exact(model, optimized=True)


def test_the_part_is_kept_for_its_other_readers() -> None:
    x = act((1, 4, 1, 32))
    groups = split(x, [16, 16], 3)
    conv = window(groups.outputs[0], 4, 1)
    model = build_graph([groups, conv], [conv.outputs[0], groups.outputs[0]])
    graph = optimize(read_graph(model))
    assert parts(graph) == [Part(0, 32)]
    assert "SPLIT_V" in kinds(graph)
    assert_bit_exact(model, optimized=True)


def few_channels() -> list[Node]:
    groups = split(act((1, 4, 1, 24)), [8, 16], 3)
    return [groups, window(groups.outputs[0], 4, 1)]


def odd_channels() -> list[Node]:
    groups = split(act((1, 4, 1, 37)), [17, 20], 3)
    return [groups, window(groups.outputs[1], 4, 1)]


def several_windows() -> list[Node]:
    groups = split(act((1, 5, 1, 32)), [16, 16], 3)
    return [groups, window(groups.outputs[0], 4, 1)]


def columns() -> list[Node]:
    """Some columns of an image: rows of several pixels that do not lie one after the other."""
    inner = cut(act((1, 4, 5, 16)), [0, 0, 1, 0], [1, 4, 2, 16])
    return [inner, window(inner.outputs[0], 4, 1)]


def channels_and_part_of_a_row() -> list[Node]:
    """Columns of a group of channels: a cut of a cut that is no row of it."""
    groups = split(act((1, 2, 4, 32)), [16, 16], 3)
    inner = cut(groups.outputs[0], [0, 1, 1, 0], [1, 1, 2, 16])
    return [groups, inner, window(inner.outputs[0], 1, 1)]


@pytest.mark.parametrize("make", [few_channels, odd_channels, several_windows, columns])
def test_what_is_left_alone(make: object) -> None:
    assert callable(make)
    nodes = make()
    model = build_graph(nodes, nodes[-1].outputs)
    graph = optimize(read_graph(model))
    assert parts(graph) == [None]
    assert not CUT.isdisjoint(kinds(graph))
    assert_bit_exact(model, optimized=True)


def test_pixels_of_a_group_of_channels() -> None:
    nodes = channels_and_part_of_a_row()
    model = build_graph(nodes, nodes[-1].outputs)
    assert parts(optimize(read_graph(model))) == [Part((4 + 1) * 32, 32)]
    assert_bit_exact(model, optimized=True)


def test_outputs_that_are_clamped() -> None:
    groups = split(act((1, 6, 1, 32)), [16, 16], 3)
    conv = window(groups.outputs[1], 6, 1, activation=3)
    model = build_graph([groups, conv], conv.outputs)
    assert parts(optimize(read_graph(model))) == [Part(16, 32)]
    for target in (None, M4.target):
        assert_bit_exact(model, optimized=True, target=target)
