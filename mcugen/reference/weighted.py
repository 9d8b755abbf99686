"""Convolutions and products with weights: one tap of the filter after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.reference.arithmetic import Ints, factor, saturated, scale_by, scale_wide_by, wrap
from mcugen.reference.node import Array, Node, activated, activated_f32, op

_SAME = 0
_INT32 = 2


def window_starts(size: int, output: int, stride: int, extent: int, padding: int) -> int:
    """Pixels of padding before an image, of windows that reach over `extent` pixels."""
    return max((output - 1) * stride + extent - size, 0) // 2 if padding == _SAME else 0


def _taps(node: Node, image: Array, filter_shape: tuple[int, int], fill: Any) -> Iterator[tuple[int, int, Array]]:
    """For every tap of a filter: its row and column, and what it meets, [batch, rows, columns, channels]."""
    _, height, width, _ = image.shape
    _, rows, columns, _ = node.output.shape
    strides = int(node.option("strideH")), int(node.option("strideW"))
    dilation = int(node.option("dilationHFactor", 1)) or 1, int(node.option("dilationWFactor", 1)) or 1
    extents = [(n - 1) * d + 1 for n, d in zip(filter_shape, dilation, strict=True)]
    padding = int(node.option("padding"))
    top = window_starts(height, rows, strides[0], extents[0], padding)
    left = window_starts(width, columns, strides[1], extents[1], padding)
    below = max((rows - 1) * strides[0] + extents[0] - top - height, 0)
    right = max((columns - 1) * strides[1] + extents[1] - left - width, 0)
    padded = np.pad(image, ((0, 0), (top, below), (left, right), (0, 0)), constant_values=fill)
    for y in range(filter_shape[0]):
        for x in range(filter_shape[1]):
            first, begin = y * dilation[0], x * dilation[1]
            yield (
                y,
                x,
                padded[
                    :,
                    first : first + (rows - 1) * strides[0] + 1 : strides[0],
                    begin : begin + (columns - 1) * strides[1] + 1 : strides[1],
                ],
            )


def _product(values: Ints, weights: Ints) -> Ints:
    """values · weightsᵀ; doubles hold all sums exactly, which are below 2^53."""
    return np.rint(values.astype(np.float64) @ weights.astype(np.float64).T).astype(np.int64)


def _has_short_sums(node: Node, bias: Array | None) -> bool:
    """Whether sums have 32 bits: those of int8, and of int16 where the bias says so."""
    if node.output.dtype.numpy == np.int8:
        return True
    if node.kind not in ("CONV_2D", "FULLY_CONNECTED"):
        return False
    return bias.dtype == np.int32 if bias is not None else int(node.option("quantizedBiasType")) == _INT32


def _finished(node: Node, sums: Ints, x: int, w: int, bias: Array | None) -> Array:
    """Sums [..., channels] at the output's scale; one factor, or one for each channel."""
    if bias is not None:
        sums = sums + bias.astype(np.int64)
    source, weights = node.tensor(x), node.tensor(w)
    scales = weights.quant.scale if weights.quant is not None else (1.0,)
    pairs = [factor(source.scale * scale / node.output.scale) for scale in scales]
    m, s = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    if len(pairs) == 1:
        m, s = m[0], s[0]
    if _has_short_sums(node, bias):
        return activated(node, scale_by(wrap(sums), m, s))
    return activated(node, scale_wide_by(sums, m, s))


@op("CONV_2D")
def convolution(node: Node) -> Array:
    image, weights, bias = node.value(0), node.value(1), node.optional(2)
    channels, height, width, depth = weights.shape
    groups = image.shape[3] // depth
    each = channels // groups
    parts = [slice(g * each, (g + 1) * each) for g in range(groups)]
    if node.is_float:
        result = np.zeros(node.output.shape, np.float32)
        for y, x, seen in _taps(node, image, (height, width), np.float32(0)):
            for g, part in enumerate(parts):
                for c in range(depth):
                    result[..., part] += seen[..., g * depth + c, None] * weights[part, y, x, c]
        return activated_f32(node, result if bias is None else result + bias)
    zero = node.tensor(0).zero_point
    sums = np.zeros(node.output.shape, np.int64)
    for y, x, seen in _taps(node, image.astype(np.int64) - zero, (height, width), 0):
        for g, part in enumerate(parts):
            sums[..., part] += _product(seen[..., g * depth : (g + 1) * depth], weights[part, y, x])
    return _finished(node, sums, 0, 1, bias)


