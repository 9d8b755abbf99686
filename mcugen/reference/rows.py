"""Reductions, running sums, and ops on rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from mcugen.reference.arithmetic import (
    HIGH32,
    LOW32,
    Ints,
    exp_of_negative,
    factor,
    half_away_f32,
    high_product,
    inverse_root,
    leading_zeros,
    logarithm,
    reciprocal,
    rescaled,
    saturated,
    scale_by,
    shift_right,
    wrap,
)
from mcugen.reference.node import Array, Node, op

# ---- reductions


def _axes(node: Node) -> tuple[int, ...]:
    return tuple(sorted({axis % node.value(0).ndim for axis in node.ints(1)}))


def _summed_f32(values: Array, axes: tuple[int, ...]) -> Array:
    """Float32 sums, one term after the other."""
    kept = [n for n in range(values.ndim) if n not in axes]
    terms = values.transpose(*kept, *axes).reshape(*(values.shape[n] for n in kept), -1)
    return np.cumsum(terms, axis=-1, dtype=np.float32)[..., -1]


@op("MEAN", "SUM")
def sum_or_mean(node: Node) -> Array:
    values, axes = node.value(0), _axes(node)
    count = math.prod(values.shape[axis] for axis in axes)
    if node.is_float:
        total = _summed_f32(values, axes)
        return (total / np.float32(count) if node.kind == "MEAN" else total).astype(np.float32)
    total = values.astype(np.int64).sum(axis=axes) - count * node.tensor(0).zero_point
    m, s = factor(node.tensor(0).scale / node.output.scale)
    if node.kind == "MEAN":
        bits = min(count.bit_length() - 1, 32, 31 + s)
        m, s = (m << bits) // count, s - bits
    return saturated(scale_by(wrap(total), m, s) + node.output.zero_point, values.dtype)


@op("REDUCE_MAX", "REDUCE_MIN", "REDUCE_ALL", "REDUCE_ANY")
def reduced(node: Node) -> Array:
    by = {"REDUCE_MAX": np.fmax, "REDUCE_MIN": np.fmin, "REDUCE_ALL": np.logical_and, "REDUCE_ANY": np.logical_or}
    return by[node.kind].reduce(node.value(0), axis=_axes(node))


@op("ARG_MAX", "ARG_MIN")
def arg_extremum(node: Node) -> Array:
    """The first of equals; a NaN that does not come first is passed over."""
    axis = node.ints(1)[0] % node.value(0).ndim
    values = np.moveaxis(node.value(0), axis, 0)
    best, found = values[0], np.zeros(values.shape[1:], np.int64)
    for n in range(1, len(values)):
        better = values[n] > best if node.kind == "ARG_MAX" else values[n] < best
        best, found = np.where(better, values[n], best), np.where(better, n, found)
    return found.astype(node.output.dtype.numpy)


@op("CUMSUM")
def cumsum(node: Node) -> Array:
    axis = node.ints(1)[0]
    values = node.value(0) if node.is_float else rescaled(node.centred(0) << 20, 0.5)
    turned = np.flip(values, axis) if node.option("reverse") else values
    sums = np.cumsum(turned, axis=axis, dtype=turned.dtype)
    if node.option("exclusive"):
        sums = np.roll(sums, 1, axis)
        np.moveaxis(sums, axis, 0)[0] = 0
    sums = np.flip(sums, axis) if node.option("reverse") else sums
    if node.is_float:
        return sums
    scaled = rescaled(sums, 2.0 * node.tensor(0).scale / ((1 << 20) * node.output.scale))
    return saturated(scaled + node.output.zero_point, node.output.dtype.numpy)


@op("L2_NORMALIZATION")
def l2_normalization(node: Node) -> Array:
    if node.is_float:
        values = node.value(0)
        size = np.sqrt(np.cumsum(values * values, axis=-1, dtype=np.float32)[..., -1:])
        return (values / np.maximum(size, np.float32(1e-6))).astype(np.float32)
    rows = node.centred(0).reshape(-1, node.value(0).shape[-1])
    result = np.empty(rows.shape, np.int64)
    for n, row in enumerate(rows):
        m, s = inverse_root(int((row * row).sum()))
        result[n] = scale_by(row, m, s + 7)
    return saturated(result, np.dtype(np.int8))


# ---- softmax and its logarithm


def _distance_factor(beta: float, scale: float) -> tuple[int, int, int]:
    """Multiplier and shift of distances to the row's maximum, into Q5, and how far they may reach."""
    m, s = factor(min(beta * scale * 2.0**26, 2.0**31 - 1.0))
    return m, s, math.floor(31 * 2.0**26 / 2.0**s)


def _exponentials(row: Ints, m: int, s: int, radius: int) -> tuple[Ints, int]:
    """exp of every distance to the maximum in Q0, 0 where it is too far; and their sum in Q12."""
    distance = row - row.max()
    near = distance >= -radius
    e = np.where(near, exp_of_negative(high_product(wrap(np.where(near, distance, 0) << s), m), 5), 0)
    return e, int(shift_right(e, 12).sum())


