"""Statistics of an activation, and the ranges that calibration methods choose from them.

Values are counted in bins that are each 2 % wide, so that one huge value does not blur all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.choices import Method

Range = tuple[float, float]
Counts = NDArray[np.int64]

_PER_OCTAVE = 32
_LOWEST = -64  # log2 of the smallest magnitude that is told from zero
_SIDE = 128 * _PER_OCTAVE
BINS = 2 * _SIDE + 1
"""Negative magnitudes from the largest down, zero, positive ones from the smallest up."""

_LEVELS = 256
_FINE = 8
_CUTS = np.exp2(-np.arange(0, 65) / 8)
"""Parts of an end that are tried: down to 1/256 in steps of an eighth of an octave."""


def count(values: NDArray[np.floating]) -> Counts:
    """How many of the values fall into each bin, (BINS,)."""
    flat = np.asarray(values, np.float64).reshape(-1)
    size = np.abs(flat)
    seen = size >= 2.0**_LOWEST
    position = np.floor((np.log2(size[seen]) - _LOWEST) * _PER_OCTAVE).astype(np.int64)
    position = np.minimum(position, _SIDE - 1) + 1
    counts = np.bincount(_SIDE + np.where(flat[seen] > 0, position, -position), minlength=BINS)
    counts[_SIDE] = flat.size - np.count_nonzero(seen)
    return np.asarray(counts, np.int64)


@dataclass(frozen=True, eq=False)
class Statistics:
    """What is known of an activation: `counts` of all its values, and the `mean` of each element over the samples."""

    counts: Counts
    mean: NDArray[np.float64]


class Sums:
    """Gathers the statistics of one activation, sample by sample."""

    def __init__(self) -> None:
        self._counts: Counts = np.zeros(BINS, np.int64)
        self._sum: NDArray[np.float64] | None = None
        self._samples = 0

    def add(self, values: NDArray[np.floating]) -> None:
        """One sample. Values that are not finite are left out: ranges show them."""
        real = np.nan_to_num(np.asarray(values, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        self._counts += count(real)
        self._sum = real if self._sum is None else self._sum + real
        self._samples += 1

    def statistics(self) -> Statistics:
        """Of all samples so far, at least one."""
        assert self._sum is not None
        return Statistics(self._counts, self._sum / self._samples)


def clip_range(method: Method, counts: Counts, observed: Range, percentile: float) -> Range:
    """The range that a method chooses within the observed one.

    Args:
        counts: of all values, see :func:`count`.
        observed: smallest and largest value.
        percentile: for "percentile", how many percent of the values lie below the upper end, and above the lower one.
    """
    if method == "minmax":
        return observed
    if method == "percentile":
        return _percentile(counts, observed, percentile)
    low, high = min(observed[0], 0.0), max(observed[1], 0.0)  # quantized ranges hold 0
    if low == high:
        return observed
    return _least_error(counts, (low, high)) if method == "mse" else _least_divergence(counts, (low, high))


def _percentile(counts: Counts, observed: Range, percentile: float) -> Range:
    total = np.concatenate([[0.0], np.cumsum(counts)])
    share = percentile / 100 * total[-1]
    low, high = (float(np.interp(target, total, _edges())) for target in (total[-1] - share, share))
    low, high = max(low, observed[0]), min(high, observed[1])
    # Where nearly all values are zero, the others are what counts.
    return (low, high) if max(high, 0) - min(low, 0) > 2.0**_LOWEST * 4 else observed


def _least_error(counts: Counts, whole: Range) -> Range:
    """The range with the least squared error: the upper end is searched first, then the lower one, then both again."""
    low, high = whole
    for _ in range(2):
        if whole[1] > 0:
            high = min((whole[1] * cut for cut in _CUTS), key=lambda end: _squared_error(counts, (low, end)))
        if whole[0] < 0:
            low = min((whole[0] * cut for cut in _CUTS), key=lambda end: _squared_error(counts, (end, high)))
    return float(low), float(high)


def _least_divergence(counts: Counts, whole: Range) -> Range:
    """The range with the least divergence among those that cut both ends at the same magnitude."""
    largest = max(-whole[0], whole[1])
    ranges = [(max(whole[0], -largest * cut), min(whole[1], largest * cut)) for cut in _CUTS]
    low, high = min(ranges, key=lambda ends: _divergence(counts, ends))
    return float(low), float(high)


def _squared_error(counts: Counts, ends: Range) -> float:
    """Expected squared error of 8 bits: of clipping exactly, of rounding step²/12, or v² where v becomes 0."""
    used = np.flatnonzero(counts)
    values = _centres()[used]
    step = (ends[1] - ends[0]) / (_LEVELS - 1)
    clipped = (values - np.clip(values, *ends)) ** 2
    rounded = np.where(np.abs(values) < step / 2, values**2, step**2 / 12)
    inside = (values >= ends[0]) & (values <= ends[1])
    return float(np.sum(counts[used] * np.where(inside, rounded, clipped)))


def _divergence(counts: Counts, ends: Range) -> float:
    """Kullback-Leibler divergence of the clipped values' distribution from the one that 8 bits tell apart.

    As TensorRT's calibration does it (S. Migacz, "8-bit Inference with TensorRT", GTC 2017): what is clipped belongs to
    the distribution's ends; the quantized one spreads each level evenly over its bins that were seen.
    """
    total = np.concatenate([[0.0], np.cumsum(counts)])
    grid = np.linspace(*ends, _LEVELS * _FINE + 1)
    inside = np.diff(np.interp(grid, _edges(), total))
    real = inside.copy()
    real[0] += np.interp(grid[0], _edges(), total)
    real[-1] += total[-1] - np.interp(grid[-1], _edges(), total)
    groups = inside.reshape(_LEVELS, _FINE)
    seen = groups > 0
    level = groups.sum(axis=1, keepdims=True) / np.maximum(seen.sum(axis=1, keepdims=True), 1)
    quantized = np.where(seen, level, 0.0).reshape(-1)
    if not quantized.sum():
        return float("inf")
    p, q = real / real.sum(), quantized / quantized.sum()
    used = p > 0
    return float(np.sum(p[used] * np.log(p[used] / np.maximum(q[used], 1e-12))))


def _edges() -> NDArray[np.float64]:
    """Ends of the bins, (BINS + 1,), ascending."""
    side = np.exp2(_LOWEST + np.arange(_SIDE + 1) / _PER_OCTAVE)
    return np.concatenate([-side[::-1], side])


def _centres() -> NDArray[np.float64]:
    edges = _edges()
    return (edges[1:] + edges[:-1]) / 2
