"""Float32 operators over windows, rows and axes against the oracle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.kernels.f32 import SPECIAL, prove, real
from tests.kernels.many_ops import refusal
from tests.kernels.single_op import Node, TensorSpec, constant, options
from tests.kernels.weighted_models import ACTIVATIONS, output_size

POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D")
REDUCTIONS = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")


def pool(
    kind: str,
    image: tuple[int, int, int, int],
    filters: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    *,
    same: bool = False,
    activation: str = "NONE",
) -> Node:
    rows = output_size(image[1], filters[0], stride[0], 1, same)
    columns = output_size(image[2], filters[1], stride[1], 1, same)
    made = options(
        "Pool2DOptions",
        padding=0 if same else 1,
        strideH=stride[0],
        strideW=stride[1],
        filterHeight=filters[0],
        filterWidth=filters[1],
        fusedActivationFunction=ACTIVATIONS[activation],
    )
    return Node(kind, made, [real(*image)], [real(image[0], rows, columns, image[3])])


def reduction(kind: str, shape: Sequence[int], axes: Sequence[int], *, keep: bool = False) -> Node:
    reduced = {a % len(shape) for a in axes}
    kept = [1 if n in reduced else d for n, d in enumerate(shape) if keep or n not in reduced]
    inputs = [real(*shape), constant(np.array(axes, np.int32))]
    return Node(kind, options("ReducerOptions", keepDims=keep), inputs, [real(*kept)])


def arg(kind: str, shape: tuple[int, ...], axis: int) -> Node:
    table = {"ARG_MAX": "ArgMaxOptions", "ARG_MIN": "ArgMinOptions"}[kind]
    rest = [d for n, d in enumerate(shape) if n != axis % len(shape)]
    inputs = [real(*shape), constant(np.array(axis, np.int32))]
    return Node(kind, options(table, outputType=2), inputs, [TensorSpec(tuple(rest), "int32")])


def rows(kind: str, shape: tuple[int, ...], beta: float = 1.0) -> Node:
    made = {
        "SOFTMAX": options("SoftmaxOptions", beta=beta),
        "LOG_SOFTMAX": options("LogSoftmaxOptions"),
        "L2_NORMALIZATION": options("L2NormOptions"),
    }[kind]
    return Node(kind, made, [real(*shape)], [real(*shape)])


@pytest.mark.parametrize("kind", POOLS)
def test_pools(kind: str) -> None:
    prove(
        [
            pool(kind, (1, 6, 8, 4), (2, 2), (2, 2)),
            pool(kind, (1, 7, 5, 3), (2, 2), (2, 2), same=True),
            pool(kind, (2, 5, 4, 3), (3, 2), (2, 1), same=True),
            pool(kind, (1, 25, 5, 8), (25, 5)),
            pool(kind, (1, 2, 3, 4), (5, 7), same=True),
            pool(kind, (1, 5, 5, 6), (2, 2), activation="RELU"),
            pool(kind, (1, 5, 5, 6), (2, 2), activation="RELU_N1_TO_1"),
        ]
    )


def test_pools_of_special_numbers() -> None:
    image = np.resize(SPECIAL, (1, 5, 5, 3))
    nodes = [pool(kind, (1, 5, 5, 3), (2, 2)) for kind in POOLS]
    prove(nodes, [[image] * len(nodes)])


def test_softmax_and_its_logarithm() -> None:
    nodes = [rows("SOFTMAX", (3, 7)), rows("SOFTMAX", (2, 3, 10), 0.25), rows("SOFTMAX", (1, 1)), rows("SOFTMAX", (5,))]
    nodes += [rows("LOG_SOFTMAX", (3, 7)), rows("LOG_SOFTMAX", (2, 2, 300))]
    prove(nodes, tolerant=True)
    huge = np.array([[1e4, -1e4, 1e4, 0], [-np.inf, 0, -np.inf, 1]], np.float32)
    nodes = [rows("SOFTMAX", (2, 4)), rows("LOG_SOFTMAX", (2, 4))]
    prove(nodes, [[huge, huge]], tolerant=True)


def test_length_of_rows() -> None:
    prove([rows("L2_NORMALIZATION", (3, 7)), rows("L2_NORMALIZATION", (2, 3, 4, 5))])
    small = np.array([[0, 0, 0], [1e-8, 0, 0], [1e-3, 1e-3, 0]], np.float32)
    prove([rows("L2_NORMALIZATION", (3, 3))], [[small]])


@pytest.mark.parametrize("kind", REDUCTIONS)
def test_reductions(kind: str) -> None:
    prove(
        [
            reduction(kind, (2, 5, 6, 3), [1, 2], keep=True),
            reduction(kind, (2, 5, 6, 3), [2, 1]),
            reduction(kind, (2, 5, 6, 3), [-1]),
            reduction(kind, (2, 5, 6, 3), [0, 2]),
            reduction(kind, (4, 300), [1]),
            reduction(kind, (7,), [0]),
            reduction(kind, (2, 3), [0, 1]),
        ]
    )


def test_extremes_of_special_numbers() -> None:
    nodes = [reduction(kind, (5, 5), [1]) for kind in ("REDUCE_MAX", "REDUCE_MIN")]
    nodes += [arg(kind, (5, 5), 1) for kind in ("ARG_MAX", "ARG_MIN")]
    prove(nodes, [[SPECIAL.reshape(5, 5)] * len(nodes)])


@pytest.mark.parametrize("kind", ["ARG_MAX", "ARG_MIN"])
def test_arg_extremes(kind: str) -> None:
    nodes = [arg(kind, (2, 5), 1), arg(kind, (2, 5, 3), -2), arg(kind, (7, 2), 0)]
    prove(nodes)
    prove(nodes, [[np.round(np.resize(SPECIAL[:8], n.inputs[0].shape)) for n in nodes]])  # type: ignore[union-attr]


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_running_sums(exclusive: bool, reverse: bool) -> None:
    made = options("CumsumOptions", exclusive=exclusive, reverse=reverse)
    axes = [((2, 3, 7), 1), ((2, 3, 7), -1), ((4, 5), 0), ((9,), 0)]
    prove([Node("CUMSUM", made, [real(*s), constant(np.array(a, np.int32))], [real(*s)]) for s, a in axes])


@pytest.mark.parametrize(
    ("image", "size", "corners", "centres"),
    [
        ((1, 3, 4, 2), (6, 8), False, False),
        ((1, 3, 4, 2), (6, 8), False, True),
        ((2, 3, 7, 3), (5, 11), True, False),
        ((1, 9, 8, 2), (4, 3), False, True),
        ((1, 9, 8, 2), (4, 3), False, False),
        ((1, 1, 1, 4), (3, 2), False, True),
        ((1, 5, 5, 1), (1, 1), True, False),
    ],
)
def test_bilinear_resizing(
    image: tuple[int, int, int, int], size: tuple[int, int], corners: bool, centres: bool
) -> None:
    made = options("ResizeBilinearOptions", alignCorners=corners, halfPixelCenters=centres)
    inputs = [real(*image), constant(np.array(size, np.int32))]
    prove([Node("RESIZE_BILINEAR", made, inputs, [real(image[0], *size, image[3])])])


def test_padding() -> None:
    def pad(shape: tuple[int, ...], amounts: list[list[int]], value: float | None = None) -> Node:
        inputs = [real(*shape), constant(np.array(amounts, np.int32))]
        inputs += [] if value is None else [constant(np.array([value], np.float32))]
        made = tuple(d + sum(pair) for d, pair in zip(shape, amounts, strict=True))
        return Node("PAD" if value is None else "PADV2", None, inputs, [real(*made)])

    prove(
        [
            pad((1, 3, 4, 2), [[0, 0], [1, 2], [0, 3], [0, 0]]),
            pad((2, 3), [[1, 0], [0, 2]], -1.5),
            pad((1, 2, 3, 2, 2), [[0, 0], [1, 0], [0, 1], [2, 2], [1, 1]], float("-inf")),
            pad((5,), [[0, 0]], 7.0),
        ]
    )


def test_refusals() -> None:
    axis = constant(np.array([2], np.int32))
    assert "axis 2 does not exist" in refusal(Node("SUM", options("ReducerOptions"), [real(2, 3), axis], [real(2)]))
    assert "axis 2 does not exist" in refusal(
        Node("CUMSUM", options("CumsumOptions"), [real(2, 3), axis], [real(2, 3)])
    )
    assert "scalar" in refusal(rows("SOFTMAX", ()))
    normalized = Node("L2_NORMALIZATION", options("L2NormOptions", fusedActivationFunction=1), [real(3)], [real(3)])
    assert "RELU" in refusal(normalized)
    pads = [real(2), constant(np.array([[0, 1]], np.int32)), constant(np.array([1], np.int32))]
    assert "float32" in refusal(Node("PADV2", None, pads, [real(3)]))
