"""Where a sequence repeats itself: the rounds of an unrolled loop among a model's ops."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from mcugen.graph.types import Graph, Op

_LONGEST = 256
"""Ops of one round, at most."""

_LEAST_ROUNDS = 3


@dataclass(frozen=True)
class Repeat:
    """A stretch that is said several times: `rounds` times `period` items, from item `start` on."""

    start: int
    period: int
    rounds: int

    @property
    def end(self) -> int:
        """The first item behind it."""
        return self.start + self.period * self.rounds

    @property
    def saved(self) -> int:
        """Items that need not be said, as the first round says them."""
        return self.period * (self.rounds - 1)


def repeats(items: Sequence[Hashable], *, least_saved: int = 4) -> list[Repeat]:
    """The stretches that repeat, in order, none over another: those that save most first, then what is left beside.

    A stretch counts with three rounds and more, and if it saves `least_saved` items.
    """
    numbers: dict[Hashable, int] = {}
    found: list[Repeat] = []
    pending = [(0, [numbers.setdefault(item, len(numbers)) for item in items])]
    while pending:
        start, part = pending.pop()
        best = _best(part)
        if best is None or best.saved < least_saved:
            continue
        found.append(Repeat(start + best.start, best.period, best.rounds))
        pending += [(start, part[: best.start]), (start + best.end, part[best.end :])]
    return sorted(found, key=lambda repeat: repeat.start)


def _best(part: Sequence[int]) -> Repeat | None:
    """The stretch that saves most; of equal ones the shortest period."""
    best: Repeat | None = None
    for period in range(1, min(_LONGEST, len(part) // _LEAST_ROUNDS) + 1):
        run = 0
        for position in range(len(part) - period + 1):
            if position + period < len(part) and part[position] == part[position + period]:
                run += 1
                continue
            rounds = run // period + 1
            if rounds >= _LEAST_ROUNDS and (best is None or period * (rounds - 1) > best.saved):
                best = Repeat(position - run, period, rounds)
            run = 0
    return best


def weights_of(graph: Graph, op: Op) -> tuple[bytes, ...]:
    """What tells an op's weights from others': digests of its constants of two dimensions and more."""
    constants = [graph.tensor(i).data for i in op.inputs if i >= 0]
    return tuple(hashlib.sha256(data.tobytes()).digest() for data in constants if data is not None and data.ndim > 1)


def in_rounds(graph: Graph, ops: Sequence[Op]) -> list[tuple[int, ...]]:
    """Numbers of the ops, those that are one op in the rounds of an unrolled layer together; in order of the first."""
    keys = [(op.kind, weights_of(graph, op), graph.output_of(op).shape) for op in ops]
    groups: dict[int, list[int]] = {}
    firsts = {
        n: repeat.start + (n - repeat.start) % repeat.period
        for repeat in repeats(keys)
        if any(keys[n][1] for n in range(repeat.start, repeat.start + repeat.period))
        for n in range(repeat.start, repeat.end)
    }
    for n in range(len(ops)):
        groups.setdefault(firsts.get(n, n), []).append(n)
    return [tuple(numbers) for numbers in groups.values()]