@op("SOFTMAX")
def softmax(node: Node) -> Array:
    values, beta = node.value(0), float(np.float32(node.option("beta", 1.0)))
    if node.is_float:
        e = np.exp((values - values.max(axis=-1, keepdims=True)) * np.float32(beta))
        return (e / np.cumsum(e, axis=-1, dtype=np.float32)[..., -1:]).astype(np.float32)
    rows = values.reshape(-1, values.shape[-1]).astype(np.int64)
    if values.dtype == np.int16:
        return np.array([_softmax_16(row, beta, node.tensor(0).scale) for row in rows], np.int16).reshape(values.shape)
    to = node.output.dtype.numpy
    bits, low = (8, -128) if to == np.int8 else (16, -32768)
    m, s, radius = _distance_factor(beta, node.tensor(0).scale)
    result = np.empty(rows.shape, np.int64)
    for n, row in enumerate(rows):
        e, total = _exponentials(row, m, s, radius)
        inverse, over = reciprocal(total, 12)
        right = over + 31 - bits
        shares = shift_right(high_product(e, inverse), right) if right <= 31 else np.zeros_like(row)
        result[n] = np.where(row - row.max() >= -radius, shares + low, low)
    return saturated(result, to).reshape(values.shape)


@cache
def _curve(first: float, last: float, recentred: bool) -> Ints:
    """513 entries of exp over [first, last], or of 1/(1 + x), as fractions of 2^15 (`LUTPopulateInt16`, in float32)."""
    function: Callable[[float], float] = (lambda x: 1.0 / (1.0 + x)) if recentred else math.exp
    f = np.float32
    span = f(65535.0)
    input_scale, output_scale = f(f(last - first) / span), f(f(2.0) / span)
    zero = -32768 if recentred else 32767
    low, high = f(input_scale * f(-32768 - zero)), f(input_scale * f(32767 - zero))
    unit = f(f(65536.0) / f(f(output_scale * f(32767)) - f(output_scale * f(-32768))))
    step = f(f(high - low) / f(512))

    def steps(x: np.float32) -> np.float32:
        return f(f(function(float(x))) * unit)

    table = []
    for n in range(512):
        x = f(low + f(f(n) * step))
        here, middle = half_away_f32(steps(x)), half_away_f32(steps(f(x + f(step / f(2)))))
        chord = half_away_f32(f(f(steps(f(low + f(f(n + 1) * step))) + here) / f(2)))
        table.append(float(here - half_away_f32(f(f(chord - middle) / f(2)))))
    table.append(float(half_away_f32(steps(high))))
    return np.clip(np.array(table), -32768, 32767).astype(np.int64)


def _interpolated(table: Ints, values: Ints) -> Ints:
    n, within = 256 + (values >> 7), values & 127
    return table[n] + (((table[n + 1] - table[n]) * within + 64) >> 7)


def _softmax_16(row: Ints, beta: float, scale: float) -> Ints:
    m, s = factor(scale * beta / (10.0 / 65535.0))
    distance = np.clip(scale_by(row - row.max(), m, s) + 32767, -32768, 32767)
    e = _interpolated(_curve(-10.0, 0.0, False), distance)
    total = int(e.sum())
    zeros = leading_zeros(total)
    place = ((total << (zeros - 1)) + (1 << 13)) >> 14
    inverse = _interpolated(_curve(0.0, 1.0, True), np.clip(np.array(place - (1 << 15) - (1 << 16)), -32768, 32767))
    right = 31 - zeros
    return np.clip((e * inverse + ((1 << right) >> 1)) >> right, 0, 32767)


@op("LOG_SOFTMAX")
def log_softmax(node: Node) -> Array:
    values = node.value(0)
    if node.is_float:
        distance = values - values.max(axis=-1, keepdims=True)
        return (distance - np.log(np.cumsum(np.exp(distance), axis=-1, dtype=np.float32)[..., -1:])).astype(np.float32)
    rows = values.reshape(-1, values.shape[-1]).astype(np.int64)
    m, s, radius = _distance_factor(1.0, node.tensor(0).scale)
    back = factor(2.0 ** (31 - s) / m)
    result = np.empty(rows.shape, np.int64)
    for n, row in enumerate(rows):
        _, total = _exponentials(row, m, s, radius)
        log_total = logarithm(total)
        distance = row - row.max()
        limit = max(-radius - 1, int(scale_by(np.int64(log_total + LOW32), *back)))
        scaled = high_product(wrap(np.maximum(distance, -radius) << s), m) - log_total
        near = np.clip(shift_right(np.clip(scaled, LOW32, HIGH32), 22) + 127, -128, 127)
        result[n] = np.where(distance > limit, near, -128)
    return saturated(result, np.dtype(np.int8)).reshape(values.shape)
