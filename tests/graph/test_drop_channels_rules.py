"""What a graph is made of after channels were dropped, and which ops keep all of theirs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mcugen.graph.types import DType, Graph
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import drop_channels
from tests.graph.test_drop_channels import ZERO, X, act, channels_of, conv, depthwise, dropped, weights
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options


def blind(shape: tuple[int, ...], channels: list[int]) -> Any:
    """Weights that do not look at some input channels."""
    values = weights(shape, 0)
    values[..., channels] = 0
    return values


def named(graph: Graph, name: str) -> Any:
    return next(tensor for tensor in graph.tensors.values() if tensor.name == name)


def two_layers(bias: list[int] | None = None) -> bytes:
    """x → mid, whose channels 1 and 2 are constants → y."""
    x, mid, y = act(X, "x"), act((1, 6, 5, 4), "mid"), act((1, 6, 5, 2), "y")
    first = conv(x, mid, weights((4, 1, 1, 3), 0, [1, 2]), [10, 900, -700, 20])
    return build_graph([first, conv(mid, y, weights((2, 1, 1, 4), 0), bias)], [y])


def test_the_graph_says_how_many_channels_are_left_out() -> None:
    graph = read_graph(two_layers()).with_(notes=("first",))
    assert drop_channels(graph).notes == (
        "first",
        "2 of 9 channels between layers are constant or unused: left out, exactly",
    )


def test_a_graph_that_loses_nothing_is_the_same() -> None:
    x, y = act(X, "x"), act((1, 6, 5, 2), "y")
    graph = read_graph(build_graph([conv(x, y, weights((2, 1, 1, 3), 0), [1, 2])], [y]))
    assert drop_channels(graph) is graph


def test_a_layer_of_one_filter_loses_what_is_constant() -> None:
    x, mid, y = act(X, "x"), act((1, 6, 5, 4), "mid"), act((1, 6, 5, 1), "y")
    first = conv(x, mid, weights((4, 1, 1, 3), 0, [1, 2]), [10, 900, -700, 20])
    graph = drop_channels(read_graph(build_graph([first, conv(mid, y, weights((1, 1, 1, 4), 0), None)], [y])))
    assert [graph.tensor(op.inputs[1]).shape for op in graph.ops] == [(2, 1, 1, 3), (1, 1, 1, 2)]


@pytest.mark.parametrize("bias", [None, [5, 6]])
def test_new_weights_and_biases_are_tensors_of_their_own(bias: list[int] | None) -> None:
    read = read_graph(two_layers(bias))
    graph = drop_channels(read)
    last = max(read.tensors)
    first, second = graph.ops
    assert first.inputs == (0, last + 1, last + 2)
    assert second.inputs == (read.ops[1].inputs[0], last + 3, last + 4)
    for op, old in zip(graph.ops, read.ops, strict=True):
        made, was = graph.tensor(op.inputs[1]), read.tensor(old.inputs[1])
        assert (made.id, made.name, made.shape) == (op.inputs[1], was.name, made.data.shape)  # type: ignore[union-attr]
        sums = graph.tensor(op.inputs[2])
        assert (sums.id, sums.dtype, sums.quant, sums.shape) == (op.inputs[2], DType.INT32, None, sums.data.shape)  # type: ignore[union-attr]
        assert not made.data.flags.writeable  # type: ignore[union-attr]
        assert not sums.data.flags.writeable  # type: ignore[union-attr]
        assert sums.data.dtype == np.int32  # type: ignore[union-attr]
    old_bias = read.input_of(read.ops[1], 2)
    name = "y_bias" if old_bias is None else old_bias.name
    assert graph.tensor(second.inputs[2]).name == name


def test_scales_go_with_their_channels() -> None:
    read = read_graph(two_layers())
    scales = read.tensor(read.ops[0].inputs[1]).quant.scale  # type: ignore[union-attr]
    graph = drop_channels(read)
    quant = graph.tensor(graph.ops[0].inputs[1]).quant
    assert quant is not None
    assert (quant.scale, quant.zero_point) == ((scales[0], scales[3]), (0, 0))


def test_no_bias_is_made_where_nothing_has_to_be_added() -> None:
    x, mid, y = act(X, "x"), act((1, 6, 5, 4), "mid"), act((1, 6, 5, 2), "y")
    nodes = [conv(x, mid, weights((4, 1, 1, 3), 0)), conv(mid, y, blind((2, 1, 1, 4), [1]))]
    graph = dropped(build_graph(nodes, [y]))
    assert channels_of(graph, "mid") == (0, 2, 3)
    assert [len(op.inputs) for op in graph.ops] == [2, 2]


def test_a_bias_is_made_where_one_output_needs_it() -> None:
    """The constants of mid reach only the second output."""
    x, mid, y = act(X, "x"), act((1, 6, 5, 4), "mid"), act((1, 6, 5, 2), "y")
    values = weights((2, 1, 1, 4), 0)
    values[0, ..., [1, 2]] = 0
    first = conv(x, mid, weights((4, 1, 1, 3), 0, [1, 2]), [10, 900, -700, 20])
    graph = dropped(build_graph([first, conv(mid, y, values)], [y]))
    sums = graph.tensor(graph.ops[1].inputs[2]).data
    assert sums is not None
    assert [bool(value) for value in sums] == [False, True]


def test_the_models_first_tensor_is_like_others() -> None:
    x, other, joined, y = act(X, "x"), act((1, 6, 5, 2), "other"), act((1, 6, 5, 5), "joined"), act((1, 6, 5, 2), "y")
    nodes = [
        conv(x, other, weights((2, 1, 1, 3), 0), [1, 2]),
        Node("CONCATENATION", options("ConcatenationOptions", axis=3), [x, other], [joined]),
        conv(joined, y, blind((2, 1, 1, 5), [0, 3]), [5, 6]),
    ]
    graph = dropped(build_graph(nodes, [y]))
    assert graph.ops[1].inputs[0] == 0
    assert channels_of(graph, "other") == (1,)


def test_an_op_that_leaves_int8_keeps_all_channels() -> None:
    x, mid, y = act(X, "x"), act((1, 6, 5, 4), "mid"), TensorSpec((1, 6, 5, 4), "int16", scale=0.001, name="y")
    first = conv(x, mid, weights((4, 1, 1, 3), 0, [1]), [10, 900, -700, 20])
    graph = dropped(build_graph([first, Node("QUANTIZE", None, [mid], [y])], [y]))
    assert channels_of(graph, "mid") is channels_of(graph, "y") is None


def test_a_channel_is_read_where_one_tap_reads_it() -> None:
    x, mid, y = act(X, "x"), act((1, 6, 5, 3), "mid"), act((1, 4, 3, 2), "y")
    values = weights((2, 3, 3, 3), 0)
    values[..., 1] = 0
    values[1, 2, 0, 1] = 7
    nodes = [conv(x, mid, weights((3, 1, 1, 3), 0), [1, 2, 3]), conv(mid, y, values, [5, 6])]
    assert channels_of(dropped(build_graph(nodes, [y])), "mid") is None


def test_rows_across_channels_need_them_all() -> None:
    """A fully connected layer over rows of ten of 90 numbers, which have three channels."""
    x, mid, y = act(X, "x"), act((1, 6, 5, 3), "mid"), act((9, 4), "y")
    first = conv(x, mid, weights((3, 1, 1, 3), 0), [1, 2, 3])
    layer = Node("FULLY_CONNECTED", options("FullyConnectedOptions"), [mid, constant(weights((4, 10), 0), 0.01)], [y])
    assert channels_of(drop_channels(read_graph(build_graph([first, layer], [y]))), "mid") is None


def test_an_absent_bias_does_not_matter() -> None:
    """Not to the pass; the oracle cannot run such a model."""
    x, mid, made, y = act(X, "x"), act((1, 6, 5, 3), "mid"), act((1, 6, 5, 3), "made"), act((1, 6, 5, 2), "y")
    layer = depthwise(mid, made, same=True)
    nodes = [
        conv(x, mid, weights((3, 1, 1, 3), 0), [1, 2, 3]),
        replace(layer, inputs=[*layer.inputs[:2], None]),
        conv(made, y, blind((2, 1, 1, 3), [1]), [5, 6]),
    ]
    graph = drop_channels(read_graph(build_graph(nodes, [y])))
    assert channels_of(graph, "mid") == channels_of(graph, "made") == (0, 2)


def test_nothing_is_said_of_an_op_that_is_not_supported() -> None:
    """Weights of a convolution that are not symmetric: those of a channel stand for 0.0."""
    x, mid, y = act(X, "x"), act((1, 6, 5, 3), "mid"), act((1, 6, 5, 2), "y")
    last = conv(mid, y, weights((2, 1, 1, 3), 0))
    values = weights((2, 1, 1, 3), 0)
    values[..., 1] = 5
    last = replace(last, inputs=[mid, constant(values, 0.01, 5)])
    graph = read_graph(build_graph([conv(x, mid, weights((3, 1, 1, 3), 0), [1, 2, 3]), last], [y]))
    assert drop_channels(graph) is graph


def test_channels_keep_their_numbers_when_more_are_dropped() -> None:
    graph = read_graph(two_layers())
    mid = named(graph, "mid")
    graph = graph.with_(tensors={**graph.tensors, mid.id: replace(mid, kept=(2, 3, 5, 7))})
    assert channels_of(drop_channels(graph), "mid") == (2, 7)


def test_ops_that_lose_nothing_stay_as_they_are() -> None:
    x, mid, y, z = act(X, "x"), act((1, 6, 5, 4), "mid"), act((1, 6, 5, 2), "y"), act((1, 6, 5, 2), "z")
    first = conv(x, mid, weights((4, 1, 1, 3), 0, [1, 2]), [10, 900, -700, 20])
    other = conv(x, z, weights((2, 1, 1, 3), 0), [1, 2])
    read = read_graph(build_graph([first, conv(mid, y, weights((2, 1, 1, 4), 0)), other], [y, z]))
    assert drop_channels(read).ops[2] is read.ops[2]


def test_tensors_that_no_op_names_stay_as_they_are() -> None:
    """Another input of the model, of int32, and a tensor that passes before have left behind."""
    read = read_graph(two_layers())
    more = [replace(named(read, "mid"), id=50, name="left"), replace(named(read, "x"), id=51, dtype=DType.INT32)]
    graph = read.with_(tensors={**read.tensors, **{t.id: t for t in more}}, inputs=(*read.inputs, 51))
    done = drop_channels(graph)
    assert [done.tensor(t.id) for t in more] == more
    assert done.notes == drop_channels(read).notes


def middle(nodes: list[Node], mid: TensorSpec, last: TensorSpec, channels: int, ignored: list[int]) -> Graph:
    """x → mid → nodes → last → y, a convolution that does not look at some channels."""
    x, y = act(X, "x"), act((1, *last.shape[1:3], 2), "y")
    first = conv(x, mid, weights((mid.shape[3], 1, 1, 3), 0), list(range(mid.shape[3])))
    end = conv(last, y, blind((2, 1, 1, channels), ignored), [5, 6])
    return dropped(build_graph([first, *nodes, end], [y]))


def reshape(x: TensorSpec, y: TensorSpec) -> Node:
    shape = np.array(y.shape, np.int32)
    return Node("RESHAPE", options("ReshapeOptions", newShape=shape.tolist()), [x, constant(shape)], [y])


@pytest.mark.parametrize(
    ("shape", "ignored", "kept_mid", "kept"),
    [
        ((1, 3, 5, 8), [1, 5], (0, 2, 3), (0, 2, 3, 4, 6, 7)),
        ((1, 3, 5, 8), [1], None, None),
        ((1, 12, 5, 2), [1], (0, 2), (0,)),
        ((1, 4, 5, 6), [1], None, None),
        ((1, 4, 5, 6), [2], None, None),
    ],
)
def test_a_reshape_keeps_channels_where_they_repeat(
    shape: tuple[int, ...], ignored: list[int], kept_mid: tuple[int, ...] | None, kept: tuple[int, ...] | None
) -> None:
    mid, flat = act((1, 6, 5, 4), "mid"), act(shape, "flat")
    graph = middle([reshape(mid, flat)], mid, flat, shape[3], ignored)
    assert channels_of(graph, "mid") == kept_mid
    assert channels_of(graph, "flat") == kept


@pytest.mark.parametrize("axis", [-1, 3])
def test_joined_channels_go_one_by_one(axis: int) -> None:
    mid, other, joined = act((1, 6, 5, 3), "mid"), act((1, 6, 5, 2), "other"), act((1, 6, 5, 5), "joined")
    nodes = [
        conv(mid, other, weights((2, 1, 1, 3), 0), [1, 2]),
        Node("CONCATENATION", options("ConcatenationOptions", axis=axis), [other, mid], [joined]),
    ]
    graph = middle(nodes, mid, joined, 5, [0, 4])
    assert channels_of(graph, "other") == (1,)
    assert channels_of(graph, "joined") == (1, 2, 3, 4)
    assert channels_of(graph, "mid") is None, "other looks at all of them, so that the joined ones stay as well"


@pytest.mark.parametrize(("axis", "kept"), [(1, (0, 2)), (2, (0, 2)), (3, None)])
def test_a_joined_constant(axis: int, kept: tuple[int, ...] | None) -> None:
    """Along another axis it loses the same channels; along this one all stay."""
    mid = act((1, 6, 5, 3), "mid")
    shape = tuple(2 * n if axis == place else n for place, n in enumerate(mid.shape))
    joined = act(shape, "joined")
    values = constant(np.arange(90, dtype=np.int8).reshape(mid.shape), 0.1, ZERO, name="values")
    node = Node("CONCATENATION", options("ConcatenationOptions", axis=axis), [mid, values], [joined])
    graph = middle([node], mid, joined, shape[3], [1])
    assert channels_of(graph, "mid") == channels_of(graph, "joined") == kept


def add(a: TensorSpec, b: TensorSpec, y: TensorSpec) -> Node:
    return Node("ADD", options("AddOptions"), [a, b], [y])


@pytest.mark.parametrize(("shape", "kept"), [((1, 1, 1, 3), (0, 2)), ((3,), (0, 2)), ((1, 1, 1, 1), None)])
def test_an_operand_that_is_spread_over_channels_keeps_them(shape: tuple[int, ...], kept: tuple[int, ...]) -> None:
    mid, total = act((1, 6, 5, 3), "mid"), act((1, 6, 5, 3), "total")
    graph = middle([add(mid, constant(np.full(shape, 5, np.int8), 0.1, ZERO), total)], mid, total, 3, [1])
    assert channels_of(graph, "mid") == channels_of(graph, "total") == kept


@pytest.mark.parametrize("kind", ["RELU", "RELU6", "LOGISTIC", "TANH", "HARD_SWISH"])
def test_ops_on_every_element_keep_channels_apart(kind: str) -> None:
    mid = act((1, 6, 5, 3), "mid")
    scale, zero = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(kind, (0.1, ZERO))
    made = TensorSpec(mid.shape, scale=scale, zero_point=zero, name="made")
    graph = middle([Node(kind, None, [mid], [made])], mid, made, 3, [1])
    assert channels_of(graph, "mid") == channels_of(graph, "made") == (0, 2)


def test_other_ops_keep_all_channels() -> None:
    mid, made = act((1, 6, 5, 3), "mid"), TensorSpec((1, 6, 5, 3), scale=1 / 256, zero_point=-128, name="made")
    graph = middle([Node("SOFTMAX", options("SoftmaxOptions", beta=1.0), [mid], [made])], mid, made, 3, [1])
    assert channels_of(graph, "mid") is channels_of(graph, "made") is None


def test_filters_per_channel_go_with_their_channel() -> None:
    """A channel is needed where any of its filters is."""
    mid, made = act((1, 6, 5, 3), "mid"), act((1, 6, 5, 6), "made")
    graph = middle([depthwise(mid, made, same=True, multiplier=2)], mid, made, 6, [0, 1, 3])
    assert channels_of(graph, "mid") == (1, 2)
    assert channels_of(graph, "made") == (2, 3, 4, 5)
    assert graph.tensor(graph.ops[1].inputs[1]).shape == (1, 3, 3, 4)


@pytest.mark.parametrize("seed", range(6))
def test_random_chains_are_the_same_for_the_oracle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = act((1, 7, 6, 3), "x", int(rng.integers(-128, 128)))
    tensors, nodes = [x], []
    for layer in range(4):
        source, zero = tensors[-1], int(rng.integers(-128, 128))
        channels = source.shape[3] if layer % 2 else int(rng.integers(2, 7))
        made = act((1, 7, 6, channels), f"t{layer}", zero)
        if layer % 2:
            zeros = np.flatnonzero(rng.random(channels) < 0.3).tolist()
            nodes.append(depthwise(source, made, same=True, zero=zeros))
        else:
            size = int(rng.choice([1, 3]))
            values = weights((channels, size, size, source.shape[3]), 0, seed=seed * 10 + layer)
            values[rng.random(channels) < 0.4] = 0
            values[..., rng.random(source.shape[3]) < 0.2] = 0
            bias = rng.choice([0, 0, 300, -2000, 10**6], channels).tolist()
            nodes.append(conv(source, made, values, bias, same=True, activation=int(rng.choice([0, 1, 3]))))
        tensors.append(made)
    dropped(build_graph(nodes, [tensors[-1]]))
