"""Passes and plans of models with int16 activations: what fuses or shares memory stays exact; no channel is dropped."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.runtimes.aot.plan.overlay import lead, overlay_call
from mcugen.runtimes.aot.plan.verify import may_follow
from tests.kernels.models_16x8 import conv as conv_16x8
from tests.kernels.models_16x8 import depthwise, pool
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, constant, options
from tests.kernels.weighted_models import random_weights


def int16(*shape: int, scale: float = 0.001) -> TensorSpec:
    return TensorSpec(shape, "int16", scale)


def conv(source: TensorSpec, output: TensorSpec, weights: np.ndarray, same: bool = True) -> Node:
    bias = constant(np.arange(len(weights), dtype=np.int64) * 1000, 0.00001)
    op_options = options("Conv2DOptions", padding=0 if same else 1, strideH=1, strideW=1)
    return Node("CONV_2D", op_options, [source, constant(weights, 0.01), bias], [output])


def kinds(model: bytes) -> list[str]:
    return [op.kind for op in optimize(read_graph(model)).ops]


def test_pad_becomes_padding_of_the_convolution() -> None:
    image, padded, output = int16(1, 5, 6, 3), int16(1, 8, 8, 3), int16(1, 6, 6, 4, scale=0.01)
    amounts = constant(np.array([[0, 0], [1, 2], [2, 0], [0, 0]], np.int32))
    nodes = [Node("PAD", None, [image, amounts], [padded]), conv(padded, output, random_weights((4, 3, 3, 3)), False)]
    model = build_graph(nodes, [output])
    assert kinds(model) == ["CONV_2D"]
    assert_bit_exact(model, optimized=True)


@pytest.mark.parametrize("activation", ["RELU", "RELU6"])
def test_activations_become_clamps(activation: str) -> None:
    image, made, output = int16(1, 5, 6, 3), int16(1, 5, 6, 4, scale=0.0005), int16(1, 5, 6, 4, scale=0.0005)
    nodes = [conv(image, made, random_weights((4, 3, 3, 3))), Node(activation, None, [made], [output])]
    model = build_graph(nodes, [output])
    assert kinds(model) == ["CONV_2D"]
    assert_bit_exact(model, optimized=True)


def test_channels_of_int16_activations_stay() -> None:
    """The first and the last layer are int8, and what lies between them has filters of zeros that int8 would drop."""
    image, wide = TensorSpec((1, 4, 4, 3), "int8", 0.1, -3), int16(1, 4, 4, 3)
    hidden, narrow = int16(1, 4, 4, 6, scale=0.01), TensorSpec((1, 4, 4, 6), "int8", 0.05, 4)
    output = TensorSpec((1, 4, 4, 2), "int8", 0.2, 1)
    weights, last = random_weights((6, 3, 3, 3)), random_weights((2, 1, 1, 6))
    weights[[1, 4]] = 0
    last[:, :, :, 2] = 0
    conv_options = options("Conv2DOptions", padding=0, strideH=1, strideW=1)
    nodes = [
        Node("QUANTIZE", None, [image], [wide]),
        conv(wide, hidden, weights),
        Node("QUANTIZE", None, [hidden], [narrow]),
        Node("CONV_2D", conv_options, [narrow, constant(last, 0.01)], [output]),
    ]
    model = build_graph(nodes, [output])
    graph = optimize(read_graph(model))
    filters = [graph.tensor(op.inputs[1]).shape for op in graph.ops if op.kind == "CONV_2D"]
    assert filters == [(6, 3, 3, 3), (2, 1, 1, 6)]
    assert_bit_exact(model, optimized=True)


LAYERS = {
    "3x3": conv_16x8((1, 9, 8, 4), (4, 3, 3)),
    "stride": conv_16x8((1, 9, 9, 3), (5, 3, 3), stride=(2, 2)),
    "1x1": conv_16x8((1, 7, 6, 8), (5, 1, 1)),
    "1x1 that grows": conv_16x8((1, 5, 5, 4), (8, 1, 1)),
    "depthwise": depthwise((1, 9, 8, 6), (3, 3)),
    "average": pool("AVERAGE_POOL_2D", (1, 8, 8, 5)),
    "maximum": pool("MAX_POOL_2D", (1, 8, 8, 5)),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_outputs_over_their_inputs_are_exact(layer: str) -> None:
    model = LAYERS[layer]
    plan = make_plan(read_graph(model))
    [step], graph = plan.steps, plan.graph
    assert overlay_call(graph, step) is not None
    assert may_follow(graph, step, lead(graph, step), 0)
    whole = graph.tensor(graph.inputs[0]).nbytes + graph.tensor(graph.outputs[0]).nbytes
    assert plan.arena_bytes < whole + step.calls[0].scratch_bytes
    assert_bit_exact(model, 6)
