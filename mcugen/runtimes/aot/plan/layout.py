"""Packs blocks with lifetimes into the smallest arena: offline dynamic storage allocation.

The problem is NP-hard (Garey and Johnson, SR2); first-fit over well-chosen orders reaches the lower bound on
almost all networks, and a seeded local search over orders closes most of the rest.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ALIGNMENT = 4
"""Bytes. Kernels read int8 activations as 32-bit words; no tensor type here needs more."""

_SEARCH_ROUNDS = 400
_SEARCH_STEPS = 1_000_000
"""The search ends after so many rounds, or after about so many pairs of blocks were compared."""

_MORE_SEARCHES = 6
_MORE_ROUNDS = 150
"""Where a size is asked for that the search does not find, so many others of so many rounds begin anew."""


_Conflict = tuple[int, int, int]
"""A block that lives at the same time as another one: how far it must begin after that, and that after it."""


@dataclass(frozen=True)
class Block:
    """`size` bytes, alive from step `first` to step `last` inclusive."""

    size: int
    first: int
    last: int

    def overlaps(self, other: Block) -> bool:
        return self.first <= other.last and other.first <= self.last


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def lower_bound(blocks: Sequence[Block]) -> int:
    """No arena can be smaller: the largest sum of aligned sizes alive at one step."""
    times = {b.first for b in blocks}
    return max((sum(aligned(b.size) for b in blocks if b.first <= t <= b.last) for t in times), default=0)


def pack(
    blocks: Sequence[Block], leads: Mapping[tuple[int, int], int] | None = None, enough: int = 0
) -> tuple[list[int], int]:
    """Offsets in bytes for all blocks, and the arena's size. Deterministic.

    Args:
        blocks: any number of blocks; sizes are rounded up to the alignment.
        leads: pairs (lower, upper) of blocks that may share memory if the upper one begins that many bytes after the
            lower one, or more.
        enough: an arena of this size is looked for longer; 0: as small a one as is found soon.
    """
    leads = leads or {}
    bound = 0 if leads else lower_bound(blocks)
    conflicts = [
        [
            (j, _distance(blocks, leads, i, j), _distance(blocks, leads, j, i))
            for j, other in enumerate(blocks)
            if j != i and block.overlaps(other)
        ]
        for i, block in enumerate(blocks)
    ]
    return _packed(blocks, conflicts, bound, enough)


def pack_apart(
    blocks: Sequence[Block],
    distances: Mapping[tuple[int, int], int],
    enough: int = 0,
    like: Sequence[int] | None = None,
) -> tuple[list[int], int]:
    """The same where it is known which blocks may lie how near.

    Args:
        distances: by pairs (lower, upper) of blocks that are in use at the same time how far the upper one must begin
            after the lower one, a multiple of the alignment; less than nothing where it may begin before it.
        enough: the search ends with an arena of this size. It is looked for longer, unless there is something to begin
            with.
        like: offsets in a layout that is about the same.
    """
    conflicts: list[list[_Conflict]] = [[] for _ in blocks]
    for (i, j), distance in distances.items():
        conflicts[i].append((j, distance, distances[j, i]))
    if like is None:
        return _packed(blocks, conflicts, enough, enough)
    order = sorted(range(len(blocks)), key=lambda i: (like[i], i))
    start = (order, *_first_fit([aligned(b.size) for b in blocks], conflicts, order))
    return start[1:] if start[2] <= enough else _packed(blocks, conflicts, enough, start=start)


def _packed(
    blocks: Sequence[Block],
    conflicts: Sequence[Sequence[_Conflict]],
    bound: int,
    enough: int = 0,
    start: tuple[list[int], list[int], int] | None = None,
) -> tuple[list[int], int]:
    """The best of some orders in which blocks are placed, and of random changes to it."""
    indices = range(len(blocks))
    sizes = [aligned(block.size) for block in blocks]
    orders = [
        sorted(indices, key=lambda i: (-blocks[i].size, blocks[i].first, i)),
        sorted(indices, key=lambda i: (-blocks[i].size * (blocks[i].last - blocks[i].first + 1), i)),
        sorted(indices, key=lambda i: (-(blocks[i].last - blocks[i].first), -blocks[i].size, i)),
        sorted(indices, key=lambda i: (blocks[i].first, -blocks[i].size, i)),
        # Backwards in time, scratch last: each input just after the output that follows behind it.
        sorted(indices, key=lambda i: (blocks[i].first == blocks[i].last, -blocks[i].first, -blocks[i].size, i)),
    ]
    tried = [(order, *_first_fit(sizes, conflicts, order)) for order in orders]
    start = min((*((start,) if start else ()), *tried), key=lambda layout: layout[2])
    generator = random.Random(0)
    pairs = sum(len(others) for others in conflicts)
    left = _SEARCH_STEPS // (pairs + 1)
    if len(blocks) < 3:
        return start[1:]
    best, best_size = _search(sizes, conflicts, start, min(_SEARCH_ROUNDS, left), bound, generator)
    backwards = sorted(indices, key=lambda i: (-blocks[i].last, -blocks[i].first, -blocks[i].size, i))
    for more in range(_MORE_SEARCHES if enough else 0):
        if best_size <= enough:
            break
        rounds = min(_MORE_ROUNDS, left - _SEARCH_ROUNDS - more * _MORE_ROUNDS)
        start = (backwards, *_first_fit(sizes, conflicts, backwards))
        found, size = _search(sizes, conflicts, start, rounds, enough, generator)
        if size <= best_size:
            best, best_size = found, size
    return best, best_size


def _search(
    sizes: Sequence[int],
    conflicts: Sequence[Sequence[_Conflict]],
    start: tuple[list[int], list[int], int],
    rounds: int,
    bound: int,
    generator: random.Random,
) -> tuple[list[int], int]:
    """The best offsets and size of orders that come of the first one by moving blocks, as long as that is no worse.

    Args:
        start: an order, its offsets and size.
        bound: the search ends where the size is no larger.
    """
    best_order, best, best_size = start
    for _ in range(rounds):
        if best_size <= bound:
            break
        order = list(best_order)
        for _swap in range(generator.randint(1, 3)):
            order.insert(generator.randrange(len(order)), order.pop(generator.randrange(len(order))))
        kept = next((n for n, (i, j) in enumerate(zip(order, best_order, strict=True)) if i != j), len(order))
        offsets, size = _first_fit(sizes, conflicts, order, best_size, [(i, best[i]) for i in order[:kept]])
        if size <= best_size:
            best_order, best, best_size = order, offsets, size
    return best, best_size


def _distance(blocks: Sequence[Block], leads: Mapping[tuple[int, int], int], lower: int, upper: int) -> int:
    """Least distance between the beginnings of two blocks of which `upper` is the upper one."""
    size = aligned(blocks[lower].size)
    return min(aligned(leads[lower, upper]), size) if (lower, upper) in leads else size


def _first_fit(
    sizes: Sequence[int],
    conflicts: Sequence[Sequence[_Conflict]],
    order: Sequence[int],
    most: int | None = None,
    known: Sequence[tuple[int, int]] = (),
) -> tuple[list[int], int]:
    """Place blocks of aligned sizes in the given order, each at the lowest offset that is free during its life.

    Where that takes more than `most` bytes, the offsets are not found, and the size is any that is larger. `known` are
    the first blocks of the order, each with the offset that it gets.
    """
    offsets = [-1] * len(sizes)
    total = 0
    for i, offset in known:
        offsets[i] = offset
        total = max(total, offset + sizes[i])
    for i in order[len(known) :]:
        # Positions strictly between the two are too near to a block that is there already.
        forbidden = [
            (at - after_this, at + before_this)
            for other, after_this, before_this in conflicts[i]
            if (at := offsets[other]) >= 0
        ]
        forbidden.sort()
        position = 0
        for low, high in forbidden:
            if position <= low:
                break
            if high > position:
                position = high
        offsets[i] = position
        if (end := position + sizes[i]) > total:
            total = end
            if most is not None and total > most:
                return [], total
    return offsets, total
