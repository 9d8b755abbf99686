"""The constants of the fixed-point audio front end: window, twiddles, filter bank, gains, logarithm.

TensorFlow Lite Micro computes them on the device at start, in float32, so that they depend on its libm. Here they are
computed once, and always the same: cosines and powers are correctly rounded, log1p is that of newlib and of glibc up
to 2.40, whose last bit decides over two weights of microWakeWord's filter bank.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcugen.frontends.types import Array

WINDOW_BITS = 12
WEIGHT_BITS = 12
NOISE_BITS = 14
SNR_BITS = 12
LOG_SEGMENTS = 128
_SAMPLE_MAX = 32767

_f32 = np.float32
Float32 = Any  # numpy's float32, whose arithmetic type checkers do not follow


@functools.lru_cache(maxsize=64)
def window_coefficients(size: int) -> Array:
    """A Hann window over the middles of the samples, int16, 4096 is 1."""
    step = _f32(math.pi) * _f32(2) / _f32(size)
    cosines = np.array([math.cos(float(step * (_f32(i) + _f32(0.5)))) for i in range(size)], np.float32)
    values = _f32(0.5) - _f32(0.5) * cosines
    return np.asarray(np.floor(values * _f32(1 << WINDOW_BITS) + _f32(0.5)).astype(np.int16))


def radices(points: int) -> list[int]:
    """The radices of the transform's stages, the outermost first: fours, and a two where one is left."""
    found = []
    while points > 1:
        found.append(4 if points % 4 == 0 else 2)
        points //= found[-1]
    return found


@functools.lru_cache(maxsize=64)
def input_order(points: int) -> Array:
    """Which input stands at each place before the first stage, uint16: digits of its number in reverse."""

    def order(stages: list[int]) -> list[int]:
        if not stages:
            return [0]
        inner = order(stages[1:])
        return [first + stages[0] * i for first in range(stages[0]) for i in inner]

    return np.array(order(radices(points)), np.uint16)


@functools.lru_cache(maxsize=64)
def twiddles(points: int) -> Array:
    """exp(−2πi·k/points) for k < points, int16 (points, 2)."""
    return _unit([-2 * math.pi * k / points for k in range(points)])


