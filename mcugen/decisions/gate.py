"""When scores become an event: after some inferences in a row, with hysteresis, and not too often."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from mcugen.decisions.types import Kind, ModelIO
from mcugen.errors import DataError
from mcugen.toml_table import Table

_MOST = 1 << 20
_LONGEST_MS = 3_600_000
_MOST_DIGITS = 20


@dataclass(frozen=True)
class Gate:
    """The gate of a model. `refractory` is in inferences, from a start to the earliest next one."""

    consecutive: int
    refractory: int

    @property
    def initializer(self) -> str:
        return f"{{{self.consecutive}, {self.refractory}}}"


STATE_BYTES = 12
"""Of the gate, on a 32-bit core."""


@dataclass(frozen=True)
class GateWanted:
    """What a pipeline file says. `release` is the lower bound of hysteresis, in the unit of `threshold`."""

    threshold: float
    release: float
    smooth: int
    consecutive: int
    refractory_ms: float
    refractory: int

    def bind(self, model: ModelIO) -> Gate:
        """The gate, with times in inferences.

        Raises:
            DataError: milliseconds, but the signal has no rate.
        """
        if not self.refractory_ms:
            return Gate(self.consecutive, self.refractory)
        if model.period is None:
            raise DataError(
                "is a time, but the signal has no rate",
                where="[decision] refractory_ms",
                hint="Give `rate` in [input], or `refractory` in inferences",
            )
        return Gate(self.consecutive, math.ceil(self.refractory_ms / 1000 / model.period))

    def at(self, threshold: float) -> GateWanted:
        """The same with another threshold; a release that was below it stays, as far as it can, others move with it."""
        release = threshold if self.release == self.threshold else min(self.release, threshold)
        return replace(self, threshold=threshold, release=release)


def parse_gate(table: Table, high: float, longest: int) -> GateWanted:
    """The fields that all decisions have; thresholds go up to `high`, windows up to `longest` inferences."""
    threshold = table.number("threshold", 0.0, high)
    release = table.number("release", 0.0, high, threshold)
    if release > threshold:
        raise table.error("release", f"is {release:g}, more than the threshold {threshold:g}")
    gate = GateWanted(
        threshold=threshold,
        release=release,
        smooth=table.integer("smooth", 1, longest, 1),
        consecutive=table.integer("consecutive", 1, _MOST, 1),
        refractory_ms=table.number("refractory_ms", 0.0, _LONGEST_MS, 0.0),
        refractory=table.integer("refractory", 0, _MOST, 0),
    )
    if gate.refractory and gate.refractory_ms:
        raise table.error("refractory", "and refractory_ms both say how long nothing starts: give one of them")
    return gate


def bound(threshold: float, unit: Fraction) -> int:
    """The largest integer that is not above a threshold, in units: a sum is above the threshold if above this."""
    return math.floor(Fraction(threshold) / unit)


def shortest_threshold(score: int, unit: Fraction) -> float:
    """The decimal with the fewest digits whose `bound` is a score that is not negative: the next larger is above it.

    Scores beyond the precision of a float get the nearest one.
    """
    first = max(0, math.floor(-math.log10(unit)) - 1)
    for digits in range(first, first + _MOST_DIGITS):
        least = math.ceil(score * unit * 10**digits)
        for number in (least, least + 1):  # a float may lie below the very decimal
            threshold = float(Fraction(number, 10**digits))
            if bound(threshold, unit) == score:
                return threshold
    return float(score * unit)


class GateReference:
    """The gate at work."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.reset()

    def reset(self) -> None:
        self.above = self.wait = 0
        self.is_active = False

    def update(self, above_upper: bool, above_lower: bool) -> Kind | None:
        self.wait = max(0, self.wait - 1)
        self.above = min(self.above + 1, self._gate.consecutive) if above_upper else 0
        if self.is_active:
            self.is_active = above_lower
            return None if above_lower else "end"
        if self.above < self._gate.consecutive or self.wait:
            return None
        self.is_active, self.wait = True, self._gate.refractory
        return "start"
