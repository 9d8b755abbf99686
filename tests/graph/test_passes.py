"""Every pass keeps the result bit for bit, does its work where it may, and keeps its hands off where it may not."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.graph import Graph
from mcugen.ops.common import Pads
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.fold_constants import fold_constants
from mcugen.runtimes.aot.graph.passes import fuse_activations, fuse_pads, optimize, remove_dead_code
from mcugen.runtimes.aot.plan import make_plan
from tests import zoo
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, make_samples, options, oracle
from tests.models import both, model_bytes


def assert_equal_to_oracle(model: bytes, graph: Graph) -> None:
    samples = make_samples(model, 4)
    expected = oracle(model, samples)
    with HostModel(make_plan(graph)) as host:
        for sample, wanted in zip(samples, expected, strict=True):
            for got, want in zip(host.run(sample), wanted, strict=True):
                np.testing.assert_array_equal(got, want)


def act(shape: tuple[int, ...], name: str = "", scale: float = 0.1, zero_point: int = -7) -> TensorSpec:
    return TensorSpec(shape, scale=scale, zero_point=zero_point, name=name)


def conv(x: TensorSpec, y: TensorSpec, *, padding: int = 1, activation: int = 0) -> Node:
    """A 3×3 convolution with stride 2; padding 0 is SAME, 1 is VALID."""
    generator = np.random.default_rng(5)
    channels = y.shape[3]
    w = constant(
        generator.integers(-127, 128, (channels, 3, 3, x.shape[3]), dtype=np.int8),
        scale=[0.01 * (n + 1) for n in range(channels)],
        zero_point=[0] * channels,
    )
    b = constant(generator.integers(-500, 500, channels, dtype=np.int32), scale=0.001)
    made = options(
        "Conv2DOptions",
        padding=padding,
        strideW=2,
        strideH=2,
        dilationWFactor=1,
        dilationHFactor=1,
        fusedActivationFunction=activation,
    )
    return Node("CONV_2D", made, [x, w, b], [y])


def pad(x: TensorSpec, y: TensorSpec, amounts: list[list[int]]) -> Node:
    return Node("PAD", options("PadOptions"), [x, constant(np.array(amounts, np.int32))], [y])


def test_pad_moves_into_the_convolution() -> None:
    x, padded, y = act((1, 6, 6, 2), "x"), act((1, 9, 8, 2), "padded"), act((1, 4, 3, 3), "y", 0.3, 5)
    model = build_graph([pad(x, padded, [[0, 0], [2, 1], [0, 2], [0, 0]]), conv(padded, y)], [y])
    graph = fuse_pads(read_graph(model))
    assert [op.kind for op in graph.ops] == ["CONV_2D"]
    assert graph.ops[0].options.pads == Pads(2, 1, 0, 2)
    assert_equal_to_oracle(model, graph)


def test_pad_adds_to_the_padding_that_is_there() -> None:
    x, padded, y = act((1, 5, 5, 2)), act((1, 7, 7, 2)), act((1, 4, 4, 3), "y", 0.3, 5)
    model = build_graph([pad(x, padded, [[0, 0], [1, 1], [1, 1], [0, 0]]), conv(padded, y, padding=0)], [y])
    graph = fuse_pads(read_graph(model))
    assert len(graph.ops) == 1
    assert_equal_to_oracle(model, graph)


def test_pad_of_channels_stays() -> None:
    x, padded, y = act((1, 7, 7, 2)), act((1, 7, 7, 3)), act((1, 3, 3, 2), "y", 0.3, 5)
    model = build_graph([pad(x, padded, [[0, 0], [0, 0], [0, 0], [0, 1]]), conv(padded, y)], [y])
    graph = fuse_pads(read_graph(model))
    assert [op.kind for op in graph.ops] == ["PAD", "CONV_2D"]
    assert_equal_to_oracle(model, graph)


def test_pad_that_is_a_model_output_stays() -> None:
    x, padded, y = act((1, 5, 5, 2)), act((1, 7, 7, 2)), act((1, 3, 3, 3), "y", 0.3, 5)
    model = build_graph([pad(x, padded, [[0, 0], [1, 1], [1, 1], [0, 0]]), conv(padded, y)], [y, padded])
    graph = fuse_pads(read_graph(model))
    assert [op.kind for op in graph.ops] == ["PAD", "CONV_2D"]
    assert_equal_to_oracle(model, graph)


@pytest.mark.parametrize("kind", ["RELU", "RELU6"])
def test_activation_without_requantization_is_fused(kind: str) -> None:
    x, mid, y = act((1, 7, 7, 2)), act((1, 3, 3, 3), "mid", 0.05, -20), act((1, 3, 3, 3), "y", 0.05, -20)
    model = build_graph([conv(x, mid), Node(kind, None, [mid], [y])], [y])
    graph = fuse_activations(read_graph(model))
    assert [op.kind for op in graph.ops] == ["CONV_2D"]
    assert graph.ops[0].options.activation == kind
    assert graph.ops[0].outputs == graph.outputs
    assert_equal_to_oracle(model, graph)


def test_activation_that_requantizes_stays() -> None:
    x, mid, y = act((1, 7, 7, 2)), act((1, 3, 3, 3), "mid", 0.05, -20), act((1, 3, 3, 3), "y", 0.02, -128)
    model = build_graph([conv(x, mid), Node("RELU", None, [mid], [y])], [y])
    graph = fuse_activations(read_graph(model))
    assert len(graph.ops) == 2
    assert_equal_to_oracle(model, graph)


def test_activation_of_a_shared_tensor_stays() -> None:
    x, mid = act((1, 7, 7, 2)), act((1, 3, 3, 3), "mid", 0.05, -20)
    y, z = act((1, 3, 3, 3), "y", 0.05, -20), act((1, 3, 3, 3), "z", 0.2, 0)
    add = Node("ADD", options("AddOptions"), [mid, y], [z])
    model = build_graph([conv(x, mid), Node("RELU", None, [mid], [y]), add], [z])
    graph = fuse_activations(read_graph(model))
    assert len(graph.ops) == 3
    assert_equal_to_oracle(model, graph)


def test_dead_ops_and_tensors_go() -> None:
    x, y, unused = act((1, 7, 7, 2)), act((1, 3, 3, 3), "y", 0.3, 5), act((1, 3, 3, 3), "unused", 0.1, 0)
    model = build_graph([conv(x, y), Node("RELU", None, [y], [unused])], [y])
    graph = remove_dead_code(read_graph(model))
    assert [op.kind for op in graph.ops] == ["CONV_2D"]
    assert "unused" not in {t.name for t in graph.tensors.values()}
    assert_equal_to_oracle(model, graph)


def test_constant_subgraphs_are_folded() -> None:
    x, y = act((1, 4)), act((1, 4), "y", 0.3, 5)
    raw = constant(np.array([1, -2, 3, 100], np.int8), scale=0.1, zero_point=-7)
    shape = constant(np.array([1, 4], np.int32))
    shaped = TensorSpec((1, 4), scale=0.1, zero_point=-7, name="shaped")
    reshape = Node("RESHAPE", options("ReshapeOptions", newShape=[1, 4]), [raw, shape], [shaped])
    model = build_graph([reshape, Node("ADD", options("AddOptions"), [x, shaped], [y])], [y])
    graph = fold_constants(read_graph(model))
    assert [op.kind for op in graph.ops] == ["ADD"]
    assert graph.input_of(graph.ops[0], 1).data.tolist() == [[1, -2, 3, 100]]
    assert_equal_to_oracle(model, graph)


REAL = ("kws_ref_model", "vww_96_int8", "pretrainedResnet_quant", "micro_speech_quantized")


@pytest.mark.parametrize("name", both(zoo.NAMES, REAL))
def test_whole_models_keep_their_results(name: str) -> None:
    model = model_bytes(name)
    assert_equal_to_oracle(model, optimize(read_graph(model)))


@pytest.mark.parametrize("kind", ["TRANSPOSE_CONV", "RESHAPE"])
def test_a_computed_shape_is_known_from_the_output(kind: str) -> None:
    """As converters write it where the batch was open: SHAPE, a sum, and PACK tell what the file says already."""
    rng = np.random.default_rng(8)
    x, parts = act((1, 3, 4, 2), "x"), [TensorSpec((), "int32", name=f"d{n}") for n in range(4)]
    target = (1, 6, 8, 5) if kind == "TRANSPOSE_CONV" else (1, 4, 3, 2)
    whole, shape = TensorSpec((4,), "int32", name="whole"), TensorSpec((4,), "int32", name="shape")
    more = [constant(np.array(t - s, np.int32)) for t, s in zip(target, x.shape, strict=True)]
    sums = [TensorSpec((), "int32", name=f"s{n}") for n in range(4)]
    pick = options("StridedSliceOptions", shrinkAxisMask=1)
    one = constant(np.array([1], np.int32))
    nodes = [Node("SHAPE", options("ShapeOptions", outType=2), [x], [whole])]
    for n, part in enumerate(parts):
        ends = [constant(np.array([v], np.int32)) for v in (n, n + 1)]
        nodes.append(Node("STRIDED_SLICE", pick, [whole, *ends, one], [part]))
        nodes.append(Node("ADD", options("AddOptions"), [part, more[n]], [sums[n]]))
    nodes.append(Node("PACK", options("PackOptions", valuesCount=4, axis=0), sums, [shape]))
    y = act(target, "y", 0.1 if kind != "TRANSPOSE_CONV" else 0.4)
    if kind == "TRANSPOSE_CONV":
        filters = constant(rng.integers(-127, 128, (5, 3, 3, 2)).astype(np.int8), [0.01] * 5, [0] * 5)
        chosen = options("TransposeConvOptions", padding=0, strideW=2, strideH=2)
        nodes.append(Node(kind, chosen, [shape, filters, x], [y]))
    else:
        nodes.append(Node(kind, None, [x, shape], [y]))
    model = build_graph(nodes, [y])
    graph = optimize(read_graph(model))
    assert [op.kind for op in graph.ops] == [kind]
    assert_equal_to_oracle(model, graph)
