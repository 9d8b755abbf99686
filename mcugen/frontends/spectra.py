"""The arithmetic of the float32 audio front ends, in numpy: every operation rounded, in the order in which C has it.

So the C gives the same bytes, without libm but for sqrtf, which is exact everywhere.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from mcugen.frontends.types import Array

_f32 = np.float32


@functools.lru_cache(maxsize=32)
def window(size: int) -> Array:
    """A Hann window of that period, float32."""
    return np.array([0.5 - 0.5 * math.cos(2 * math.pi * i / size) for i in range(size)], np.float32)


@functools.lru_cache(maxsize=32)
def input_order(points: int) -> Array:
    """Which input stands at each place before the first stage: bits of its number in reverse, uint16."""
    bits = points.bit_length() - 1
    return np.array([int(f"{i:0{bits}b}"[::-1], 2) if bits else 0 for i in range(points)], np.uint16)


@functools.lru_cache(maxsize=32)
def turns(points: int) -> Array:
    """exp(−πi·k/points) for k < points, float32 (points, 2): those of the transform are every second."""
    phases = [math.pi * k / points for k in range(points)]
    return np.array([[math.cos(phase), -math.sin(phase)] for phase in phases], np.float32)


def powers(values: Array, points: int) -> Array:
    """|spectrum|² of real signals (n, 2·points) in all points + 1 bins, float32."""
    order, table = input_order(points), turns(points)
    re, im = (np.ascontiguousarray(values[:, part::2][:, order]) for part in (0, 1))
    size = 1
    while size < points:
        w = table[:: points // size][:size]
        re, im = (part.reshape(len(values), -1, 2, size) for part in (re, im))
        turned_re = re[:, :, 1] * w[:, 0] - im[:, :, 1] * w[:, 1]
        turned_im = re[:, :, 1] * w[:, 1] + im[:, :, 1] * w[:, 0]
        re = np.stack([re[:, :, 0] + turned_re, re[:, :, 0] - turned_re], axis=2).reshape(len(values), points)
        im = np.stack([im[:, :, 0] + turned_im, im[:, :, 0] - turned_im], axis=2).reshape(len(values), points)
        size *= 2
    low = np.arange(1, points // 2 + 1)
    high, half = points - low, _f32(0.5)
    even_re, even_im = half * (re[:, low] + re[:, high]), half * (im[:, low] - im[:, high])
    odd_re, odd_im = half * (im[:, low] + im[:, high]), half * (re[:, high] - re[:, low])
    w = table[low]
    turned_re, turned_im = odd_re * w[:, 0] - odd_im * w[:, 1], odd_re * w[:, 1] + odd_im * w[:, 0]
    made = np.empty((len(values), points + 1), np.float32)
    made[:, low] = _power(even_re + turned_re, even_im + turned_im)
    made[:, high] = _power(even_re - turned_re, turned_im - even_im)
    first, last = re[:, 0] + im[:, 0], re[:, 0] - im[:, 0]
    made[:, 0], made[:, points] = first * first, last * last
    return made


def _power(re: Array, im: Array) -> Array:
    return np.asarray(re * re + im * im)


def weighted(values: Array, weights: Array) -> Array:
    """Sums of values (n, count) times each row of weights (channels, count), from 0 on and in order, float32."""
    made = np.empty((len(values), len(weights)), np.float32)
    for channel, row in enumerate(weights):
        (used,) = np.nonzero(row)
        inside = slice(used[0], used[-1] + 1) if len(used) else slice(0, 0)
        products = values[:, inside] * row[inside]
        made[:, channel] = np.cumsum(products, axis=1, dtype=np.float32)[:, -1] + _f32(0) if len(used) else 0
    return made


def logarithm(values: Array) -> Array:
    """The natural logarithm of normal positive numbers, to about 1e-7 of its size, float32."""
    bits = values.view(np.int32)
    exponent = (bits - 0x3F3504F3) >> 23
    f = (bits - (exponent << 23)).view(np.float32) - _f32(1)
    s = f / (f + _f32(2))
    z = s * s
    rest = _f32(1 / 9)
    for n in (7, 5, 3):
        rest = _f32(1 / n) + z * rest
    rest = z * rest
    twice = s + s
    return np.asarray(exponent.astype(np.float32) * _f32(math.log(2)) + (twice + twice * rest))


def mel_weights(channels: int, low_hz: float, high_hz: float, rate: float, bins: int, scale: str, style: str) -> Array:
    """Triangles, float32 (channels, bins).

    Args:
        scale: "htk" or "slaney".
        style: "mel": triangles on the mel scale without the bin of 0 Hz, as tf.signal has them; "hz": on the
            frequencies, as librosa and torchaudio have them; "area": of these each with the same area.
    """
    frequencies = np.linspace(0, rate / 2, bins)
    edges = np.linspace(_to_mel(np.array(low_hz), scale), _to_mel(np.array(high_hz), scale), channels + 2)
    places = _to_mel(frequencies, scale)
    if style != "mel":
        edges, places = _to_hz(edges, scale), frequencies
    rising = (places[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - places[None]) / (edges[2:] - edges[1:-1])[:, None]
    weights = np.maximum(0, np.minimum(rising, falling))
    if style == "mel":
        weights[:, 0] = 0
    if style == "area":
        weights *= (2 / (edges[2:] - edges[:-2]))[:, None]
    return np.asarray(weights.astype(np.float32))


_LINEAR_STEP, _LOG_START, _LOG_STEP = 200 / 3, 1000.0, math.log(6.4) / 27
"""Slaney's scale: linear up to 1000 Hz, which is 15 mel, logarithmic from there on."""


def _to_mel(hz: Array, scale: str) -> Array:
    if scale == "htk":
        return np.asarray(2595 * np.log10(1 + hz / 700))
    above = _LOG_START / _LINEAR_STEP + np.log(np.maximum(hz, _LOG_START) / _LOG_START) / _LOG_STEP
    return np.where(hz < _LOG_START, hz / _LINEAR_STEP, above)


def _to_hz(mel: Array, scale: str) -> Array:
    if scale == "htk":
        return np.asarray(700 * (10 ** (mel / 2595) - 1))
    start = _LOG_START / _LINEAR_STEP
    return np.where(mel < start, mel * _LINEAR_STEP, _LOG_START * np.exp(_LOG_STEP * (mel - start)))


def cosine_transform(coefficients: int, channels: int, orthonormal: bool) -> Array:
    """DCT-II, float32 (coefficients, channels), times √(2/channels); orthonormal: the first row over √2 as well."""
    k, n = np.arange(coefficients)[:, None], np.arange(channels)[None]
    matrix = math.sqrt(2 / channels) * np.cos(math.pi * k * (2 * n + 1) / (2 * channels))
    if orthonormal:
        matrix[0] /= math.sqrt(2)
    return np.asarray(matrix.astype(np.float32))
