"""The arithmetic of the int16 audio front ends, in numpy: the very integers that C computes.

A block of 16-bit values shares an exponent: every stage of the transform is shifted by as many bits as its values may
grow, and no more. Sums are 64 bits wide. A sum becomes 32 bits and an exponent, and that its logarithm.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from mcugen.frontends import spectra
from mcugen.frontends.micro_tables import log_table
from mcugen.frontends.types import Array

WINDOW_BITS, TURN_BITS, ROOT_BITS, LOG_BITS = 15, 14, 8, 16
"""Binary places of windows, twiddles, magnitudes and logarithms to base 2."""

FIRST_BITS, STAGE_BITS = 14, 13
"""Bits of the windowed samples, and of values that a stage takes without a shift: it makes them 2.42 times as large
at most, and 16 bits hold that."""

ONE_BITS = 2 * WINDOW_BITS
"""Binary places of a sample times the window: full scale is 1."""


@functools.lru_cache(maxsize=32)
def window(size: int) -> Array:
    """A Hann window of that period, uint16, 32768 is 1."""
    return np.asarray(np.rint(spectra.window(size).astype(np.float64) * (1 << WINDOW_BITS)).astype(np.uint16))


@functools.lru_cache(maxsize=32)
def turns(points: int) -> Array:
    """exp(−πi·k/points) for k < points, int16 (points, 2), 16384 is 1."""
    return np.asarray(np.rint(spectra.turns(points).astype(np.float64) * (1 << TURN_BITS)).astype(np.int16))


@functools.lru_cache(maxsize=1)
def root_table() -> Array:
    """Square roots of the middles of [i, i + 1) · 2^24 for i of 64 to 255, uint16."""
    return np.array([round(math.sqrt((i + 0.5) * (1 << 24))) for i in range(64, 256)], np.uint16)


def scaled(values: Array, bits: int) -> tuple[Array, int]:
    """Real values in integers of so many bits beside the sign, and their binary places, at most 30."""
    most = float(np.abs(values).max(initial=0.0))
    places = 30 if most == 0 else min(30, math.floor(math.log2(((1 << bits) - 1) / most)))
    return np.rint(values.astype(np.float64) * 2.0**places), places


def parted(value: float) -> tuple[int, int]:
    """A number of 0 and more as m · 2^x with m from 2^31 to 2^32, or 0."""
    if value <= 0:
        return 0, 0
    mantissa, exponent = math.frexp(value)
    whole = round(mantissa * (1 << 32))
    return (whole, exponent - 32) if whole < 1 << 32 else (1 << 31, exponent - 31)


def _bits(values: Array) -> Array:
    """Of each row, how many bits beside the sign its values have at most, (n,)."""
    told = np.bitwise_or.reduce((values ^ (values >> 31)).reshape(len(values), -1), axis=1)
    return np.asarray(np.frexp(told.astype(np.float64))[1].astype(np.int32))


def _rounded(values: Array, shifts: Array) -> Array:
    """Values (n, …) divided by 2^shifts (n,), halves up; negative shifts multiply."""
    by = shifts.reshape(-1, *[1] * (values.ndim - 1)).astype(np.int64)
    wide = values.astype(np.int64)
    half = np.where(by > 0, np.int64(1) << np.maximum(by - 1, 0), 0)
    return np.asarray(np.where(by > 0, (wide + half) >> np.maximum(by, 0), wide << np.maximum(-by, 0)))


def powers(samples: Array, points: int) -> tuple[Array, Array]:
    """|spectrum|² of windows (n, size) of int16 samples in all points + 1 bins, uint64 below 2^32, and exponents (n,).

    An amplitude is the root of its power times 2^exponent. The first bin and the last are not computed.
    """
    products = samples.astype(np.int32) * window(samples.shape[1]).astype(np.int32)
    exponents = _bits(products) - FIRST_BITS
    values = np.pad(_rounded(products, exponents), ((0, 0), (0, 2 * points - samples.shape[1]))).astype(np.int32)
    order, table = spectra.input_order(points), turns(points).astype(np.int32)
    re, im = (np.ascontiguousarray(values[:, part::2][:, order]) for part in (0, 1))
    size = 1
    while size < points:
        shifts = np.maximum(_bits(np.stack([re, im], axis=1)) - STAGE_BITS, 0)
        exponents = exponents + shifts
        w = table[:: points // size][:size]
        re, im = (part.reshape(len(values), -1, 2, size) for part in (re, im))
        low_re, low_im, high_re, high_im = re[:, :, 0], im[:, :, 0], re[:, :, 1], im[:, :, 1]
        turned_re = high_re * w[:, 0] - high_im * w[:, 1]
        turned_im = high_re * w[:, 1] + high_im * w[:, 0]
        made = []
        for low, turned in ((low_re, turned_re), (low_im, turned_im)):
            both = np.stack([(low << TURN_BITS) + turned, (low << TURN_BITS) - turned], axis=2)
            made.append(_rounded(both, shifts + TURN_BITS).astype(np.int32).reshape(len(values), points))
        re, im = made
        size *= 2
    near = np.arange(1, points // 2 + 1)
    far = points - near
    even_re, even_im = (re[:, near] + re[:, far]) << TURN_BITS, (im[:, near] - im[:, far]) << TURN_BITS
    odd_re, odd_im = im[:, near] + im[:, far], re[:, far] - re[:, near]
    w = table[near]
    turned_re, turned_im = odd_re * w[:, 0] - odd_im * w[:, 1], odd_re * w[:, 1] + odd_im * w[:, 0]
    found = np.zeros((len(values), points + 1), np.uint64)
    found[:, near] = _power(even_re + turned_re, even_im + turned_im)
    found[:, far] = _power(even_re - turned_re, turned_im - even_im)
    return found, exponents


def _power(re: Array, im: Array) -> Array:
    """Of twice a value, with the places of twiddles."""
    half, places = np.int32(1 << TURN_BITS), TURN_BITS + 1
    re, im = (((part + half) >> places).astype(np.int64) for part in (re, im))
    return np.asarray((re * re + im * im).astype(np.uint64))


def roots(values: Array) -> Array:
    """Square roots of integers below 2^32 with 8 binary places, uint64: one step of Heron's from a table."""
    bits = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    shifts = ((32 - bits) & ~1).astype(np.uint64)
    aligned = values << shifts
    first = root_table()[np.clip((aligned >> np.uint64(24)).astype(np.int64) - 64, 0, 191)].astype(np.uint64)
    found = ((first + aligned // first) >> np.uint64(1)) << np.uint64(ROOT_BITS) >> (shifts >> np.uint64(1))
    return np.asarray(np.where(values > 0, found, np.uint64(0)))


def weighted(values: Array, weights: Array) -> Array:
    """Sums of values (n, bins) times each row of weights (channels, bins), uint64 (n, channels)."""
    return np.asarray(values @ weights.astype(np.uint64).T)


def log2(sums: Array, exponents: Array, floor: tuple[int, int], offset: tuple[int, int]) -> Array:
    """log2(max(sum · 2^exponent, floor) + offset) with 16 binary places, int64 (n, channels).

    Args:
        exponents: (n,).
        floor, offset: see :func:`parted`.
    """
    bits = _bit_lengths(sums)
    mantissa = np.where(
        bits > 32,
        sums >> np.maximum(bits - 32, 0).astype(np.uint64),
        sums << np.maximum(32 - bits, 0).astype(np.uint64),
    ).astype(np.int64)
    exponent = bits - 32 + exponents[:, None].astype(np.int64)
    below = (mantissa == 0) | (exponent < floor[1]) | ((exponent == floor[1]) & (mantissa < floor[0]))
    below &= floor[0] > 0
    mantissa, exponent = np.where(below, floor[0], mantissa), np.where(below, floor[1], exponent)
    if offset[0]:
        nothing = mantissa == 0
        apart = np.clip(np.abs(exponent - offset[1]), 0, 32)
        larger = exponent >= offset[1]
        total = np.where(larger, mantissa + (offset[0] >> apart), offset[0] + (mantissa >> apart))
        exponent = np.where(nothing | ~larger, offset[1], exponent)
        total = np.where(nothing, offset[0], total)
        carries = total >> 32
        mantissa, exponent = total >> carries, exponent + carries
    table = log_table().astype(np.int64)
    part = mantissa - (1 << 31)
    low, high = table[part >> 24], table[(part >> 24) + 1]
    bent = low + (((high - low) * ((part >> 8) & 0xFFFF) + (1 << 15)) >> 16)
    return np.asarray(((exponent + 31) << LOG_BITS) + (part >> 15) + bent)


def _bit_lengths(values: Array) -> Array:
    """Of uint64, which float64 does not hold exactly."""
    high = np.frexp((values >> np.uint64(32)).astype(np.float64))[1]
    low = np.frexp((values & np.uint64(0xFFFFFFFF)).astype(np.float64))[1]
    return np.asarray(np.where(high > 0, high + 32, low).astype(np.int64))


def multiplied(logs: Array, factor: int) -> Array:
    """Logarithms with 16 binary places times a factor with 14 more than the result's, int64."""
    return np.asarray((logs * factor + (1 << 29)) >> 30)


def as_int16(values: Array) -> Array:
    return np.asarray(np.clip(values, -32768, 32767).astype(np.int16))
