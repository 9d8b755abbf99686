"""Models of different ops, most of them without FULLY_CONNECTED, whose code was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tests import zoo
from tests.kernels.single_op import Node, TensorSpec, build_graph, build_model, constant, options


def _image(channels: int, dtype: str = "int8", scale: float = 0.1, size: int = 8) -> TensorSpec:
    return TensorSpec((1, size, size, channels), dtype, scale)


def _filters(shape: tuple[int, ...], per: int, axis: int) -> TensorSpec:
    return constant(np.ones(shape, np.int8), [0.01] * per, [0] * per, axis)


def _bias(count: int, dtype: str) -> TensorSpec:
    wide = np.int64 if dtype == "int16" else np.int32
    return constant(np.zeros(count, wide), [0.001] * count, [0] * count)


def convolution(dtype: str) -> bytes:
    x, y = _image(4, dtype), _image(4, dtype)
    chosen = options("Conv2DOptions", strideH=1, strideW=1)
    return build_model("CONV_2D", chosen, [x, _filters((4, 3, 3, 4), 4, 0), _bias(4, dtype)], [y])


def separable(dtype: str) -> bytes:
    x, middle, y = _image(4, dtype), _image(4, dtype), _image(4, dtype)
    depthwise = options("DepthwiseConv2DOptions", strideH=1, strideW=1, depthMultiplier=1)
    pointwise = options("Conv2DOptions", strideH=1, strideW=1)
    nodes = [
        Node("DEPTHWISE_CONV_2D", depthwise, [x, _filters((1, 3, 3, 4), 4, 3), _bias(4, dtype)], [middle]),
        Node("CONV_2D", pointwise, [middle, _filters((4, 1, 1, 4), 4, 0), _bias(4, dtype)], [y]),
    ]
    return build_graph(nodes, [y])


def sum_of_two(dtype: str) -> bytes:
    return build_model("ADD", options("AddOptions"), [_image(2, dtype), _image(2, dtype)], [_image(2, dtype)])


def unary(kind: str, table: str = "", scale: float = 0.1, **fields: float) -> bytes:
    y = TensorSpec((1, 8, 8, 2), "int8", scale, -128 if kind == "LOGISTIC" else 0)
    return build_model(kind, options(table, **fields) if table else None, [_image(2)], [y])


def pooled(kind: str) -> bytes:
    chosen = options("Pool2DOptions", strideH=2, strideW=2, filterHeight=2, filterWidth=2, padding=1)
    return build_model(kind, chosen, [_image(4)], [_image(4, size=4)])


def joined() -> bytes:
    x, other, both = _image(2), _image(2), _image(4)
    nodes = [
        Node("MUL", options("MulOptions"), [x, other], [product := _image(2)]),
        Node("CONCATENATION", options("ConcatenationOptions", axis=3), [x, product], [both]),
    ]
    return build_graph(nodes, [both])


MODELS: Mapping[str, Callable[[], bytes]] = {
    "convolution": lambda: convolution("int8"),
    "convolution, int16": lambda: convolution("int16"),
    "separable": lambda: separable("int8"),
    "separable, int16": lambda: separable("int16"),
    "sum": lambda: sum_of_two("int8"),
    "sum, int16": lambda: sum_of_two("int16"),
    "logistic": lambda: unary("LOGISTIC", scale=1 / 256),
    "leaky": lambda: unary("LEAKY_RELU", "LeakyReluOptions", alpha=0.1),
    "largest": lambda: pooled("MAX_POOL_2D"),
    "joined": joined,
    "ds_cnn_16x8": lambda: zoo.model("ds_cnn_16x8"),
}