@functools.lru_cache(maxsize=64)
def split_twiddles(points: int) -> Array:
    """What takes the spectrum of `points` complex values apart into that of twice as many real ones, int16 (…, 2)."""
    return _unit([-math.pi * ((k + 1) / points + 0.5) for k in range(points // 2)])


def _unit(phases: list[float]) -> Array:
    values = [[math.floor(0.5 + _SAMPLE_MAX * f(phase)) for f in (math.cos, math.sin)] for phase in phases]
    return np.array(values, np.int16)


@dataclass(frozen=True, eq=False)
class FilterBank:
    """Triangles on the mel scale. Each bin of the spectrum lies on the rising side of one channel, with `weights`,
    and on the falling side of the channel before, with the rest."""

    first_bin: int
    widths: Array
    """Bins on the rising side of each channel; one more for the falling side of the last. uint16."""
    weights: Array
    """int16 (bins, 2): the weight in its channel, and in the one before; 4096 is 1."""

    @property
    def end_bin(self) -> int:
        return self.first_bin + len(self.weights)


@functools.lru_cache(maxsize=64)
def filter_bank(channels: int, low_hz: float, high_hz: float, rate: int, bins: int) -> FilterBank:
    """The filter bank over `bins` bins from 0 Hz to half the rate. It may end beyond them: see `FilterBank.end_bin`."""
    low, high = _mel(_f32(low_hz)), _mel(_f32(high_hz))
    spacing = (high - low) / _f32(channels + 1)
    centres = [low + spacing * _f32(i + 1) for i in range(channels + 1)]
    hz_per_bin = _f32(0.5) * _f32(rate) / (_f32(bins) - _f32(1))
    first = at = int(_f32(1.5) + _f32(low_hz) / hz_per_bin)
    widths, weights = [], []
    for channel, centre in enumerate(centres):
        start, before = at, low if channel == 0 else centres[channel - 1]
        while (mel := _mel(_f32(at) * hz_per_bin)) <= centre:
            rising = (centre - mel) / (centre - before)
            weights.append([_weight(rising), _weight(_f32(1) - rising)])
            at += 1
        widths.append(at - start)
    return FilterBank(first, np.array(widths, np.uint16), np.array(weights, np.int16).reshape(-1, 2))


def _mel(hz: Float32) -> Float32:
    return _f32(_f32(1127) * log1p(hz / _f32(700)))


_LOG_SERIES = [_f32(2 / n) for n in (3, 5)] + [
    _f32(value) for value in (2.8571429849e-01, 2.2222198546e-01, 1.8183572590e-01, 1.5313838422e-01, 1.4798198640e-01)
]
_LIMIT, _HALVED = _f32(float.fromhex("0x1.a827aep-2")), _f32(float.fromhex("0x1.6a09eep0"))  # about √2 − 1 and √2
_LN2_HIGH, _LN2_LOW = _f32(6.9313812256e-01), _f32(9.0580006145e-06)


def log1p(x: Float32) -> Float32:
    """ln(1 + x) of x ≥ 0 in float32 arithmetic, with the last bit of Sun's method, which most libraries of C have.

    1 + x = 2^k · (1 + f) with f between √½ − 1 and √2 − 1; ln(1 + f) is a series in s² with s = f / (2 + f).
    """
    half = _f32(0.5)
    if x < _f32(2.0**-15):
        return _f32(x - x * x * half)
    k, lost, f, tiny = 0, _f32(0), x, False
    if x >= _LIMIT:
        total = _f32(1) + x
        mantissa, exponent = np.frexp(total)
        k = int(exponent) - 1
        lost = (_f32(1) - (total - x) if k > 0 else x - (total - _f32(1))) / total
        mantissa = mantissa * _f32(2)
        if mantissa >= _HALVED:
            mantissa, k = mantissa * half, k + 1
        f = mantissa - _f32(1)
        tiny = abs(f) < _f32(2.0**-20)
    square, high, low = half * f * f, _f32(k) * _LN2_HIGH, _f32(k) * _LN2_LOW + lost
    if tiny:
        if f == 0:
            return _f32(high + (lost + _f32(k) * _LN2_LOW))
        return _f32(high - ((square * (_f32(1) - _f32(2 / 3) * f) - low) - f))
    s = f / (_f32(2) + f)
    rest = _f32(0)
    for factor in reversed(_LOG_SERIES):
        rest = s * s * (factor + rest)
    if k == 0:
        return _f32(f - (square - s * (square + rest)))
    return _f32(high - ((square - (s * (square + rest) + low)) - f))


def _weight(value: Float32) -> int:
    rounded: int = math.floor(value * _f32(1 << WEIGHT_BITS) + _f32(0.5))
    return rounded


def gain_table(strength: float, offset: float, gain_bits: int, input_bits: int) -> Array:
    """(x / 2^input_bits + offset)^−strength · 2^gain_bits for any uint32 x, int16.

    Of x = 0 and 1 the gain itself; then for each number of bits from 2 to 32 three coefficients of a parabola.
    """

    def gain(x: int) -> int:
        base = float(_f32(x) / _f32(1 << input_bits) + _f32(offset))
        power = _f32(math.pow(base, -float(_f32(strength)))) if base > 0 else _f32(math.inf)
        value = _f32(1 << gain_bits) * power
        return _SAMPLE_MAX if value > _SAMPLE_MAX else int(value + _f32(0.5))

    found = [gain(0), gain(1)]
    for bits in range(2, 33):
        x0 = 1 << (bits - 1)
        x2 = 2 * x0 if bits < 32 else 2 * x0 - 1
        y0, y1, y2 = gain(x0), gain(x0 + (x0 >> 1)), gain(x2)
        slope = 4 * (y1 - y0) - (y2 - y0)
        found += [y0, slope, (y2 - y0) - slope]
    return np.array(found, np.int64).astype(np.int16)


def log_table() -> Array:
    """What log2(1 + x) is above x at the ends of its 128 segments, in 1/65536, uint16."""
    ends = [math.log2(1 + i / LOG_SEGMENTS) - i / LOG_SEGMENTS for i in range(LOG_SEGMENTS + 1)]
    return np.array([round(65536 * end) for end in ends], np.uint16)
