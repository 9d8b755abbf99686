"""Draws how a tensor's values are distributed, in float and quantized."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 240.0, 72.0


@dataclass(frozen=True)
class Outlines:
    """Two SVG paths in WIDTH × HEIGHT: an area for the quantized values, a line for the float ones.

    `zero` is where the value 0 lies, None if the bins do not reach it.
    """

    quantized: str
    floats: str
    zero: float | None


def draw_histogram(facts: Mapping[str, Any]) -> Outlines:
    """Both histograms over the same bins. Heights are logarithms of counts: most values of a ReLU are zeros."""
    most = max(*facts["float_counts"], *facts["quantized_counts"], 1)
    quantized, floats = (_steps(facts[name], most) for name in ("quantized_counts", "float_counts"))
    low, high = facts["low"], facts["high"]
    zero = round(-low / (high - low) * WIDTH, 2) if low < 0 < high else None
    return Outlines(f"M0 {HEIGHT:g}{quantized}V{HEIGHT:g}Z", f"M0 {HEIGHT:g}{floats}", zero)


def _steps(counts: Sequence[int], most: int) -> str:
    """The upper outline, from left to right."""
    wide = WIDTH / len(counts)
    tall = (HEIGHT - 2) / math.log1p(most)
    return "".join(f"V{HEIGHT - tall * math.log1p(count):.1f}H{(n + 1) * wide:.2f}" for n, count in enumerate(counts))
