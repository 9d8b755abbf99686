"""Activation functions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mcugen.reference.arithmetic import (
    Ints,
    factor,
    fixed_logistic,
    fixed_tanh,
    half_away,
    half_away_f32,
    high_product_16,
    rescaled,
    saturated,
    scale_by,
    shift_right,
)
from mcugen.reference.node import Array, Node, op


@op("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1")
def relu(node: Node) -> Array:
    top = {"RELU6": 6.0, "RELU_N1_TO_1": 1.0, "RELU_0_TO_1": 1.0}.get(node.kind)
    bottom = -1.0 if node.kind == "RELU_N1_TO_1" else 0.0
    values = node.value(0)
    if node.is_float:
        floored = np.where(values < bottom, np.float32(bottom), values)
        return floored if top is None else np.where(floored > top, np.float32(top), floored).astype(np.float32)
    source, output = node.tensor(0), node.output
    if node.kind == "RELU":
        scaled = rescaled(node.centred(0), source.scale / output.scale) + output.zero_point
        return saturated(np.maximum(scaled, output.zero_point), values.dtype)
    assert top is not None
    low, high = (
        source.zero_point + int(half_away_f32(np.float32(real) / np.float32(source.scale))) for real in (bottom, top)
    )
    return saturated(np.clip(values.astype(np.int64), low, high), values.dtype)


@op("PRELU", "LEAKY_RELU")
def sloped(node: Node) -> Array:
    values = node.value(0)
    slope = np.float32(node.option("alpha")) if node.kind == "LEAKY_RELU" else node.value(1)
    if node.is_float:
        return np.where(values >= 0, values, values * slope).astype(np.float32)
    source, output = node.tensor(0), node.output
    centred = node.centred(0)
    upper = rescaled(centred, source.scale / output.scale)
    if node.kind == "LEAKY_RELU":
        lower = rescaled(centred, source.scale * float(slope) / output.scale)
    else:
        lower = rescaled(centred * node.centred(1), source.scale * node.tensor(1).scale / output.scale)
    return saturated(np.where(centred >= 0, upper, lower) + output.zero_point, values.dtype)


@op("ELU")
def elu(node: Node) -> Array:
    """The exponential is a double's, rounded to float32, less 1."""

    def expm1(values: NDArray[np.float32]) -> NDArray[np.float32]:
        below = np.minimum(values, np.float32(0))
        return np.where(values < 0, np.exp(below.astype(np.float64)).astype(np.float32) - np.float32(1), values)

    if node.is_float:
        values = node.value(0)
        return np.where(values < 0, np.expm1(np.minimum(values, 0)), values).astype(np.float32)
    real = np.float32(node.tensor(0).scale) * node.centred(0).astype(np.float32)
    steps = half_away_f32(expm1(real) * (np.float32(1) / np.float32(node.output.scale)))
    return saturated(steps.astype(np.int64) + node.output.zero_point, node.output.dtype.numpy)


def _short(m: int) -> int:
    return min((m + (1 << 15)) >> 16, 32767)


def _left_16(values: Ints, bits: int) -> Ints:
    return np.clip(values << bits, -32768, 32767)


@op("HARD_SWISH")
def hard_swish(node: Node) -> Array:
    if node.is_float:
        x = node.value(0)
        return (x * np.minimum(np.maximum(x + np.float32(3), np.float32(0)), np.float32(6)) / np.float32(6)).astype(
            "f4"
        )
    fine_scale = np.float32(node.tensor(0).scale) * np.float32(1 / 128)
    out_m, out_s = factor(float(fine_scale / np.float32(node.output.scale)))
    gate_m, gate_s = factor(float(fine_scale / np.float32(np.float32(3) / np.float32(32768))))
    fine = node.centred(0) * 128
    scaled = high_product_16(fine, _short(out_m))
    gate = _left_16(fine, gate_s - 1) if gate_s > 0 else fine
    gate = high_product_16(gate, _short(gate_m))
    gate = _left_16(gate, 1) if gate_s > 0 else shift_right(gate, -gate_s)
    gate = (gate + (1 << 15)) >> 1
    product = gate * scaled
    product = np.sign(product) * (np.abs(product) >> 15)
    return saturated(shift_right(product, -out_s) + node.output.zero_point, node.output.dtype.numpy)


# ---- sigmoid and tanh


