"""What the packer gives: the best there is where all orders can be tried, and always the same.

Firmware is reproducible byte for byte, so a layout must not change unless it is meant to: FINGERPRINTS are those of the
layouts of seeded blocks, which `python -m tests.plan.test_layout_results` prints anew.
"""

from __future__ import annotations

import itertools
import random
import zlib
from collections.abc import Mapping, Sequence

import pytest

from mcugen.runtimes.aot.plan import layout
from mcugen.runtimes.aot.plan.layout import ALIGNMENT, Block, aligned, lower_bound, pack

Leads = dict[tuple[int, int], int]


def seeded(seed: int, count: int, *, with_leads: bool) -> tuple[list[Block], Leads]:
    """Blocks as a network's: most of them live for a few steps, some for long, sizes are rarely words."""
    rng = random.Random(seed)
    blocks = []
    for n in range(count):
        first = n + rng.randint(-3, 3)
        blocks.append(Block(rng.randint(1, 4000), first, first + rng.choice([0, 0, 1, 1, 2, 3, 9])))
    leads = {}
    for i, j in itertools.combinations(range(count), 2):
        if with_leads and blocks[i].last == blocks[j].first:
            leads[j, i] = rng.randint(0, 5000)
    return blocks, leads


def fingerprint(seed: int, count: int, *, with_leads: bool) -> int:
    return zlib.crc32(repr(pack(*seeded(seed, count, with_leads=with_leads))).encode())


CASES = [(seed, count, leads) for seed, count in enumerate([4, 9, 14, 14, 20, 25, 30, 40]) for leads in (False, True)]
FINGERPRINTS = {
    (0, 4, False): 2754301096,
    (0, 4, True): 2754301096,
    (1, 9, False): 1241143819,
    (1, 9, True): 3527563855,
    (2, 14, False): 3709377617,
    (2, 14, True): 2834432695,
    (3, 14, False): 3511567611,
    (3, 14, True): 2690639016,
    (4, 20, False): 3069844636,
    (4, 20, True): 173648288,
    (5, 25, False): 1281160043,
    (5, 25, True): 1611011487,
    (6, 30, False): 890484646,
    (6, 30, True): 3169722133,
    (7, 40, False): 3241982582,
    (7, 40, True): 3622340457,
}


@pytest.mark.parametrize(("seed", "count", "leads"), CASES)
def test_layouts_stay_what_they_are(seed: int, count: int, leads: bool) -> None:
    assert fingerprint(seed, count, with_leads=leads) == FINGERPRINTS[seed, count, leads]


def first_fit(blocks: Sequence[Block], leads: Mapping[tuple[int, int], int], order: Sequence[int]) -> int:
    """The size of the arena where each block is put at the lowest word that is free, tried one after the other."""
    placed: dict[int, int] = {}

    def fits(i: int, at: int) -> bool:
        for j, other in placed.items():
            if not blocks[i].overlaps(blocks[j]):
                continue
            lower, upper, distance = (i, j, other - at) if at <= other else (j, i, at - other)
            apart = aligned(blocks[lower].size)
            if (lower, upper) in leads:
                apart = min(apart, aligned(leads[lower, upper]))
            if at == other:  # either may be the lower one
                both = [aligned(leads.get(pair, blocks[pair[0]].size)) for pair in ((i, j), (j, i))]
                if min(both) > 0:
                    return False
            elif distance < apart:
                return False
        return True

    for i in order:
        placed[i] = next(at for at in itertools.count(0, ALIGNMENT) if fits(i, at))
    return max(at + aligned(blocks[i].size) for i, at in placed.items())


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("with_leads", [False, True])
def test_few_blocks_are_packed_as_well_as_any_order_can(seed: int, with_leads: bool) -> None:
    rng = random.Random(seed)
    blocks = []
    for _ in range(rng.randint(1, 5)):
        first = rng.randint(0, 4)
        blocks.append(Block(rng.randint(1, 40), first, first + rng.randint(0, 2)))
    leads = {}
    for i, j in itertools.permutations(range(len(blocks)), 2):
        if with_leads and (j, i) not in leads and blocks[i].overlaps(blocks[j]) and rng.random() < 0.5:
            leads[i, j] = rng.randint(0, 30)
    best = min(first_fit(blocks, leads, order) for order in itertools.permutations(range(len(blocks))))
    assert pack(blocks, leads)[1] == best


@pytest.mark.parametrize(("seed", "count"), [(190, 10), (200, 10), (202, 8)])
def test_blocks_in_the_order_of_time_may_fit_best(monkeypatch: pytest.MonkeyPatch, seed: int, count: int) -> None:
    """Blocks for which no other of the well-chosen orders is as good."""
    monkeypatch.setattr(layout, "_SEARCH_ROUNDS", 0)
    blocks, _ = seeded(seed, count, with_leads=False)
    by_time = sorted(range(count), key=lambda i: (blocks[i].first, -blocks[i].size))
    assert pack(blocks)[1] == first_fit(blocks, {}, by_time)


