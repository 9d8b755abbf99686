"""Pools, and images resized."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mcugen.reference.arithmetic import Ints, half_away_f32, saturated
from mcugen.reference.node import Array, Node, activated_f32, activation_limits, op
from mcugen.reference.weighted import window_starts


def _windows(node: Node) -> Iterator[tuple[int, int, Array]]:
    """Row and column of every output pixel, and its window inside the image: [batch, pixels, channels]."""
    image = node.value(0)
    _, height, width, channels = image.shape
    _, rows, columns, _ = node.output.shape
    size = int(node.option("filterHeight")), int(node.option("filterWidth"))
    stride = int(node.option("strideH")), int(node.option("strideW"))
    padding = int(node.option("padding"))
    top = window_starts(height, rows, stride[0], size[0], padding)
    left = window_starts(width, columns, stride[1], size[1], padding)
    for y in range(rows):
        for x in range(columns):
            first, begin = y * stride[0] - top, x * stride[1] - left
            seen = image[:, max(first, 0) : first + size[0], max(begin, 0) : begin + size[1]]
            yield y, x, seen.reshape(len(image), -1, channels)


def divided(sums: Ints, count: int) -> Ints:
    """Quotients, halves away from zero."""
    return np.sign(sums) * ((np.abs(sums) + count // 2) // count)


@op("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D")
def pool(node: Node) -> Array:
    result = np.zeros(node.output.shape, node.output.dtype.numpy)
    for y, x, seen in _windows(node):
        count = seen.shape[1]
        if node.kind == "MAX_POOL_2D":
            found = np.fmax.reduce(seen, axis=1) if node.is_float else seen.max(axis=1)
            result[:, y, x] = found
        elif node.is_float:
            terms = seen * seen if node.kind == "L2_POOL_2D" else seen
            total = np.cumsum(terms, axis=1, dtype=np.float32)[:, -1] / np.float32(count)
            result[:, y, x] = np.sqrt(total) if node.kind == "L2_POOL_2D" else total
        else:
            low, high = activation_limits(node)
            result[:, y, x] = np.clip(divided(seen.astype(np.int64).sum(axis=1), count), low, high)
    if node.is_float:
        return activated_f32(node, result)
    if node.kind == "MAX_POOL_2D":
        return np.clip(result, *activation_limits(node)).astype(result.dtype)
    return result


def _nearest(size: int, output: int, align: bool, half: bool) -> list[int]:
    scale = np.float32(size - 1) / np.float32(output - 1) if align and output > 1 else np.float32(size) / output
    offset = np.float32(0.5 if half else 0.0)
    found = []
    for n in range(output):
        place = (np.float32(n) + offset) * np.float32(scale)
        whole = int(half_away_f32(place) if align else np.floor(place))
        found.append(max(min(whole, size - 1), 0))
    return found


@op("RESIZE_NEAREST_NEIGHBOR")
def resize_nearest(node: Node) -> Array:
    image, (_, rows, columns, _) = node.value(0), node.output.shape
    how = bool(node.option("alignCorners")), bool(node.option("halfPixelCenters"))
    return image[:, _nearest(image.shape[1], rows, *how)][:, :, _nearest(image.shape[2], columns, *how)]


def _neighbours(size: int, output: int, align: bool, half: bool) -> tuple[Array, Array, Array]:
    """Lower and upper neighbour of every output row or column, and its place in 1/1024 (integers)."""
    scale = (1024 * (size - 1) + (output - 1) // 2) // (output - 1) if align and output > 1 else 0
    scale = scale or (1024 * size + output // 2) // output
    places = np.arange(output, dtype=np.int64) * scale + (scale // 2 - 512 if half else 0)
    lower = np.maximum(np.trunc(places / 1024).astype(np.int64), 0)
    upper = np.minimum(np.trunc((places + 1023) / 1024).astype(np.int64), size - 1)
    return lower, upper, places


def _neighbours_f32(size: int, output: int, align: bool, half: bool) -> tuple[Array, Array, Array]:
    scale = np.float32(size - 1) / np.float32(output - 1) if align and output > 1 else np.float32(size) / output
    n = np.arange(output, dtype=np.float32)
    shift = np.float32(0.5)
    places = ((n + shift) * np.float32(scale) - shift if half else n * np.float32(scale)).astype(np.float32)
    lower = np.maximum(np.floor(places).astype(np.int64), 0)
    upper = np.minimum(np.ceil(places).astype(np.int64), size - 1)
    return lower, upper, places


@op("RESIZE_BILINEAR")
def resize_bilinear(node: Node) -> Array:
    image = node.value(0)
    how = bool(node.option("alignCorners")), bool(node.option("halfPixelCenters"))
    find = _neighbours_f32 if node.is_float else _neighbours
    top, bottom, y = find(image.shape[1], node.output.shape[1], *how)
    left, right, x = find(image.shape[2], node.output.shape[2], *how)
    unit = 1 if node.is_float else 1024
    values = image if node.is_float else image.astype(np.int64)
    down, along = (y - unit * top)[None, :, None, None], (x - unit * left)[None, None, :, None]
    if node.is_float:
        down, along = down.astype(np.float32), along.astype(np.float32)
    total = (
        values[:, top][:, :, left] * (unit - down) * (unit - along)
        + values[:, bottom][:, :, left] * down * (unit - along)
        + values[:, top][:, :, right] * (unit - down) * along
        + values[:, bottom][:, :, right] * down * along
    )
    if node.is_float:
        return total.astype(np.float32)
    return saturated(np.sign(total) * ((np.abs(total) + (1 << 19)) >> 20), node.output.dtype.numpy)
