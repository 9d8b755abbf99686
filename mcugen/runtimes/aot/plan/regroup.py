"""Some blocks of an arena put together anew, without the others.

Blocks that share bytes while both are in use (an output that follows behind its input, rings) keep their distance,
which has been checked. All others may lie anywhere, if they share nothing with what is in use at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mcugen.runtimes.aot.plan.layout import Block, aligned
from mcugen.runtimes.aot.plan.types import Plan


@dataclass(frozen=True)
class _Placed(Block):
    """A block by its number, and where it begins: in its group, or before."""

    number: int
    at: int

    def shares(self, other: _Placed) -> bool:
        return self.overlaps(other) and self.at < other.at + other.size and other.at < self.at + self.size


def regrouped(plan: Plan, numbers: Sequence[int]) -> tuple[dict[int, int], int]:
    """New offsets of some of a plan's buffers, by their position, and the size of what they take together."""
    blocks = [_in_use(plan, n) for n in sorted(numbers)]
    low = min(block.at for block in blocks)
    best = {block.number: block.at - low for block in blocks}
    best_size = max(best[block.number] + block.size for block in blocks)
    groups = _groups(blocks)
    for key in (_by_size, _by_place, _by_time):
        offsets, size = _first_fit(sorted(groups, key=key))
        if size < best_size:
            best, best_size = offsets, size
    return best, best_size


def _in_use(plan: Plan, number: int) -> _Placed:
    """A block, and when it is in use: all of a pipeline that it takes part in, whose steps take turns."""
    buffer = plan.buffers[number]
    first, last = buffer.first, buffer.last
    for pipeline in plan.pipelines:
        if buffer.first <= pipeline.last and pipeline.first <= buffer.last:
            first, last = min(first, pipeline.first), max(last, pipeline.last)
    return _Placed(aligned(buffer.size), first, last, number, buffer.offset)


Group = list[_Placed]


def _groups(blocks: Sequence[_Placed]) -> list[Group]:
    """Blocks that share bytes, directly or through others; each group begins at 0."""
    groups: list[Group] = []
    for block in blocks:
        near = [group for group in groups if any(block.shares(other) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([block, *(other for group in near for other in group)])
    found = []
    for group in groups:
        low = min(block.at for block in group)
        found.append([replace(block, at=block.at - low) for block in group])
    return found


def _by_size(group: Group) -> tuple[int, int]:
    return (-max(block.at + block.size for block in group), group[0].number)


def _by_place(group: Group) -> tuple[int, int]:
    return (min(block.first for block in group), group[0].number)


def _by_time(group: Group) -> tuple[int, int]:
    return (-sum(block.size * (block.last - block.first + 1) for block in group), group[0].number)


def _first_fit(groups: Sequence[Group]) -> tuple[dict[int, int], int]:
    """Each group at the lowest place where it shares nothing that is in use with those before."""
    offsets: dict[int, int] = {}
    placed: list[_Placed] = []
    for group in groups:
        # Positions strictly between the two are too near to a block that is there already.
        forbidden = sorted(
            (other.at - block.at - block.size, other.at + other.size - block.at)
            for block in group
            for other in placed
            if block.overlaps(other)
        )
        position = 0
        for low, high in forbidden:
            if position <= low:
                break
            position = max(position, high)
        for block in group:
            offsets[block.number] = position + block.at
            placed.append(replace(block, at=position + block.at))
    return offsets, max(block.at + block.size for block in placed)
