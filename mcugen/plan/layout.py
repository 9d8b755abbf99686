"""Packs blocks with lifetimes into the smallest arena: offline dynamic storage allocation.

The problem is NP-hard (Garey and Johnson, SR2); first-fit over well-chosen orders reaches the lower bound on
almost all networks, and a seeded local search over orders closes most of the rest.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 4
"""Bytes. Kernels read int8 activations as 32-bit words; no tensor type here needs more."""

_SEARCH_ROUNDS = 400


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


def pack(blocks: Sequence[Block]) -> tuple[list[int], int]:
    """Offsets in bytes for all blocks, and the arena's size. Deterministic.

    Args:
        blocks: any number of blocks; sizes are rounded up to the alignment.
    """
    if not blocks:
        return [], 0
    bound = lower_bound(blocks)
    conflicts = [
        [j for j, other in enumerate(blocks) if j != i and block.overlaps(other)]
        for i, block in enumerate(blocks)
    ]
    indices = range(len(blocks))
    orders = [
        sorted(indices, key=lambda i: (-blocks[i].size, blocks[i].first, i)),
        sorted(indices, key=lambda i: (-blocks[i].size * (blocks[i].last - blocks[i].first + 1), i)),
        sorted(indices, key=lambda i: (-(blocks[i].last - blocks[i].first), -blocks[i].size, i)),
        sorted(indices, key=lambda i: (blocks[i].first, -blocks[i].size, i)),
    ]
    best_order, best, best_size = orders[0], [0] * len(blocks), -1
    for order in orders:
        offsets, size = _first_fit(blocks, conflicts, order)
        if best_size < 0 or size < best_size:
            best_order, best, best_size = order, offsets, size
    generator = random.Random(0)
    for _ in range(_SEARCH_ROUNDS):
        if best_size <= bound or len(blocks) < 3:
            break
        order = list(best_order)
        for _swap in range(generator.randint(1, 3)):
            order.insert(generator.randrange(len(order)), order.pop(generator.randrange(len(order))))
        offsets, size = _first_fit(blocks, conflicts, order)
        if size <= best_size:
            best_order, best, best_size = order, offsets, size
    return best, best_size


def _first_fit(
    blocks: Sequence[Block], conflicts: Sequence[Sequence[int]], order: Sequence[int]
) -> tuple[list[int], int]:
    """Place blocks in the given order, each at the lowest offset that is free during its life."""
    offsets = [-1] * len(blocks)
    total = 0
    for i in order:
        taken = sorted((offsets[j], aligned(blocks[j].size)) for j in conflicts[i] if offsets[j] >= 0)
        need, position = aligned(blocks[i].size), 0
        for offset, size in taken:
            if position + need <= offset:
                break
            position = max(position, offset + size)
        offsets[i] = position
        total = max(total, position + need)
    return offsets, total
