"""Which of several quantized forms is better, and which is taken."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mcugen.tune.types import Trial

TOLERANCE = 0.1
"""Percentage points that count as none: a sample more or less."""
UNLABELLED_ENOUGH = 3.0
"""Relative error of the outputs in percent, 30.5 dB, below which better outputs change no decision."""
_STEP = 0.25
_CHEAP = 1.02


def enough(max_drop: float | None, *, labelled: bool) -> float:
    """How much may be lost, so that more exact forms are not worth their cost."""
    if not labelled:
        return UNLABELLED_ENOUGH
    return TOLERANCE if max_drop is None else max_drop


def rank(trial: Trial) -> tuple[int, float, float]:
    """Smaller is better: what can be used, then what is lost in coarse steps, then the signal to noise ratio.

    A metric moves by whole samples; between these the ratio tells which way is up.
    """
    if trial.lost is None:
        return 2, 0.0, 0.0
    steps = math.floor(max(trial.lost, 0.0) / _STEP)
    return int(not trial.usable), steps, -_sqnr(trial)


def choose(trials: Sequence[Trial], usable: Sequence[int], goal: float) -> tuple[int, str]:
    """The trial to take, and why: the most exact of the cheapest of those that are good enough.

    Args:
        usable: positions of the trials that keep to the budget, at least one.
        goal: what may be lost.
    """
    lost = {n: trials[n].lost or 0.0 for n in usable}
    limit = max(min(lost.values()) + TOLERANCE, goal)
    near = [n for n in usable if lost[n] <= limit + 1e-9]
    price = _prices(trials, near)
    cheap = [n for n in near if price[n] <= _CHEAP * min(price.values())]
    chosen = min(cheap, key=lambda n: (round(max(lost[n], 0.0) / TOLERANCE), -_sqnr(trials[n]), n))
    count = f"{len(near)} of {len(trials)} trials lose no more than {limit:.2g}"
    return chosen, f"{count}; of the cheapest of these it has the least error"


def front(trials: Sequence[Trial], usable: Sequence[int]) -> tuple[int, ...]:
    """Positions of the trials that no other one equals or beats in loss, error, flash, RAM and work alike; best first.

    Of equal ones the first is kept.
    """
    kept: list[int] = []
    # Whatever beats a trial comes before it in this order.
    for n in sorted(usable, key=lambda n: (_figures(trials[n]), n)):
        mine = _figures(trials[n])
        if not any(all(a <= b for a, b in zip(_figures(trials[k]), mine, strict=True)) for k in kept):
            kept.append(n)
    return tuple(kept)


def _prices(trials: Sequence[Trial], near: Sequence[int]) -> dict[int, float]:
    """Cost of each trial in comparable numbers: flash, RAM and run time as parts of the least ones, added up."""
    costs = {n: cost for n in near if (cost := trials[n].cost) is not None}
    measured = all(cost.instructions is not None for cost in costs.values())
    figures = {
        n: (cost.flash, cost.ram, (cost.instructions if measured else cost.work) or 0) for n, cost in costs.items()
    }
    least = [max(1, min(column)) for column in zip(*figures.values(), strict=True)]
    return {n: sum(value / one for value, one in zip(row, least, strict=True)) for n, row in figures.items()}


def _figures(trial: Trial) -> tuple[float, float, int, int, int]:
    """What is to be small."""
    assert trial.cost is not None
    assert trial.lost is not None
    cost = trial.cost
    return round(max(trial.lost, 0.0) / TOLERANCE), -_sqnr(trial), cost.flash, cost.ram, cost.work


def _sqnr(trial: Trial) -> float:
    return math.inf if trial.sqnr_db is None else trial.sqnr_db
