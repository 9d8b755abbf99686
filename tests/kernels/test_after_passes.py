"""Every op behind a convolution some of whose channels are dead, with all passes: the result stays."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.oracle.inputs import make_inputs
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, build_model, constant, options

SHAPE = (1, 4, 6, 8)


def like(shape: tuple[int, ...] = SHAPE, scale: float = 0.1, zero_point: int = -11, dtype: str = "int8") -> TensorSpec:
    return TensorSpec(shape, dtype, scale if dtype == "int8" else None, zero_point if dtype == "int8" else 0)


def ints(values: object) -> TensorSpec:
    return constant(np.array(values, np.int32))


def users(x: TensorSpec) -> dict[str, Node]:
    """One use of the convolution's output for each kind of op."""
    other = constant(np.arange(8, dtype=np.int8) - 4, 0.1, -11)
    weights = constant(np.ones((2, 2, 2, 8), np.int8), 0.02)
    matrix = constant(np.arange(24, dtype=np.int8).reshape(8, 3), 0.02)
    kernel_shape = ints([1, 8, 12, 2])
    return {
        "HARD_SWISH": Node("HARD_SWISH", None, [x], [like(scale=0.2)]),
        "LEAKY_RELU": Node("LEAKY_RELU", options("LeakyReluOptions", alpha=0.25), [x], [like(scale=0.2)]),
        "SLICE": Node("SLICE", None, [x, ints([0, 1, 0, 2]), ints([1, 2, 6, 5])], [like((1, 2, 6, 5))]),
        "SPLIT": Node("SPLIT", options("SplitOptions", numSplits=2), [ints(3), x], [like((1, 4, 6, 4)) for _ in "ab"]),
        "TRANSPOSE": Node("TRANSPOSE", None, [x, ints([0, 3, 1, 2])], [like((1, 8, 4, 6))]),
        "MAXIMUM": Node("MAXIMUM", None, [x, other], [like()]),
        "PRELU": Node("PRELU", None, [x, other], [like(scale=0.2)]),
        "SQUARED_DIFFERENCE": Node("SQUARED_DIFFERENCE", None, [x, other], [like(scale=0.7)]),
        "LESS": Node("LESS", None, [x, other], [like(dtype="bool")]),
        "SUM": Node("SUM", options("ReducerOptions"), [x, ints([1, 2])], [like((1, 8), 1.0)]),
        "ARG_MAX": Node("ARG_MAX", options("ArgMaxOptions"), [x, ints(3)], [like((1, 4, 6), dtype="int32")]),
        "L2_NORMALIZATION": Node("L2_NORMALIZATION", options("L2NormOptions"), [x], [like(SHAPE, 1 / 128, 0)]),
        "BATCH_MATMUL": Node("BATCH_MATMUL", options("BatchMatMulOptions"), [x, matrix], [like((1, 4, 6, 3), 0.3)]),
        "RESIZE_BILINEAR": Node(
            "RESIZE_BILINEAR", options("ResizeBilinearOptions"), [x, ints([7, 9])], [like((1, 7, 9, 8))]
        ),
        "DEPTH_TO_SPACE": Node(
            "DEPTH_TO_SPACE", options("DepthToSpaceOptions", blockSize=2), [x], [like((1, 8, 12, 2))]
        ),
        "TRANSPOSE_CONV": Node(
            "TRANSPOSE_CONV",
            options("TransposeConvOptions", strideH=2, strideW=2),
            [kernel_shape, weights, x],
            [like((1, 8, 12, 2), 0.3)],
        ),
    }


@pytest.mark.parametrize("kind", users(like()))
def test_dead_channels_before(kind: str) -> None:
    rng = np.random.default_rng(1)
    filters = rng.integers(-127, 128, (8, 3, 3, 3)).astype(np.int8)
    filters[[0, 3, 7]] = 0
    image, x = like((1, 4, 6, 3), 0.05, 4), like()
    bias = constant(rng.integers(-3000, 3000, 8).astype(np.int32), 0.05 * 0.01)
    conv = Node("CONV_2D", options("Conv2DOptions", strideH=1, strideW=1), [image, constant(filters, 0.01), bias], [x])
    user = users(x)[kind]
    assert_bit_exact(build_graph([conv, user], list(user.outputs)), 3, optimized=True)


def test_inputs_to_verify_with_stay_within_the_table() -> None:
    x, indices, y = like((5, 3)), TensorSpec((7,), "int32"), like((7, 3))
    model = build_model("GATHER", options("GatherOptions"), [x, indices], [y])
    graph = optimize(read_graph(model))
    drawn = np.stack([sample[1] for sample in make_inputs(graph, 12)])
    assert (int(drawn.min()), int(drawn.max())) == (0, 4)
