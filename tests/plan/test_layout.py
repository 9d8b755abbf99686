"""The arena packer, by properties: blocks that live together never overlap, and the bound is respected."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from mcugen.runtimes.aot.plan.layout import ALIGNMENT, Block, aligned, lower_bound, pack, pack_apart

blocks = st.lists(
    st.builds(
        lambda size, first, length: Block(size, first, first + length),
        st.integers(1, 5000),
        st.integers(-1, 30),
        st.integers(0, 12),
    ),
    max_size=24,
)


@given(blocks)
@settings(max_examples=150, deadline=None)
def test_blocks_that_live_together_never_overlap(given_blocks: list[Block]) -> None:
    offsets, total = pack(given_blocks)
    assert len(offsets) == len(given_blocks)
    for offset, block in zip(offsets, given_blocks, strict=True):
        assert offset >= 0
        assert offset % ALIGNMENT == 0
        assert offset + block.size <= total
    for (i, a), (j, b) in combinations(enumerate(given_blocks), 2):
        if a.overlaps(b):
            assert offsets[i] + a.size <= offsets[j] or offsets[j] + b.size <= offsets[i]


@given(blocks)
@settings(max_examples=100, deadline=None)
def test_the_arena_lies_between_the_bound_and_the_sum(given_blocks: list[Block]) -> None:
    _, total = pack(given_blocks)
    assert lower_bound(given_blocks) <= total <= sum(aligned(b.size) for b in given_blocks)


@given(blocks)
@settings(max_examples=30, deadline=None)
def test_packing_is_deterministic(given_blocks: list[Block]) -> None:
    assert pack(given_blocks) == pack(list(given_blocks))


def test_a_chain_reaches_the_bound() -> None:
    sizes = [490, 8000, 8000, 8000, 64, 12]
    chain = [Block(size, n - 1, n) for n, size in enumerate(sizes)]
    assert pack(chain)[1] == lower_bound(chain) == 16000


def test_a_residual_block_reaches_the_bound() -> None:
    skip = [Block(16384, 0, 3), Block(16384, 1, 2), Block(16384, 2, 3), Block(16384, 3, 4)]
    assert pack(skip)[1] == lower_bound(skip) == 49152


@given(blocks, st.data())
@settings(max_examples=100, deadline=None)
def test_blocks_with_a_lead_keep_their_distance(given_blocks: list[Block], data: st.DataObject) -> None:
    pairs = [
        (i, j)
        for (i, a), (j, b) in combinations(enumerate(given_blocks), 2)
        if a.overlaps(b) and data.draw(st.booleans())
    ]
    leads = {pair: data.draw(st.integers(0, 6000)) for pair in pairs}
    offsets, total = pack(given_blocks, leads)
    for (i, a), (j, b) in combinations(enumerate(given_blocks), 2):
        assert max(offsets[i] + a.size, offsets[j] + b.size) <= total
        if a.overlaps(b):
            apart = offsets[i] + a.size <= offsets[j] or offsets[j] + b.size <= offsets[i]
            assert apart or ((i, j) in leads and offsets[j] - offsets[i] >= leads[i, j])


def test_a_chain_with_leads_goes_below_the_bound() -> None:
    chain = [Block(8000, n - 1, n) for n in range(5)]
    leads = {(n + 1, n): 640 for n in range(4)}
    assert pack(chain, leads)[1] == 8000 + 4 * 640


@given(blocks, st.integers(0, 23), st.integers(1, 400))
@settings(max_examples=100, deadline=None)
def test_a_layout_to_begin_with_is_kept_or_improved(given_blocks: list[Block], grown: int, by: int) -> None:
    """Also where a block has grown since: then it is no larger than that layout with all above moved up."""

    def distances(wanted: list[Block]) -> dict[tuple[int, int], int]:
        pairs = [(i, j) for i, a in enumerate(wanted) for j, b in enumerate(wanted) if i != j and a.overlaps(b)]
        return {(i, j): aligned(wanted[i].size) for i, j in pairs}

    offsets, total = pack(given_blocks)
    assert pack_apart(given_blocks, distances(given_blocks), total, offsets)[1] <= total
    larger = [replace(b, size=b.size + by) if n == grown else b for n, b in enumerate(given_blocks)]
    found, size = pack_apart(larger, distances(larger), total + aligned(by) + ALIGNMENT, offsets)
    assert size <= total + aligned(by) + ALIGNMENT
    for (i, a), (j, b) in combinations(enumerate(larger), 2):
        if a.overlaps(b):
            assert found[i] + a.size <= found[j] or found[j] + b.size <= found[i]
