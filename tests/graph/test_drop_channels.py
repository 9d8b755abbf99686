"""Channels that never change are dropped, those at borders that would are not, and no result changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.graph import Graph
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import drop_channels, fuse_pads, optimize
from mcugen.runtimes.aot.graph.ranges import channel_limits
from tests.graph.written import written
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
from tests.models import both, model_bytes

RELU6 = 3
ZERO = -11
"""The zero point of all tensors between layers."""


def act(shape: tuple[int, ...], name: str = "", zero_point: int = ZERO) -> TensorSpec:
    return TensorSpec(shape, scale=0.1, zero_point=zero_point, name=name)


def weights(shape: tuple[int, ...], axis: int, zero: Sequence[int] = (), seed: int = 1) -> NDArray[np.int8]:
    """Random weights, zero in the output channels `zero`."""
    values = np.random.default_rng(seed).integers(-90, 91, shape).astype(np.int8)
    np.moveaxis(values, axis, 0)[list(zero)] = 0
    return values


def conv(
    x: TensorSpec,
    y: TensorSpec,
    values: NDArray[np.int8],
    bias: Sequence[int] | None = None,
    *,
    same: bool = False,
    activation: int = 0,
) -> Node:
    made = options(
        "Conv2DOptions",
        padding=0 if same else 1,
        strideW=1,
        strideH=1,
        dilationWFactor=1,
        dilationHFactor=1,
        fusedActivationFunction=activation,
    )
    inputs: list[TensorSpec | None] = [x, constant(values, [0.01 + n / 900 for n in range(len(values))])]
    if bias is not None:
        inputs.append(constant(np.array(bias, np.int32), 0.001))
    return Node("CONV_2D", made, inputs, [y])


def depthwise(x: TensorSpec, y: TensorSpec, *, same: bool, multiplier: int = 1, zero: Sequence[int] = ()) -> Node:
    channels = y.shape[3]
    values = weights((1, 3, 3, channels), 3, zero, seed=2)
    made = options(
        "DepthwiseConv2DOptions",
        padding=0 if same else 1,
        strideW=1,
        strideH=1,
        depthMultiplier=multiplier,
        dilationWFactor=1,
        dilationHFactor=1,
    )
    scales = [0.01 + n / 700 for n in range(channels)]
    bias = constant(np.arange(-200, -200 + 50 * channels, 50).astype(np.int32), 0.001)
    return Node("DEPTHWISE_CONV_2D", made, [x, constant(values, scales, axis=3), bias], [y])


def channels_of(graph: Graph, name: str) -> tuple[int, ...] | None:
    """The channels that a tensor kept; None if it is whole."""
    return next(tensor.kept for tensor in graph.tensors.values() if tensor.name == name)


def dropped(model: bytes) -> Graph:
    """The model without its dead channels, its layers proved equal to the model's, both run by the oracle."""
    read = fuse_pads(read_graph(model))
    graph = drop_channels(read)
    results = [op.outputs[0] for op in read.ops]
    samples = make_samples(model, 6)
    wanted = oracle(written(read, model, results), samples)
    got = oracle(written(graph, model, results), samples)
    for mine, theirs in zip(got, wanted, strict=True):
        for i, some, whole in zip(results, mine, theirs, strict=True):
            kept = graph.tensor(i).kept
            np.testing.assert_array_equal(some, whole if kept is None else whole[..., list(kept)])
    return graph


X = (1, 6, 5, 3)


def test_constant_channels_go_into_the_next_bias() -> None:
    x, mid, y = act(X, "x"), act((1, 6, 5, 4), "mid"), act((1, 6, 5, 2), "y")
    first = conv(x, mid, weights((4, 1, 1, 3), 0, [1, 2]), [10, 900, -700, 20])
    graph = dropped(build_graph([first, conv(mid, y, weights((2, 1, 1, 4), 0), [5, 6])], [y]))
    assert channels_of(graph, "mid") == (0, 3)
    assert [graph.tensor(op.inputs[1]).shape for op in graph.ops] == [(2, 1, 1, 3), (2, 1, 1, 2)]


def test_a_layer_without_bias_gets_one() -> None:
    x, mid, y = act(X, "x"), act((1, 6, 5, 4), "mid"), act((1, 6, 5, 2), "y")
    first = conv(x, mid, weights((4, 1, 1, 3), 0, [1]), [10, 900, -700, 20])
    graph = dropped(build_graph([first, conv(mid, y, weights((2, 1, 1, 4), 0))], [y]))
    assert channels_of(graph, "mid") == (0, 2, 3)
    assert len(graph.ops[1].inputs) == 3


