"""Layers of many sizes, one of each kind at a time, to see that cost grows with multiply-accumulates and nothing else.

All layers of a kind are ops of one model, side by side: each has its own input and output.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcugen import api
from mcugen.flow.inspection import Inspection

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options


@dataclass(frozen=True)
class Layer:
    """One layer: what the table calls it, and its op."""

    name: str
    node: Node


def conv(
    size: int, depth: int, channels: int, filter_size: int, *, width: int | None = None, dilation: int = 1
) -> Layer:
    """A convolution, stride 1, SAME, `filter_size` square or 1 × `width`."""
    rows, columns = (1, width) if width else (filter_size, filter_size)
    image, output = (1, size, size, depth), (1, size, size, channels)
    made = options("Conv2DOptions", strideW=1, strideH=1, dilationWFactor=dilation, dilationHFactor=dilation)
    name = f"{rows}×{columns}{' dilated' if dilation > 1 else ''}, {size}×{size}, {depth} → {channels}"
    return Layer(name, _weighted("CONV_2D", made, image, (channels, rows, columns, depth), output, 0))


def depthwise(size: int, channels: int, filter_size: int, stride: int = 1, multiplier: int = 1) -> Layer:
    """A depthwise convolution, SAME."""
    out = -(-size // stride)
    made = options(
        "DepthwiseConv2DOptions",
        strideW=stride,
        strideH=stride,
        depthMultiplier=multiplier,
        dilationWFactor=1,
        dilationHFactor=1,
    )
    filters = channels * multiplier
    extra = f", ×{multiplier}" if multiplier > 1 else ""
    name = f"{filter_size}×{filter_size}, stride {stride}, {size}×{size}, {channels} channels{extra}"
    shape = (1, filter_size, filter_size, filters)
    image, output = (1, size, size, channels), (1, out, out, filters)
    return Layer(name, _weighted("DEPTHWISE_CONV_2D", made, image, shape, output, 3))


def dense(depth: int, channels: int) -> Layer:
    """A fully connected layer."""
    made = options("FullyConnectedOptions")
    return Layer(
        f"{depth} → {channels}", _weighted("FULLY_CONNECTED", made, (1, depth), (channels, depth), (1, channels), None)
    )


def _weighted(
    op: str, made: object, image: tuple[int, ...], weights: tuple[int, ...], output: tuple[int, ...], axis: int | None
) -> Node:
    rng = np.random.default_rng(len(weights) * sum(weights))
    channels = output[-1]
    values = rng.integers(-127, 128, weights).astype(np.int8)
    depth = values.size // channels
    scale = 0.01 if axis is None else [0.01] * channels
    bias = rng.integers(-1000, 1000, channels).astype(np.int32)
    x = TensorSpec(image, scale=0.05, zero_point=-5)
    y = TensorSpec(output, scale=0.05 * 0.01 * 74 * 73 * depth**0.5 / 40, zero_point=7)
    filters = constant(values, scale, 0 if axis is None else [0] * channels, axis or 0)
    return Node(op, made, [x, filters, constant(bias, 0.0005)], [y])


KINDS: dict[str, Callable[[], list[Layer]]] = {
    "CONV_2D, 1×1": lambda: [
        conv(8, depth, channels, 1)
        for depth, channels in [(4, 4), (8, 8), (16, 16), (32, 32), (64, 64), (128, 128), (256, 256), (30, 19), (64, 2)]
    ],
    "CONV_2D, larger windows": lambda: [
        *(conv(8, depth, channels, 3) for depth, channels in [(1, 16), (3, 16), (16, 16), (32, 32), (64, 64), (13, 7)]),
        conv(8, 16, 16, 5),
        conv(8, 16, 16, 3, dilation=2),
        conv(8, 16, 16, 1, width=9),
    ],
    "DEPTHWISE_CONV_2D": lambda: [
        *(depthwise(size, channels, 3) for size, channels in [(8, 4), (8, 16), (8, 64), (16, 16), (32, 16), (8, 13)]),
        depthwise(16, 16, 3, 2),
        depthwise(8, 16, 5),
        depthwise(8, 16, 3, multiplier=2),
    ],
    "FULLY_CONNECTED": lambda: [
        dense(depth, channels) for depth, channels in [(16, 4), (64, 12), (128, 128), (640, 128), (1024, 256), (37, 5)]
    ],
}


def measure_kind(kind: str, board: str) -> list[tuple[str, Inspection, int]]:
    """(layer, the inspection that measured it, number of its op) for every layer of a kind."""
    layers = KINDS[kind]()
    model = build_graph([layer.node for layer in layers], [layer.node.outputs[0] for layer in layers])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layers.tflite"
        path.write_bytes(model)
        found: Inspection = api.inspect(path, board=board, measure=True)
    return [(layer.name, found, number) for number, layer in enumerate(layers)]
