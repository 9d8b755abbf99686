"""The arithmetic of the fixed-point audio front end, in numpy: integers that wrap where C's do.

Windows, transform and filter bank are computed for many rows at once; noise reduction goes from row to row.
"""

from __future__ import annotations

import numpy as np

from mcugen.frontends.micro_tables import NOISE_BITS, SNR_BITS, WINDOW_BITS, FilterBank, radices
from mcugen.frontends.types import Array

_U32 = np.uint64(0xFFFFFFFF)


def bit_lengths(values: Array) -> Array:
    """The number of bits of unsigned integers below 2^53."""
    return np.asarray(np.frexp(values.astype(np.float64))[1].astype(np.int64))


def windowed(samples: Array, coefficients: Array) -> tuple[Array, Array]:
    """Windows (n, size) times the window, int32, scaled up as far as 16 bits allow; and by how many bits, (n,).

    −32768 does not count as a magnitude: its negative is itself in 16 bits.
    """
    values = (samples.astype(np.int32) * coefficients.astype(np.int32)) >> WINDOW_BITS
    most = np.maximum(_wrapped(np.abs(values)).max(axis=1), 0)
    shifts = 15 - bit_lengths(most)
    return _wrapped(values << shifts[:, None].astype(np.int32)), shifts


def spectrum(values: Array, order: Array, turns: Array, split: Array) -> tuple[Array, Array]:
    """Bins 0 … points − 1 of real signals (n, 2·points), real and imaginary, int32 of 16 bits; bin 0 is not computed.

    A transform of `points` complex values, which divides by the radix before every stage, then the split.
    """
    points = len(order)
    re, im = (np.ascontiguousarray(values[:, part::2][:, order]) for part in (0, 1))
    size = 1
    for radix in reversed(radices(points)):
        stride = points // (size * radix)
        k = np.arange(size)
        shape = (len(values), stride, radix, size)
        re, im = _stage(re.reshape(shape), im.reshape(shape), [turns[stride * q * k] for q in range(radix)])
        re, im = re.reshape(len(values), points), im.reshape(len(values), points)
        size *= radix
    low = np.arange(1, points // 2 + 1)
    high = points - low
    a = _divided(re[:, low], 2), _divided(im[:, low], 2)
    b = _divided(re[:, high], 2), _divided(_wrapped(-im[:, high]), 2)
    total = _wrapped(a[0] + b[0]), _wrapped(a[1] + b[1])
    turned = _product((_wrapped(a[0] - b[0]), _wrapped(a[1] - b[1])), split)
    out_re, out_im = np.zeros_like(re), np.zeros_like(im)
    out_re[:, low], out_im[:, low] = (total[0] + turned[0]) >> 1, (total[1] + turned[1]) >> 1
    out_re[:, high], out_im[:, high] = (total[0] - turned[0]) >> 1, (turned[1] - total[1]) >> 1
    return out_re, out_im


def _stage(re: Array, im: Array, turns: list[Array]) -> tuple[Array, Array]:
    """One stage over (n, groups, radix, size)."""
    radix = len(turns)
    parts = [(_divided(re[:, :, q], radix), _divided(im[:, :, q], radix)) for q in range(radix)]
    parts = [parts[0], *(_product(part, turn) for part, turn in zip(parts[1:], turns[1:], strict=True))]
    if radix == 2:
        (ar, ai), (br, bi) = parts
        made = [(ar + br, ai + bi), (ar - br, ai - bi)]
    else:
        (ar, ai), (br, bi), (cr, ci), (dr, di) = parts
        minus, plus = _pair(ar - cr, ai - ci), _pair(ar + cr, ai + ci)
        odd, cross = _pair(br + dr, bi + di), _pair(br - dr, bi - di)
        made = [
            (plus[0] + odd[0], plus[1] + odd[1]),
            (minus[0] + cross[1], minus[1] - cross[0]),
            (plus[0] - odd[0], plus[1] - odd[1]),
            (minus[0] - cross[1], minus[1] + cross[0]),
        ]
    return _wrapped(np.stack([m[0] for m in made], axis=2)), _wrapped(np.stack([m[1] for m in made], axis=2))


def _pair(re: Array, im: Array) -> tuple[Array, Array]:
    return _wrapped(re), _wrapped(im)


def _wrapped(values: Array) -> Array:
    """As int16 keeps them, in int32."""
    return np.asarray(values.astype(np.int16).astype(np.int32))


def _rounded(values: Array) -> Array:
    return _wrapped((values + (1 << 14)) >> 15)


def _divided(values: Array, by: int) -> Array:
    return _rounded(values * (32767 // by))


def _product(value: tuple[Array, Array], turn: Array) -> tuple[Array, Array]:
    re, im = turn[..., 0].astype(np.int32), turn[..., 1].astype(np.int32)
    return _rounded(value[0] * re - value[1] * im), _rounded(value[0] * im + value[1] * re)


def magnitudes(re: Array, im: Array, bank: FilterBank, shifts: Array) -> Array:
    """The root of each channel's energy (n, channels), uint64 below 2^32, with the scaling of the window undone."""
    used = slice(bank.first_bin, bank.end_bin)
    power = (re[:, used].astype(np.int64) ** 2 + im[:, used].astype(np.int64) ** 2).astype(np.int32)
    ends = np.concatenate([[0], np.cumsum(bank.widths, dtype=np.int64)])
    rising, falling = (_sums(power.astype(np.int64) * bank.weights[:, i].astype(np.int64), ends) for i in (0, 1))
    energy = (rising[:, 1:] + falling[:, :-1]).astype(np.uint64)
    return np.asarray(roots(energy) >> shifts[:, None].astype(np.uint64))


def _sums(products: Array, ends: Array) -> Array:
    """Sums of the columns between each end and the next, modulo 2^64."""
    running = np.concatenate([np.zeros((len(products), 1), np.int64), np.cumsum(products, axis=1)], axis=1)
    return np.asarray(running[:, ends[1:]] - running[:, ends[:-1]])


def roots(values: Array) -> Array:
    """Square roots of uint64, rounded to the nearest but for 2^16 and 2^32, which 16 and 32 bits do not hold."""
    root = np.minimum(np.floor(np.sqrt(values.astype(np.float64))), 0xFFFFFFFF).astype(np.uint64)
    root -= (root * root > values).astype(np.uint64)
    root -= (root * root > values).astype(np.uint64)
    root += ((root < _U32) & ((root + 1) * (root + 1) <= values)).astype(np.uint64)
    up = (values - root * root > root) & (root != np.where(values <= _U32, np.uint64(0xFFFF), _U32))
    return np.asarray(root + up.astype(np.uint64))


class NoiseReduction:
    """Subtracts from each channel an estimate of its noise, a slow mean; even and odd channels are slow in their own
    way."""

    def __init__(self, channels: int, bits: int, even: int, odd: int, least: int) -> None:
        self._bits, self._least = np.uint64(bits), np.uint64(least)
        self._share = np.where(np.arange(channels) % 2 == 0, even, odd).astype(np.uint64)
        self.estimate: Array = np.zeros(channels, np.uint64)

    def row(self, signal: Array) -> Array:
        """The signal (channels,) without its noise, which `estimate` then holds."""
        scaled = (signal << self._bits) & _U32
        estimate = (scaled * self._share + self.estimate * (np.uint64(1 << NOISE_BITS) - self._share)) >> np.uint64(
            NOISE_BITS
        )
        self.estimate = estimate & _U32
        left = (scaled - np.minimum(self.estimate, scaled)) >> self._bits
        return np.asarray(np.maximum(left, ((signal * self._least) >> np.uint64(NOISE_BITS)) & _U32))


def amplified(signals: Array, estimates: Array, gains: Array, shift: int) -> Array:
    """Per-channel amplitude normalization (PCAN): signals (n, channels) by a gain that falls with the noise."""
    gain = _gain(estimates, gains).astype(np.uint64) & _U32
    snr = ((signals * gain) >> np.uint64(shift)) & _U32
    small = (snr * snr) >> np.uint64(2 + 2 * SNR_BITS - 6)
    return np.asarray(np.where(snr < 2 << SNR_BITS, small, (snr >> np.uint64(SNR_BITS - 6)) - np.uint64(64)) & _U32)


def _gain(x: Array, gains: Array) -> Array:
    bits = bit_lengths(x)
    at = np.maximum(3 * bits - 4, 0)
    base, slope, bend = (gains[np.minimum(at + i, len(gains) - 1)].astype(np.int64) for i in range(3))
    aligned = np.where(
        bits < 11, x << np.maximum(11 - bits, 0).astype(np.uint64), x >> np.maximum(bits - 11, 0).astype(np.uint64)
    )
    part = (aligned & np.uint64(0x3FF)).astype(np.int64)
    curve = (((bend * part) >> 5) + (slope << 5)).astype(np.int32).astype(np.int64)
    curve = (curve * part).astype(np.int32).astype(np.int64)
    value = (((curve + (1 << 14)).astype(np.int32).astype(np.int64)) >> 15) + base
    return np.where(x <= 2, gains[np.minimum(x, 2).astype(np.int64)], value.astype(np.int16)).astype(np.int64)


def logarithms(values: Array, table: Array, correction: int, scale_shift: int) -> Array:
    """Natural logarithms times 2^scale_shift of values (n, channels) shifted by `correction` bits; 0 of 0 and 1."""
    x = values >> np.uint64(-correction) if correction < 0 else (values << np.uint64(correction)) & _U32
    exponent = bit_lengths(np.maximum(x, 1)) - 1
    rest = x.astype(np.int64) - (np.int64(1) << exponent)
    part = np.where(exponent < 16, rest << np.maximum(16 - exponent, 0), rest >> np.maximum(exponent - 16, 0))
    segment = np.clip(part >> 9, 0, len(table) - 2)
    low, high = table[segment].astype(np.int64), table[segment + 1].astype(np.int64)
    log2 = (exponent << 16) + part + low + (((high - low) * (part - (segment << 9))) >> 16)
    natural = ((45426 * log2 + 32768) >> 16) & 0xFFFFFFFF
    scaled = ((((natural << scale_shift) & 0xFFFFFFFF) + 32768) & 0xFFFFFFFF) >> 16
    return np.asarray(np.where(x > 1, scaled, 0).astype(np.uint64))