def test_sizes_are_rounded_up_to_words() -> None:
    assert [aligned(size) for size in (0, 1, 3, 4, 5, 8)] == [0, 4, 4, 4, 8, 8]
    assert pack([Block(5, 0, 0), Block(3, 0, 0)]) == ([0, 8], 12)


def test_the_bound_is_what_is_alive_at_once() -> None:
    assert lower_bound([]) == 0
    assert lower_bound([Block(5, 0, 1), Block(3, 1, 2), Block(9, 2, 2)]) == 16
    assert lower_bound([Block(5, 0, 1), Block(3, 1, 2), Block(2, 2, 2)]) == 12


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [((0, 2), (2, 3), True), ((0, 2), (3, 4), False), ((2, 3), (0, 2), True), ((3, 4), (0, 2), False)],
)
def test_blocks_overlap_in_their_last_step(first: tuple[int, int], second: tuple[int, int], together: bool) -> None:
    a, b = Block(4, *first), Block(4, *second)
    assert a.overlaps(b) is together
    offsets, size = pack([a, b])
    assert (sorted(offsets), size) == (([0, 4], 8) if together else ([0, 0], 4))


def test_nothing_takes_no_memory() -> None:
    assert pack([]) == pack([], {}) == ([], 0)


def test_a_lead_is_rounded_up_and_never_more_than_the_block() -> None:
    blocks = [Block(16, 0, 0), Block(16, 0, 0)]
    assert [pack(blocks, {(0, 1): lead})[1] for lead in (0, 1, 4, 5, 16, 99)] == [16, 20, 20, 24, 32, 32]


class Counting:
    """Counts how often the packer tries an order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tries = 0
        original = layout._first_fit

        def counted(*args: object) -> tuple[list[int], int]:
            self.tries += 1
            return original(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(layout, "_first_fit", counted)


def test_the_search_ends_at_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting(monkeypatch)
    pack([Block(16, n, n + 1) for n in range(6)])
    assert counting.tries == 5, "the well-chosen orders only"


def test_two_blocks_need_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    for count, tries in ((2, 5), (3, 405)):
        counting = Counting(monkeypatch)
        pack([Block(8, 0, 1)] * count, {(0, 1): 4})
        assert counting.tries == tries
        monkeypatch.undo()


@pytest.mark.parametrize(("pairs", "tries"), [(3124, 320), (3126, 319), (9900, 100)])
def test_many_pairs_are_searched_less(monkeypatch: pytest.MonkeyPatch, pairs: int, tries: int) -> None:
    """A million of them; the numbers are where one pair more or less counts."""
    blocks: list[Block] = []
    left, time = pairs, 0
    while left:
        together = max(n for n in range(2, 101) if n * (n - 1) <= left)
        blocks += [Block(8, time, time)] * together
        left, time = left - together * (together - 1), time + 1
    counting = Counting(monkeypatch)
    pack(blocks, {(0, 1): 4})
    assert counting.tries == 5 + tries


def residual_network() -> tuple[list[Block], dict[tuple[int, int], int]]:
    """The blocks of a residual network whose last large convolution takes much scratch."""
    tensors = [(3072, -1, 0), (16384, 0, 3), (16384, 1, 2), (16384, 2, 6), (8192, 4, 5), (8192, 5, 10), (8192, 6, 7)]
    tensors += [(4096, 8, 9), (4096, 9, 12), (4096, 10, 11), (64, 12, 13), (10, 13, 15)]
    scratch = {0: 252, 1: 1152, 2: 1152, 4: 1152, 5: 6704, 6: 128, 8: 2304, 9: 21088, 10: 256}
    blocks = [Block(*tensor) for tensor in tensors] + [Block(size, step, step) for step, size in scratch.items()]
    return blocks, {(1, 0): 13504, (3, 2): 1024, (5, 4): 1536, (6, 3): 32, (8, 7): 512, (9, 5): 64}


def test_a_size_that_is_asked_for_is_looked_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, leads = residual_network()
    assert pack(blocks, leads)[1] == 35_424
    offsets, size = pack(blocks, leads, 34_944)
    assert size == 34_944
    assert size == max(offset + block.size for offset, block in zip(offsets, blocks, strict=True))
    counting = Counting(monkeypatch)
    assert pack(blocks, leads, 34_940)[1] == 34_944
    assert counting.tries == 5 + 400 + 6 * (1 + 150)


if __name__ == "__main__":
    for case in CASES:
        print(f"    {case}: {fingerprint(case[0], case[1], with_leads=case[2])},")
