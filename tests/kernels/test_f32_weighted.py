"""Float32 operators with weights against the oracle: shapes, padding, dilation, groups, and what fuses into them."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import fuse_pads, optimize
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.f32 import numbers, prove, real
from tests.kernels.many_ops import refusal
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options
from tests.kernels.test_f32_reductions import pool
from tests.kernels.weighted_models import ACTIVATIONS, output_size


def conv(
    image: tuple[int, int, int, int],
    filters: tuple[int, int, int],
    *,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    same: bool = True,
    bias: bool = True,
    activation: str = "NONE",
    source: TensorSpec | None = None,
) -> Node:
    """CONV_2D with `filters` = (channels, height, width)."""
    rng = np.random.default_rng(1)
    channels, height, width = filters
    rows = output_size(image[1], height, stride[0], dilation[0], same)
    columns = output_size(image[2], width, stride[1], dilation[1], same)
    made = options(
        "Conv2DOptions",
        padding=0 if same else 1,
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        fusedActivationFunction=ACTIVATIONS[activation],
    )
    weights = numbers(rng, channels, height, width, image[3] // groups)
    operands = [source or real(*image), weights, *[numbers(rng, channels)] * bias]
    return Node("CONV_2D", made, operands, [real(image[0], rows, columns, channels)])


def depthwise(
    image: tuple[int, int, int, int],
    filters: tuple[int, int],
    *,
    multiplier: int = 1,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    same: bool = True,
    bias: bool = True,
    activation: str = "NONE",
) -> Node:
    rng = np.random.default_rng(2)
    channels = image[3] * multiplier
    rows = output_size(image[1], filters[0], stride[0], dilation[0], same)
    columns = output_size(image[2], filters[1], stride[1], dilation[1], same)
    made = options(
        "DepthwiseConv2DOptions",
        padding=0 if same else 1,
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        depthMultiplier=multiplier,
        fusedActivationFunction=ACTIVATIONS[activation],
    )
    operands = [real(*image), numbers(rng, 1, *filters, channels), *[numbers(rng, channels)] * bias]
    return Node("DEPTHWISE_CONV_2D", made, operands, [real(image[0], rows, columns, channels)])


def dense(rows: tuple[int, ...], channels: int, *, bias: bool = True, activation: str = "NONE") -> Node:
    rng = np.random.default_rng(3)
    made = options("FullyConnectedOptions", fusedActivationFunction=ACTIVATIONS[activation], keepNumDims=True)
    operands = [real(*rows), numbers(rng, channels, rows[-1]), *[numbers(rng, channels)] * bias]
    return Node("FULLY_CONNECTED", made, operands, [real(*rows[:-1], channels)])


def transposed(
    image: tuple[int, int, int, int],
    filters: tuple[int, int, int],
    stride: tuple[int, int],
    output: tuple[int, int],
    *,
    same: bool = True,
    bias: bool = True,
) -> Node:
    rng = np.random.default_rng(4)
    channels, height, width = filters
    shape = (image[0], *output, channels)
    made = options("TransposeConvOptions", padding=0 if same else 1, strideH=stride[0], strideW=stride[1])
    operands = [constant(np.array(shape, np.int32)), numbers(rng, channels, height, width, image[3]), real(*image)]
    return Node("TRANSPOSE_CONV", made, [*operands, numbers(rng, channels)] if bias else operands, [real(*shape)])


def test_convolutions() -> None:
    prove(
        [
            conv((1, 5, 6, 3), (8, 3, 3)),
            conv((1, 5, 6, 3), (7, 3, 2), same=False),
            conv((2, 7, 5, 4), (5, 3, 3), stride=(2, 3)),
            conv((1, 9, 8, 2), (4, 3, 3), dilation=(2, 3)),
            conv((1, 9, 8, 2), (6, 2, 3), dilation=(3, 1), same=False),
            conv((1, 5, 4, 6), (6, 3, 3), groups=3),
            conv((1, 5, 4, 6), (12, 3, 3), groups=2, dilation=(1, 2)),
            conv((1, 4, 4, 16), (9, 1, 1), bias=False),
            conv((1, 1, 25, 5), (4, 1, 7), stride=(1, 2)),
            conv((1, 2, 2, 3), (5, 5, 5)),
            conv((1, 5, 5, 1), (1, 3, 3)),
        ]
    )


def test_depthwise_convolutions() -> None:
    prove(
        [
            depthwise((1, 5, 6, 8), (3, 3)),
            depthwise((1, 5, 6, 7), (3, 2), same=False, bias=False),
            depthwise((2, 7, 5, 5), (3, 3), stride=(2, 2)),
            depthwise((1, 9, 8, 3), (3, 3), dilation=(2, 3)),
            depthwise((1, 5, 5, 3), (3, 3), multiplier=2),
            depthwise((1, 5, 5, 1), (10, 4), multiplier=8, stride=(2, 2)),
            depthwise((1, 2, 2, 4), (5, 5)),
        ]
    )


def test_fully_connected() -> None:
    prove([dense((1, 9), 4), dense((3, 5), 7, bias=False), dense((2, 3, 6), 1), dense((1, 1), 13)])


def test_fully_connected_with_computed_weights() -> None:
    rng = np.random.default_rng(5)
    made = options("FullyConnectedOptions")
    prove([Node("FULLY_CONNECTED", made, [real(2, 6), real(5, 6), numbers(rng, 5)], [real(2, 5)])])


def test_transposed_convolutions() -> None:
    prove(
        [
            transposed((1, 3, 4, 3), (5, 3, 3), (2, 2), (6, 8)),
            transposed((1, 3, 4, 2), (4, 2, 2), (2, 2), (6, 8), bias=False),
            transposed((2, 3, 3, 2), (6, 3, 2), (1, 1), (5, 4), same=False),
            transposed((1, 2, 3, 1), (1, 2, 2), (3, 4), (6, 12)),
            transposed((1, 4, 3, 2), (3, 5, 4), (2, 1), (8, 3)),
        ]
    )


def test_matrix_products() -> None:
    def product(first: tuple[int, ...], second: tuple[int, ...], *, x: bool = False, y: bool = False) -> Node:
        made = options("BatchMatMulOptions", adjX=x, adjY=y)
        a, b = ((*s[:-2], s[-1], s[-2]) if t else s for s, t in ((first, x), (second, y)))
        batches = np.broadcast_shapes(first[:-2], second[:-2])
        return Node("BATCH_MATMUL", made, [real(*a), real(*b)], [real(*batches, first[-2], second[-1])])

    prove(
        [
            product((2, 3, 4), (2, 4, 5)),
            product((2, 3, 4), (2, 4, 6), x=True, y=True),
            product((1, 3, 4), (2, 4, 5), y=True),
            product((2, 1, 3, 4), (1, 3, 4, 1), x=True),
            product((3, 7), (7, 3)),
        ]
    )


@pytest.mark.parametrize("activation", ["RELU", "RELU6", "RELU_N1_TO_1"])
def test_fused_activations(activation: str) -> None:
    nodes = [
        conv((1, 4, 4, 3), (6, 3, 3), activation=activation),
        depthwise((1, 4, 4, 6), (3, 3), activation=activation),
    ]
    results = prove([*nodes, dense((2, 9), 6, activation=activation)])
    limit = {"RELU": 0.0, "RELU6": 6.0, "RELU_N1_TO_1": -1.0}[activation]
    assert all((outputs == limit).any() for outputs in results[0])


def test_infinite_sums_become_the_largest_number() -> None:
    """As in the reference, whose clamp without an activation ends at the largest finite number."""
    huge = np.full((1, 2, 2, 1), 3e38, np.float32)
    ((outputs,),) = prove([conv((1, 2, 2, 1), (5, 1, 1))], [[huge]])
    assert np.isfinite(outputs).all()
    assert np.abs(outputs).max() == np.finfo(np.float32).max


@pytest.mark.parametrize("kind", ["RELU", "RELU6"])
def test_an_activation_behind_moves_into_the_clamp(kind: str) -> None:
    first = conv((1, 4, 4, 3), (6, 3, 3))
    nodes = [first, Node(kind, None, first.outputs, [real(*first.outputs[0].shape)])]
    graph = optimize(read_graph(build_graph(nodes, nodes[1].outputs)))
    assert [op.options.activation for op in graph.ops] == [kind]
    prove(nodes, optimized=True)


def padded(value: float | None) -> list[Node]:
    """A PAD by 3, or a PADV2 with a value, before a convolution of single pixels and one of 3 by 3."""
    x, wide = real(1, 4, 5, 3), real(1, 8, 11, 3)
    amounts = constant(np.array([[0, 0], [1, 3], [3, 3], [0, 0]], np.int32))
    operands = [x, amounts] if value is None else [x, amounts, constant(np.array([value], np.float32))]
    pad = Node("PAD" if value is None else "PADV2", None, operands, [wide])
    shape = (1, 8, 11, 3)
    return [pad, conv(shape, (5, 1, 1), source=wide), conv(shape, (4, 3, 3), source=wide, same=False)]


@pytest.mark.parametrize(("value", "fuses"), [(None, True), (0.0, True), (-0.5, False)])
def test_padding_before_convolutions(value: float | None, fuses: bool) -> None:
    nodes = padded(value)
    graph = fuse_pads(read_graph(build_graph(nodes, [n.outputs[0] for n in nodes[1:]])))
    assert (len(graph.ops) == 2) is fuses
    prove(nodes, optimized=True)


def test_padding_stays_before_weights_that_are_not_finite() -> None:
    nodes = padded(None)
    data = nodes[1].inputs[1].data.copy()  # type: ignore[union-attr]
    data[0, 0, 0, 0] = np.inf
    nodes[1] = Node("CONV_2D", nodes[1].options, [nodes[0].outputs[0], constant(data)], nodes[1].outputs)
    graph = fuse_pads(read_graph(build_graph(nodes, [n.outputs[0] for n in nodes[1:]])))
    assert len(graph.ops) == 3
    prove(nodes, optimized=True)


def test_outputs_follow_behind_their_inputs() -> None:
    """Rows are written over those that were read; the arena is smaller than two images."""
    first, second = depthwise((1, 12, 10, 6), (3, 3)), conv((1, 12, 10, 6), (6, 1, 1))
    third = pool("MAX_POOL_2D", (1, 12, 10, 6), (2, 2), (2, 2))
    second = Node(second.op, second.options, [first.outputs[0], *second.inputs[1:]], second.outputs)
    third = Node(third.op, third.options, second.outputs, third.outputs)
    plan = make_plan(read_graph(build_graph([first, second, third], third.outputs)))
    assert plan.arena_bytes < 1.4 * 12 * 10 * 6 * 4
    prove([first, second, third])


def test_no_undefined_behaviour(capfd: pytest.CaptureFixture[str]) -> None:
    nodes = [
        conv((1, 2, 2, 3), (5, 5, 5)),
        conv((1, 9, 8, 2), (4, 3, 3), dilation=(2, 3)),
        depthwise((1, 2, 2, 6), (5, 5)),
        transposed((1, 4, 3, 2), (3, 5, 4), (2, 1), (8, 3)),
    ]
    prove(nodes, flags=("-O1", "-fsanitize=undefined"))
    assert "runtime error" not in capfd.readouterr().err


def test_macs_are_counted() -> None:
    node = conv((1, 5, 6, 3), (8, 3, 3))
    assert make_plan(read_graph(build_graph([node], node.outputs))).macs == 5 * 6 * 8 * 27


def test_refusals() -> None:
    image = real(1, 4, 4, 3)
    made = options("Conv2DOptions", strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)
    weights = constant(np.zeros((2, 3, 3, 3), np.int8), scale=0.1)
    assert "int8, not float32" in refusal(Node("CONV_2D", made, [image, weights], [real(1, 4, 4, 2)]))
    assert "computed by the model" in refusal(Node("CONV_2D", made, [image, real(2, 3, 3, 3)], [real(1, 4, 4, 2)]))
    computed_bias = [real(1, 3), numbers(np.random.default_rng(0), 2, 3), real(2)]
    found = refusal(Node("FULLY_CONNECTED", options("FullyConnectedOptions"), computed_bias, [real(1, 2)]))
    assert "the bias" in found
