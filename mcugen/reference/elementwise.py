"""Ops that work element by element, on one operand or two, and conversions between types."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from mcugen.reference.arithmetic import (
    Ints,
    factor,
    half_away_f32,
    high_product,
    inverse_root,
    leading_zeros,
    limits,
    one_over_one_plus,
    rescaled,
    saturated,
    scale_by,
    shift_right,
    wrap,
)
from mcugen.reference.node import Array, Node, activated, activated_f32, op

# ---- conversions


@op("QUANTIZE")
def quantize(node: Node) -> Array:
    output, source = node.output, node.value(0)
    if source.dtype == np.float32:
        low, high = limits(output.dtype.numpy)
        steps = half_away_f32(source / np.float32(output.scale)).astype(np.float64) + output.zero_point
        return np.where(np.isnan(source), low, np.clip(steps, low, high)).astype(output.dtype.numpy)
    scaled = rescaled(node.centred(0), node.tensor(0).scale / output.scale)
    return saturated(scaled + output.zero_point, output.dtype.numpy)


@op("DEQUANTIZE")
def dequantize(node: Node) -> Array:
    if node.value(0).dtype == np.float16:
        return node.value(0).astype(np.float32)
    return (node.centred(0).astype(np.float64) * node.tensor(0).scale).astype(np.float32)


@op("CAST")
def cast(node: Node) -> Array:
    """The stored number; what does not fit is cut off, but float32 saturates and NaN is 0."""
    values, to = node.value(0), node.output.dtype.numpy
    if to == np.bool_:
        return values != 0
    if to == np.float32:
        return values.astype(np.float32)
    if values.dtype == np.float32:
        low, high = limits(to)
        return np.clip(np.nan_to_num(np.trunc(values.astype(np.float64)), nan=0.0), low, high).astype(to)
    return wrap(values.astype(np.int64), 8 * np.dtype(to).itemsize).astype(to)


# ---- one operand

_FLOAT_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "ABS": np.abs,
    "CEIL": np.ceil,
    "COS": np.cos,
    "EXP": np.exp,
    "FLOOR": np.floor,
    "LOG": np.log,
    "NEG": np.negative,
    "ROUND": np.rint,
    "SIN": np.sin,
    "SQRT": np.sqrt,
    "SQUARE": np.square,
}


@op(*_FLOAT_FUNCTIONS)
def function(node: Node) -> Array:
    values = node.value(0)
    if values.dtype == np.float32:
        return _FLOAT_FUNCTIONS[node.kind](values).astype(np.float32)
    scales = node.tensor(0).scale, node.output.scale
    sizes = np.abs(node.centred(0))
    if scales[0] != scales[1]:
        sizes = rescaled(sizes, scales[0] / scales[1])
    return saturated(sizes + node.output.zero_point, values.dtype)


@op("RSQRT")
def reciprocal_root(node: Node) -> Array:
    values = node.value(0)
    if node.is_float:
        return (np.float32(1) / np.sqrt(values)).astype(np.float32)
    m, s = factor(1.0 / (node.tensor(0).scale ** 0.5 * node.output.scale))
    low, high = limits(values.dtype)

    def one(value: int) -> int:
        if value <= 0:
            return high
        root, shift = inverse_root(value)
        fine = scale_by(np.int64(1), root, shift + 20)
        return int(np.clip(scale_by(fine, m, s - 20) + node.output.zero_point, low, high))

    centred = node.centred(0)
    known = {int(value): one(int(value)) for value in np.unique(centred)}
    return np.array([known[int(v)] for v in centred.reshape(-1)], values.dtype).reshape(values.shape)


@op("LOGICAL_NOT")
def logical_not(node: Node) -> Array:
    return np.logical_not(node.value(0))


# ---- two operands


def _same_power(node: Node, bits: int) -> tuple[Ints, Ints, float]:
    """Two operands at one scale, twice the larger of theirs, with so many bits more; and that scale."""
    scales = node.tensor(0).scale, node.tensor(1).scale
    common = 2.0 * max(scales)
    a, b = (rescaled(node.centred(n) << bits, scales[n] / common) for n in (0, 1))
    return a, b, common


def _plain(node: Node, compute: Callable[[Ints, Ints], Ints]) -> Array:
    """Of int32 numbers without quantization, modulo 2^32."""
    a, b = (node.value(n).astype(np.int64) for n in (0, 1))
    return wrap(compute(a, b)).astype(np.int32)


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {"ADD": operator.add, "SUB": operator.sub, "MUL": operator.mul}


@op("ADD", "SUB", "MUL")
def arithmetic(node: Node) -> Array:
    compute = _ARITHMETIC[node.kind]
    if node.is_float:
        return activated_f32(node, compute(node.value(0), node.value(1)))
    if node.value(0).dtype == np.int32:
        return _plain(node, compute)
    if node.kind == "MUL":
        product = node.centred(0) * node.centred(1)
        return activated(node, rescaled(product, node.tensor(0).scale * node.tensor(1).scale / node.output.scale))
    bits = 20 if node.value(0).dtype == np.int8 else 15
    a, b, common = _same_power(node, bits)
    return activated(node, rescaled(compute(a, b), common / ((1 << bits) * node.output.scale)))


@op("SQUARED_DIFFERENCE")
def squared_difference(node: Node) -> Array:
    if node.is_float:
        difference = node.value(0) - node.value(1)
        return (difference * difference).astype(np.float32)
    if node.value(0).dtype == np.int32:
        return _plain(node, lambda a, b: wrap(wrap(a - b) * wrap(a - b)))
    bits = 7 if node.value(0).dtype == np.int8 else 0
    a, b, common = _same_power(node, bits)
    square = wrap((a - b) * (a - b))
    scaled = rescaled(square, common * common / ((1 << 2 * bits) * node.output.scale))
    return saturated(scaled + node.output.zero_point, node.output.dtype.numpy)


@op("DIV")
def division(node: Node) -> Array:
    if node.is_float:
        return activated_f32(node, node.value(0) / node.value(1))
    if node.value(0).dtype == np.int32:
        a, b = (v.astype(np.int64) for v in np.broadcast_arrays(node.value(0), node.value(1)))
        safe = np.where(b == 0, 1, b)
        quotient = np.sign(a) * np.sign(safe) * (np.abs(a) // np.abs(safe))
        return wrap(np.where(b == 0, 0, quotient)).astype(np.int32)
    m, s = factor(node.tensor(0).scale / (node.tensor(1).scale * node.output.scale))
    a, b = np.broadcast_arrays(node.centred(0), node.centred(1))
    result = np.array([_quotient(int(x), int(y), m, s) for x, y in zip(a.reshape(-1), b.reshape(-1), strict=True)])
    return activated(node, result.reshape(a.shape))


def _quotient(a: int, b: int, m: int, s: int) -> int:
    """a / b times a factor; by 0 it saturates, where the reference is undefined."""
    if a == 0:
        return 0
    if b == 0:
        return 1 << 20 if a > 0 else -(1 << 20)
    a, b = (-a, -b) if b < 0 else (a, b)
    zeros = leading_zeros(b)
    inverse = one_over_one_plus(np.int64((b << zeros) - (1 << 31)))
    room = leading_zeros(a if a >= 0 else ~a) - 1
    quotient = high_product(np.int64(a << room), inverse)
    return int(shift_right(high_product(quotient, m), 31 - zeros + room - s))


@op("FLOOR_DIV", "FLOOR_MOD")
def floored(node: Node) -> Array:
    a, b = node.value(0), node.value(1)
    if node.kind == "FLOOR_DIV":
        return np.floor(a.astype(np.float64) / b.astype(np.float64)).astype(np.float32)
    rest = np.fmod(a, b)
    return np.where((rest != 0) & ((b < 0) != (rest < 0)), rest + b, rest).astype(np.float32)


@op("MAXIMUM", "MINIMUM")
def extremum(node: Node) -> Array:
    """The second operand where the comparison says nothing, as with NaN."""
    a, b = node.value(0), node.value(1)
    return np.where(a > b if node.kind == "MAXIMUM" else a < b, a, b)


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "EQUAL": operator.eq,
    "NOT_EQUAL": operator.ne,
    "GREATER": operator.gt,
    "GREATER_EQUAL": operator.ge,
    "LESS": operator.lt,
    "LESS_EQUAL": operator.le,
}


@op(*_COMPARISONS)
def comparison(node: Node) -> Array:
    compare = _COMPARISONS[node.kind]
    first = node.tensor(0)
    if node.value(0).dtype not in (np.int8, np.uint8) or first.quant is None:
        return compare(node.value(0), node.value(1))
    a, b = (rescaled(node.centred(n) << 8, node.tensor(n).scale) for n in (0, 1))
    return compare(a, b)


@op("LOGICAL_AND", "LOGICAL_OR")
def logical(node: Node) -> Array:
    a, b = node.value(0), node.value(1)
    return a & b if node.kind == "LOGICAL_AND" else a | b


@op("ADD_N")
def add_n(node: Node) -> Array:
    values = [v for v in node.values if v is not None]
    if node.is_float:
        total = values[0]
        for value in values[1:]:
            total = total + value
        return total
    scale = 2.0 * node.tensor(0).scale
    total = sum((rescaled(node.centred(n) << 20, 0.5) for n in range(len(values))), np.zeros(values[0].shape, np.int64))
    scaled = rescaled(total, scale / ((1 << 20) * node.output.scale))
    return saturated(scaled + node.output.zero_point, node.output.dtype.numpy)