def _of_bytes(node: Node, function: Callable[[Ints, int], Ints], bits: int, low: int) -> Array:
    """By gemmlowp's fixed point of an argument with 4 integer bits; beyond them it saturates."""
    fraction, shift = math.frexp(node.tensor(0).scale * 2.0**27)
    radius = math.floor(15 * 2.0**27 / 2.0**shift)
    centred = node.centred(0)
    inside = np.clip(centred, -radius, radius)
    exact = function(scale_by(inside, half_away(fraction * 2.0**31), shift), 4)
    result = np.clip(shift_right(exact, 31 - bits) + low, -128, 127)
    return np.where(centred <= -radius, -128, np.where(centred >= radius, 127, result)).astype(np.int8)


def sigmoid_entries() -> Ints:
    """2^16 · sigmoid(n / 24), n = 0 … 255, raised by half of the most that a chord falls short between two entries."""
    table = []
    for n in range(256):
        s = 1.0 / (1.0 + math.exp(-n / 24.0))
        second = s * (1.0 - s) * (1.0 - 2.0 * s)
        table.append(math.floor(65536.0 * (s - second / 24.0**2 / 16.0) + 0.5))
    return np.array([*table[:-1], 65535], np.int64)


_SIGMOID = sigmoid_entries()


def argument_factor(scale: float, exact: tuple[int, ...]) -> tuple[int, int]:
    """Multiplier and shift that bring int16 numbers of this scale to 1/12288 (`TanhPrepare`).

    Args:
        exact: powers of two above 2^-12 that are multiplied by exactly three times themselves.
    """
    logarithm = np.float32(np.log(np.float32(scale)) * np.float32(np.float32(1) / np.log(np.float32(2))))
    power = int(half_away_f32(logarithm))
    if abs(float(logarithm - np.float32(power))) < 1e-3 and 12 + power in exact:
        return 3 << (12 + power), 0
    multiplier, shift = scale * 4096.0 * 3.0, 0
    while multiplier <= 32767.0 / 2.0 and shift <= 30:
        multiplier, shift = multiplier * 2.0, shift + 1
    return int(multiplier), shift


def _argument(values: Ints, m: int, s: int) -> Ints:
    return (values * m + ((1 << s) >> 1)) >> s


def sigmoid_16(values: Ints, m: int, s: int) -> Ints:
    """Q0.15 of the table's sigmoid; sixteen bits of a step count."""
    x = _argument(values, m, s)
    step, within = np.abs(x) >> 9, np.abs(x) & 511
    n = np.minimum(step, 254)
    curve = np.where(step >= 255, 0x7FFF << 10, (_SIGMOID[n] << 9) + within * (_SIGMOID[n + 1] - _SIGMOID[n]))
    return np.where(x >= 0, curve + 512, (1 << 25) - curve + 511) >> 10


def tanh_16(values: Ints, m: int, s: int) -> Ints:
    """Q0.15 of 2 · sigmoid(2x) − 1 of the same table."""
    x = _argument(values, m, s)
    step, within = np.abs(x) >> 8, np.abs(x) & 255
    n = np.minimum(step, 254)
    curve = np.where(step >= 255, 0xFFFF << 8, (_SIGMOID[n] << 8) + within * (_SIGMOID[n + 1] - _SIGMOID[n]))
    return np.where(x >= 0, curve - (1 << 23) + 128, (1 << 23) - curve + 127) >> 8


def logistic_f32(values: NDArray[np.float32]) -> NDArray[np.float32]:
    usual = np.float32(1) / (np.float32(1) + np.exp(-values))
    return np.where(values > 16.619047, 1, np.where(values < -9, np.exp(values), usual)).astype(np.float32)


@op("LOGISTIC")
def logistic(node: Node) -> Array:
    values = node.value(0)
    if node.is_float:
        return logistic_f32(values)
    if values.dtype == np.int8:
        return _of_bytes(node, fixed_logistic, 8, -128)
    return saturated(sigmoid_16(node.centred(0), *argument_factor(node.tensor(0).scale, (0,))), np.dtype(np.int16))


@op("TANH")
def tanh(node: Node) -> Array:
    values = node.value(0)
    if node.is_float:
        return np.tanh(values).astype(np.float32)
    if values.dtype == np.int8:
        return _of_bytes(node, fixed_tanh, 7, 0)
    return saturated(tanh_16(node.centred(0), *argument_factor(node.tensor(0).scale, (0, 1))), np.dtype(np.int16))