@op("DEPTHWISE_CONV_2D")
def depthwise(node: Node) -> Array:
    """Channel c of the output belongs to channel c // multiplier of the image."""
    image, weights, bias = node.value(0), node.value(1), node.optional(2)
    _, height, width, channels = weights.shape
    multiplier = channels // image.shape[3]
    if node.is_float:
        result = np.zeros(node.output.shape, np.float32)
        for y, x, seen in _taps(node, image, (height, width), np.float32(0)):
            result += np.repeat(seen, multiplier, axis=3) * weights[0, y, x]
        return activated_f32(node, result if bias is None else result + bias)
    sums = np.zeros(node.output.shape, np.int64)
    for y, x, seen in _taps(node, node.centred(0), (height, width), 0):
        sums += np.repeat(seen, multiplier, axis=3) * weights[0, y, x].astype(np.int64)
    return _finished(node, sums, 0, 1, bias)


@op("TRANSPOSE_CONV")
def transposed(node: Node) -> Array:
    """Every pixel adds the filter, times itself, to the output; in the order of the pixels."""
    weights, image, bias = node.value(1), node.value(2), node.optional(3)
    batches, height, width, depth = image.shape
    _, rows, columns, channels = node.output.shape
    stride = int(node.option("strideH")), int(node.option("strideW"))
    size = weights.shape[1:3]
    padding = int(node.option("padding"))
    top = window_starts(rows, height, stride[0], size[0], padding)
    left = window_starts(columns, width, stride[1], size[1], padding)
    below = (height - 1) * stride[0] + size[0]
    right = (width - 1) * stride[1] + size[1]
    kind: Any = np.float32 if node.is_float else np.int64
    whole = np.zeros((batches, max(below, rows + top), max(right, columns + left), channels), kind)
    values = image if node.is_float else node.centred(2)
    for y in reversed(range(size[0])):
        for x in reversed(range(size[1])):
            reached = whole[
                :, y : y + (height - 1) * stride[0] + 1 : stride[0], x : x + (width - 1) * stride[1] + 1 : stride[1]
            ]
            if node.is_float:
                for c in range(depth):
                    reached += values[..., c, None] * weights[:, y, x, c]
            else:
                reached += _product(values, weights[:, y, x])
    kept = whole[:, top : top + rows, left : left + columns]
    if node.is_float:
        return activated_f32(node, kept if bias is None else kept + bias)
    return _finished(node, kept, 2, 1, bias)


@op("FULLY_CONNECTED")
def fully_connected(node: Node) -> Array:
    weights, bias = node.value(1), node.optional(2)
    depth = weights.shape[-1]
    matrix = weights.reshape(-1, depth)
    rows = node.value(0).reshape(-1, depth)
    shape = node.output.shape
    if node.is_float:
        result = np.zeros((len(rows), len(matrix)), np.float32)
        for c in range(depth):
            result += rows[:, c, None] * matrix[None, :, c]
        return activated_f32(node, result if bias is None else result + bias).reshape(shape)
    sums = _product(node.centred(0).reshape(-1, depth), matrix.astype(np.int64) - node.tensor(1).zero_point)
    return _finished(node, sums, 0, 1, bias).reshape(shape)


@op("BATCH_MATMUL")
def batch_matmul(node: Node) -> Array:
    a, b = (node.value(n) if node.is_float else node.centred(n) for n in (0, 1))
    a = np.swapaxes(a, -1, -2) if node.option("adjX") else a
    b = np.swapaxes(b, -1, -2) if node.option("adjY") else b
    if node.is_float:
        result: NDArray[np.float32] = np.zeros(node.output.shape, np.float32)
        for k in range(a.shape[-1]):
            result += a[..., :, k, None] * b[..., None, k, :]
        return result
    sums = np.rint(a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
    m, s = factor(node.tensor(0).scale * node.tensor(1).scale / node.output.scale)
    scaled = scale_by(wrap(sums), m, s) if node.output.dtype.numpy == np.int8 else scale_wide_by(sums, m, s)
    return saturated(scaled + node.output.zero_point, node.output.dtype.numpy)