@pytest.mark.parametrize(("same", "bias", "kept"), [(False, 900, (0, 2)), (True, 900, None), (True, 0, (0, 2))])
def test_a_constant_that_meets_padding_must_be_the_zero_point(same: bool, bias: int, kept: tuple[int, ...]) -> None:
    x, mid = act(X, "x"), act((1, 6, 5, 3), "mid")
    y = act((1, 6, 5, 2) if same else (1, 4, 3, 2), "y")
    first = conv(x, mid, weights((3, 1, 1, 3), 0, [1]), [10, bias, 20])
    graph = dropped(build_graph([first, conv(mid, y, weights((2, 3, 3, 3), 0), [5, 6], same=same)], [y]))
    assert channels_of(graph, "mid") == kept


@pytest.mark.parametrize(("same", "bias", "kept"), [(False, 900, (0, 2)), (True, 900, None), (True, 0, (0, 2))])
@pytest.mark.parametrize("multiplier", [1, 2])
def test_constants_pass_through_a_depthwise_layer(
    same: bool, bias: int, kept: tuple[int, ...] | None, multiplier: int
) -> None:
    size = (6, 5) if same else (4, 3)
    channels = 3 * multiplier
    x, mid = act(X, "x"), act((1, 6, 5, 3), "mid")
    filtered, y = act((1, *size, channels), "filtered"), act((1, *size, 2), "y")
    nodes = [
        conv(x, mid, weights((3, 1, 1, 3), 0, [1]), [10, bias, 20]),
        depthwise(mid, filtered, same=same, multiplier=multiplier),
        conv(filtered, y, weights((2, 1, 1, channels), 0), [5, 6]),
    ]
    graph = dropped(build_graph(nodes, [y]))
    assert channels_of(graph, "mid") == kept
    wide = None if kept is None else tuple(c for c in range(channels) if c // multiplier in kept)
    assert channels_of(graph, "filtered") == wide


def test_a_depthwise_filter_of_zeros_makes_its_input_unused() -> None:
    x, mid, filtered, y = act(X, "x"), act((1, 6, 5, 3), "mid"), act((1, 6, 5, 3), "filtered"), act((1, 6, 5, 2), "y")
    nodes = [
        conv(x, mid, weights((3, 1, 1, 3), 0), [10, 0, 20]),
        depthwise(mid, filtered, same=True, zero=[2]),
        conv(filtered, y, weights((2, 1, 1, 3), 0), [5, 6]),
    ]
    graph = dropped(build_graph(nodes, [y]))
    assert channels_of(graph, "mid") == channels_of(graph, "filtered") == (0, 1)


def test_a_channel_that_always_saturates_is_constant() -> None:
    x, mid, y = act(X, "x"), act((1, 6, 5, 3), "mid"), act((1, 6, 5, 2), "y")
    first = conv(x, mid, weights((3, 1, 1, 3), 0), [0, 10**7, -(10**7)], activation=RELU6)
    graph = dropped(build_graph([first, conv(mid, y, weights((2, 1, 1, 3), 0), [5, 6])], [y]))
    assert channels_of(graph, "mid") == (0,)


def test_a_channel_that_the_next_layer_ignores_goes() -> None:
    x, mid, y = act(X, "x"), act((1, 6, 5, 3), "mid"), act((1, 6, 5, 2), "y")
    ignoring = weights((2, 3, 3, 3), 0)
    ignoring[..., 0] = 0
    first = conv(x, mid, weights((3, 1, 1, 3), 0), [1, 2, 3])
    graph = dropped(build_graph([first, conv(mid, y, ignoring, [5, 6], same=True)], [y]))
    assert channels_of(graph, "mid") == (1, 2)


def test_what_leads_only_to_dropped_channels_goes_too() -> None:
    """The last layer reads one channel of `b`, which reads one of `a`."""
    x, a, b, y = act(X, "x"), act((1, 6, 5, 3), "a"), act((1, 6, 5, 3), "b"), act((1, 6, 5, 2), "y")
    middle = np.diag([90, 80, 70]).astype(np.int8).reshape(3, 1, 1, 3)
    last = weights((2, 1, 1, 3), 0)
    last[..., [0, 2]] = 0
    nodes = [
        conv(x, a, weights((3, 1, 1, 3), 0), [1, 2, 3]),
        conv(a, b, middle, [4, 5, 6]),
        conv(b, y, last, [7, 8]),
    ]
    graph = dropped(build_graph(nodes, [y]))
    assert channels_of(graph, "a") == channels_of(graph, "b") == (1,)


def test_model_inputs_and_outputs_keep_their_channels() -> None:
    x, y, z = act(X, "x"), act((1, 6, 5, 3), "y"), act((1, 6, 5, 2), "z")
    blind = weights((3, 1, 1, 3), 0, [0, 2])
    blind[..., 1] = 0
    model = build_graph([conv(x, y, blind, [1, 2, 3]), conv(y, z, weights((2, 1, 1, 3), 0), [5, 6])], [y, z])
    assert dropped(model).tensors.keys() == read_graph(model).tensors.keys()


def test_a_tensor_keeps_at_least_one_channel() -> None:
    x, mid, y = act(X, "x"), act((1, 6, 5, 3), "mid"), act((1, 6, 5, 2), "y")
    first = conv(x, mid, weights((3, 1, 1, 3), 0, [0, 1, 2]), [100, 200, 300])
    graph = dropped(build_graph([first, conv(mid, y, weights((2, 1, 1, 3), 0), [5, 6])], [y]))
    assert channels_of(graph, "mid") == (0,)


def test_both_arms_of_a_sum_keep_what_one_needs() -> None:
    x, a, b = act(X, "x"), act((1, 6, 5, 3), "a"), act((1, 6, 5, 3), "b")
    total, y = act((1, 6, 5, 3), "sum"), act((1, 6, 5, 2), "y")
    last = weights((2, 1, 1, 3), 0)
    last[..., 2] = 0
    nodes = [
        conv(x, a, weights((3, 1, 1, 3), 0, [1]), [1, 2, 3]),
        conv(x, b, weights((3, 1, 1, 3), 0), [1, 2, 3]),
        Node("ADD", options("AddOptions"), [a, b], [total]),
        conv(total, y, last, [7, 8]),
    ]
    graph = dropped(build_graph(nodes, [y]))
    assert channels_of(graph, "a") == channels_of(graph, "b") == channels_of(graph, "sum") == (0, 1)


def test_a_constant_operand_of_a_sum_loses_the_same_channels() -> None:
    x, a, total, y = act(X, "x"), act((1, 6, 5, 3), "a"), act((1, 6, 5, 3), "sum"), act((1, 6, 5, 2), "y")
    operand = constant(np.array([[[[30, -40, 50]]]], np.int8), 0.1, ZERO)
    last = weights((2, 1, 1, 3), 0)
    last[..., 0] = 0
    nodes = [
        conv(x, a, weights((3, 1, 1, 3), 0), [1, 2, 3]),
        Node("ADD", options("AddOptions"), [a, operand], [total]),
        conv(total, y, last, [7, 8]),
    ]
    graph = dropped(build_graph(nodes, [y]))
    assert channels_of(graph, "a") == (1, 2)
    assert graph.tensor(graph.ops[1].inputs[1]).data.reshape(-1).tolist() == [-40, 50]


def pool(x: TensorSpec, y: TensorSpec, kind: str) -> Node:
    made = options("Pool2DOptions", padding=0, strideW=2, strideH=2, filterWidth=3, filterHeight=3)
    return Node(kind, made, [x], [y])


@pytest.mark.parametrize("kind", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_constants_pass_through_pools_reshape_and_into_a_dense_layer(kind: str) -> None:
    x, mid, pooled = act(X, "x"), act((1, 6, 5, 3), "mid"), act((1, 3, 3, 3), "pooled")
    flat, y = act((1, 27), "flat"), act((1, 4), "y")
    dense = options("FullyConnectedOptions")
    w, b = constant(weights((4, 27), 0), 0.01), constant(np.arange(4, dtype=np.int32), 0.001)
    nodes = [
        conv(x, mid, weights((3, 1, 1, 3), 0, [1]), [1, 900, 3]),
        pool(mid, pooled, kind),
        Node("RESHAPE", options("ReshapeOptions", newShape=[1, 27]), [pooled], [flat]),
        Node("FULLY_CONNECTED", dense, [flat, w, b], [y]),
    ]
    graph = dropped(build_graph(nodes, [y]))
    assert channels_of(graph, "pooled") == (0, 2)
    assert channels_of(graph, "flat") == tuple(c for c in range(27) if c % 3 != 1)


@pytest.mark.parametrize(("axes", "kept"), [([1, 2], (0, 2)), ([2], (0, 2)), ([1, 2, 3], None)])
def test_means_keep_channels_apart_unless_they_average_them(axes: list[int], kept: tuple[int, ...] | None) -> None:
    x, mid = act(X, "x"), act((1, 6, 5, 3), "mid")
    shape = tuple(1 if n in axes else size for n, size in enumerate(mid.shape))
    averaged = TensorSpec(shape, scale=0.07, zero_point=5, name="averaged")
    y = act((*shape[:3], 4), "y")
    nodes = [
        conv(x, mid, weights((3, 1, 1, 3), 0, [1]), [1, 900, 3]),
        Node("MEAN", options("ReducerOptions", keepDims=True), [mid, constant(np.array(axes, np.int32))], [averaged]),
        conv(averaged, y, weights((4, 1, 1, shape[3]), 0), [5, 6, 7, 8]),
    ]
    graph = dropped(build_graph(nodes, [y]))
    assert channels_of(graph, "mid") == channels_of(graph, "averaged") == kept


def test_dense_weights_with_a_zero_point_fold_it_in() -> None:
    x, mid, y = act((1, 7), "x"), act((1, 6), "mid"), act((1, 4), "y")
    dense = options("FullyConnectedOptions")
    first = constant(weights((6, 7), 0, [2, 3]), 0.01)
    second = constant(weights((4, 6), 0), 0.01, 9)
    bias = constant(np.array([1, 2, 700, -600, 5, 6], np.int32), 0.001)
    nodes = [
        Node("FULLY_CONNECTED", dense, [x, first, bias], [mid]),
        Node("FULLY_CONNECTED", dense, [mid, second], [y]),
    ]
    graph = drop_channels(read_graph(build_graph(nodes, [y])))
    assert channels_of(graph, "mid") == (0, 1, 4, 5)
    assert_bit_exact(build_graph(nodes, [y]), optimized=True)


def test_joined_tensors_keep_their_own_channels() -> None:
    x, a, b = act(X, "x"), act((1, 6, 5, 2), "a"), act((1, 6, 5, 3), "b")
    joined, y = act((1, 6, 5, 5), "joined"), act((1, 6, 5, 2), "y")
    nodes = [
        conv(x, a, weights((2, 1, 1, 3), 0, [0, 1]), [1, 900]),
        conv(x, b, weights((3, 1, 1, 3), 0, [1]), [1, 2, 3]),
        Node("CONCATENATION", options("ConcatenationOptions", axis=3), [a, b], [joined]),
        conv(joined, y, weights((2, 1, 1, 5), 0), [7, 8]),
    ]
    graph = dropped(build_graph(nodes, [y]))
    assert channels_of(graph, "a") == (0,)
    assert channels_of(graph, "b") == (0, 2)
    assert channels_of(graph, "joined") == (0, 2, 4)


def test_limits_hold_whatever_the_input() -> None:
    x, mid = act(X, "x"), act((1, 6, 5, 6), "mid")
    bias = [0, 99, -99, 5000, -5000, 40000]
    model = build_graph([conv(x, mid, weights((6, 3, 3, 3), 0) // 30, bias, same=True)], [mid])
    limits = channel_limits(read_graph(model))[read_graph(model).outputs[0]]
    seen = np.concatenate([out.reshape(-1, 6) for [out] in oracle(model, make_samples(model, 20))])
    assert (seen.min(axis=0) >= limits.low).all()
    assert (seen.max(axis=0) <= limits.high).all()
    assert (limits.low > -128).any()


WITH_DEAD_CHANNELS = both(["mobilenet_v1"], ["vww_96_int8"])


@pytest.mark.parametrize("name", WITH_DEAD_CHANNELS)
def test_the_pass_changes_nothing_twice(name: str) -> None:
    once = optimize(read_graph(model_bytes(name)))
    twice = drop_channels(once)
    assert {i: t.shape for i, t in twice.tensors.items()} == {i: t.shape for i, t in once.tensors.items()}


@pytest.mark.parametrize("same", [False, True])
def test_with_made_up_scales_only_weights_of_zero_count(same: bool) -> None:
    """Which channels saturate follows from scales; and whether a constant is the zero point, where padding needs it."""
    x, mid = act(X, "x"), act((1, 6, 5, 3), "mid")
    y = act((1, 6, 5, 2) if same else (1, 4, 3, 2), "y")
    first = conv(x, mid, weights((3, 1, 1, 3), 0, [1]), [10**7, 0, 20], activation=RELU6)
    second = conv(mid, y, weights((2, 3, 3, 3), 0), [5, 6], same=same)
    graph = read_graph(build_graph([first, second], [y]))
    assert channels_of(optimize(graph), "mid") == (2,) if not same else (0, 2)
    assert channels_of(optimize(graph, made_up=True), "mid") == (None if same else (0, 2))


def test_with_made_up_scales_what_nobody_reads_still_goes() -> None:
    x, mid, filtered, y = act(X, "x"), act((1, 6, 5, 3), "mid"), act((1, 6, 5, 3), "filtered"), act((1, 6, 5, 2), "y")
    pooled = act((1, 6, 5, 3), "pooled")
    pool = options("Pool2DOptions", strideW=1, strideH=1, filterWidth=1, filterHeight=1, fusedActivationFunction=RELU6)
    nodes = [
        conv(x, mid, weights((3, 1, 1, 3), 0), [10**7, 0, 20], activation=RELU6),
        depthwise(mid, filtered, same=True, zero=[2]),
        Node("MAX_POOL_2D", pool, [filtered], [pooled]),
        conv(pooled, y, weights((2, 1, 1, 3), 0), [5, 6]),
    ]
    graph = optimize(read_graph(build_graph(nodes, [y])), made_up=True)
    assert channels_of(graph, "mid") == channels_of(graph, "pooled") == (0, 1)
