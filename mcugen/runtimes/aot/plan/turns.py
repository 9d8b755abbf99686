"""When which bytes of a block are in use, turn by turn, and how near to each other blocks may lie therefore.

A turn is a step, or in a pipeline a stripe. The first turn is the time before all steps, the last one that after them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcugen.runtimes.aot.plan.layout import aligned
from mcugen.runtimes.aot.plan.schedule import CALLER, Schedule
from mcugen.runtimes.aot.plan.types import Step


@dataclass(frozen=True)
class Span:
    """Steps that become a pipeline: `first` to `last`, both inclusive."""

    first: int
    last: int

    def __contains__(self, step: int) -> bool:
        return self.first <= step <= self.last


@dataclass(frozen=True, eq=False)
class Use:
    """By turn where the bytes in use of a block of `size` bytes begin and end; where none are, both are 0."""

    size: int
    begin: NDArray[np.int64]
    end: NDArray[np.int64]


class Turns:
    """The turns of a whole plan."""

    def __init__(self, steps: Sequence[Step], schedules: Mapping[Span, Schedule]) -> None:
        self._schedules = schedules
        runs: list[int] = [CALLER]  # by turn the step
        self._starts: dict[Span, int] = {}
        for n in range(len(steps)):
            span = next((span for span in schedules if n in span), None)
            if span is None:
                runs.append(n)
            elif n == span.first:
                self._starts[span] = len(runs)
                runs += schedules[span].turns
        runs.append(len(steps))
        self._runs = np.array(runs)
        self.steps = self._runs.copy()  # rows of the caller belong to the pipeline's first step
        for span, start in self._starts.items():
            stop = start + len(schedules[span].turns)
            self.steps[start:stop] = np.maximum(self.steps[start:stop], span.first)
        first = np.zeros(len(steps) + 2, np.int64)
        last = np.zeros(len(steps) + 2, np.int64)
        for n in range(len(steps)):
            at = np.flatnonzero(self._runs == n)
            first[n], last[n] = at[0], at[-1]
        first[len(steps)] = last[len(steps)] = len(runs) - 1
        self._first, self._last = first, last  # position −1 is 0, the time before

    def alive(self, size: int, first: int, last: int) -> Use:
        """A block that is in use as a whole from one step to another."""
        begin, end = self._nothing()
        end[self._first[first] : self._last[last] + 1] = size
        return Use(size, begin, end)

    def tensor(self, size: int, first: int, last: int, tracked: Mapping[Span, int]) -> Use:
        """The same of a block of whose tensors pipelines keep track."""
        begin, end = self._nothing()
        end[self._first[first] : self._last[last] + 1] = size
        for span, tensor in tracked.items():
            track = self._schedules[span].tracks[tensor]
            start = self._starts[span]
            stop = start + len(track.begin)
            begin[start:stop], end[start:stop] = track.begin, track.end
        return Use(size, begin, end)

    def scratch(self, step: int, size: int, *, kept: bool) -> Use:
        """The scratch of a step: in use while it runs; where it is `kept`, from its first stripe to the last."""
        begin, end = self._nothing()
        turns = np.flatnonzero(self._runs == step)
        end[turns] = size
        if kept:
            end[turns[0] : turns[-1] + 1] = size
        return Use(size, begin, end)

    def steps_of(self, use: Use) -> tuple[int, int]:
        """The first and the last step that run while a block is in use."""
        running = self.steps[np.flatnonzero(use.end > use.begin)]
        return (int(running.min()), int(running.max())) if running.size else (0, 0)

    def _nothing(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return np.zeros(len(self.steps), np.int64), np.zeros(len(self.steps), np.int64)


def lives_of(uses: Sequence[Use]) -> list[tuple[int, int]]:
    """The first and the last turn in which each block is in use."""
    found = []
    for use in uses:
        turns = np.flatnonzero(use.end > use.begin)
        found.append((int(turns[0]), int(turns[-1])) if turns.size else (0, 0))
    return found


def distances(uses: Sequence[Use], leads: Mapping[tuple[int, int], int]) -> dict[tuple[int, int], int]:
    """By pairs (lower, upper) of blocks in use at once how far the upper one must begin after the lower one.

    Args:
        leads: pairs that are in use at once in one turn only, in which they may be so near.
    """
    begins, ends = np.array([use.begin for use in uses]), np.array([use.end for use in uses])
    alive = ends > begins
    found = {}
    for lower in range(len(uses)):
        together = alive[lower] & alive
        apart = np.where(together, ends[lower] - begins, np.iinfo(np.int64).min).max(axis=1)
        for upper in np.flatnonzero(together.any(axis=1)):
            if upper != lower:
                found[lower, int(upper)] = aligned(int(apart[upper]))
    for pair, lead in leads.items():
        if pair in found:
            found[pair] = min(found[pair], aligned(lead))
    return found
