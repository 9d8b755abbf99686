"""Ways to scale samples: pixels up to 255, up to 1, from −1 to 1. A model does not say which it learned with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"0…1": (0.0, 1.0), "−1…1": (-1.0, 1.0), "0…255": (0.0, 255.0)}
)
"""By how people write it, the range that values have."""

_HOW: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("0…1", "−1…1"): "doubled, less 1",
        ("0…1", "0…255"): "multiplied by 255",
        ("−1…1", "0…1"): "plus 1, halved",
        ("−1…1", "0…255"): "plus 1, multiplied by 127.5",
        ("0…255", "0…1"): "divided by 255",
        ("0…255", "−1…1"): "divided by 127.5, less 1",
    }
)
"""How values come from one of the ranges into another."""
STANDARDIZED = "less the mean of their column and divided by its deviation"
_IMAGE_VALUES = 16
"""Samples with fewer values are no images."""
_DARKEST_BYTES = 32.0
"""Bytes of images reach beyond this; what stays below has a scale of its own."""
_ROOM = 1e-3
_FEWEST, _TRIED = 10, 100
"""Samples that tell something, and those that are tried in other scalings."""
_ALL, _SPREAD = 0.95, 0.7
"""Shares of the most frequent class: of a model that cannot tell the samples apart, and of one that can."""


def range_text(values: NDArray[np.generic]) -> str:
    """Where values lie, as people write it: 0…255."""
    return f"{_number(float(values.min()))}…{_number(float(values.max()))}"


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")


def reading_of(values: NDArray[np.float32]) -> str | None:
    """Which of `RANGES` the values of samples (N, …) come in; None if they are no images or have another range."""
    if not values.size or values[0].size < _IMAGE_VALUES:
        return None
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1 + _ROOM:
        return "0…1"
    if low >= -1 - _ROOM and high <= 1 + _ROOM:
        return "−1…1"
    return "0…255" if low >= 0 and _DARKEST_BYTES < high <= 255 else None


def other_readings(values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """The same samples (N, …) as they would be if they were scaled otherwise, by how."""
    found: dict[str, NDArray[np.float32]] = {}
    given = reading_of(values)
    if given is not None:
        low, high = RANGES[given]
        unit = (values - low) / (high - low)
        for name, (bottom, top) in RANGES.items():
            if name != given:
                found[_HOW[given, name]] = np.asarray(bottom + unit * (top - bottom), np.float32)
        return found
    deviation = values.std(axis=0)
    if len(values) > 1 and float(deviation.max()) > 0:
        found[STANDARDIZED] = np.asarray(
            (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1), np.float32
        )
    return found


def one_class_unless_scaled(
    values: NDArray[np.float32], answers: NDArray[np.generic], run: Callable[[NDArray[np.float32]], NDArray[np.generic]]
) -> list[str]:
    """What to say of a classifier that gives one class to all images, and several to the same images scaled otherwise.

    Args:
        values: the samples, (N, …).
        answers: what it gives for them, (N, classes).
        run: gives its answers for other samples.
    """
    given = reading_of(values)
    if given is None or len(values) < _FEWEST or answers.shape[1] < 2 or answers[0].size == values[0].size:
        return []
    if not (values != values[0]).any() or _commonest(answers) < _ALL:
        return []
    some = values[np.linspace(0, len(values) - 1, min(len(values), _TRIED)).astype(int)]
    ways = other_readings(some)
    outputs = run(np.concatenate(list(ways.values()))).reshape(len(ways) * len(some), -1)
    shares = {how: _commonest(part) for how, part in zip(ways, np.split(outputs, len(ways)), strict=True)}
    how = min(shares, key=lambda name: shares[name])
    if shares[how] > _SPREAD:
        return []
    return [
        f"the float model gives the same class to {_commonest(answers):.0%} of the samples as they are ({given}), but "
        f"tells them apart if they are {how}: are they scaled as in training?"
    ]


def _commonest(answers: NDArray[np.generic]) -> float:
    """The share of the class that is given most often."""
    return float(np.bincount(np.asarray(answers).argmax(axis=1)).max() / len(answers))
