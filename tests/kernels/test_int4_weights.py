"""Layers with int4 weights, which are unpacked at generation time, against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.many_ops import int8, refusal
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, options


def weights(rng: np.random.Generator, shape: tuple[int, ...], axis: int | None) -> TensorSpec:
    data = rng.integers(-8, 8, shape).astype(np.int8)
    scales = [float(np.float32(s)) for s in 10 ** rng.uniform(-2, -1, 1 if axis is None else shape[axis])]
    if len(scales) == 1:
        return TensorSpec(shape, "int4", scales[0], 0, data=data)
    return TensorSpec(shape, "int4", scales, [0] * len(scales), axis or 0, data)


def layer(rng: np.random.Generator, kind: str) -> Node:
    channels, depth = int(rng.integers(1, 6)), int(rng.integers(1, 6))
    if kind == "FULLY_CONNECTED":
        x, w = int8(rng, (2, depth), 0.1), weights(rng, (channels, depth), None)
        return Node(kind, options("FullyConnectedOptions"), [x, w, None], [int8(rng, (2, channels), 0.3)])
    x = int8(rng, (1, 5, 4, depth), 0.1)
    if kind == "CONV_2D":
        w = weights(rng, (channels, 3, 2, depth), 0)
        opts = options("Conv2DOptions", padding=0, strideH=1, strideW=1)
        return Node(kind, opts, [x, w, None], [int8(rng, (1, 5, 4, channels), 0.5)])
    w = weights(rng, (1, 3, 3, depth), 3)
    opts = options("DepthwiseConv2DOptions", padding=0, strideH=1, strideW=1, depthMultiplier=1)
    return Node(kind, opts, [x, w, None], [int8(rng, (1, 5, 4, depth), 0.5)])


@pytest.mark.parametrize("kind", ["FULLY_CONNECTED", "CONV_2D"])
@pytest.mark.parametrize("optimized", [False, True])
def test_layers(kind: str, optimized: bool) -> None:
    rng = np.random.default_rng(len(kind))
    nodes = [layer(rng, kind) for _ in range(12)]
    assert_bit_exact(build_graph(nodes, [n.outputs[0] for n in nodes]), 4, optimized=optimized)


def test_refused_elsewhere() -> None:
    """The reference has no room to unpack int4 filters of depthwise layers, and crashes."""
    assert "is int4, not int8" in refusal(layer(np.random.default_rng(0), "DEPTHWISE_CONV_2D"))
