"""The store of blobs: power cut at every operation, with what was under way left in many states."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from tests.store.flash import (
    CAPACITY,
    FAILED,
    HEADER_BYTES,
    OK,
    POWER_CUT,
    SLOT_BYTES,
    TEARS,
    TOO_LARGE,
    Flash,
    library,
)

OURS, OTHERS = 0x1234ABCD, 0x00000000
SIZES = (1, 15, 16, 17, 100, CAPACITY)


@pytest.fixture(scope="module")
def flash(tmp_path_factory: pytest.TempPathFactory) -> Flash:
    return Flash(library(tmp_path_factory.mktemp("store")))


def blob(seed: int, size: int) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def written_so_far(flash: Flash, count: int, size: int) -> bytes | None:
    """Blobs one after another, from erased flash; returns the last one."""
    flash.erase()
    for seed in range(count):
        assert flash.write(OURS, blob(seed, size)) == OK
    return blob(count - 1, size) if count else None


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_cut_at_every_operation_leaves_the_old_blob_or_the_new_one(flash: Flash, size: int, count: int) -> None:
    old = written_so_far(flash, count, size)
    new, later = blob(100, size), blob(101, size)
    before = flash.get()
    assert flash.write(OURS, new) == OK
    operations = flash.operations
    pages = SLOT_BYTES // 256
    assert operations == pages + -(-size // 4) + HEADER_BYTES // 4
    seen = set()
    for cut in range(operations):
        for tear in range(len(TEARS)):
            for seed in range(3 if TEARS[tear] == "random bits" else 1):
                flash.set(before)
                assert flash.write(OURS, new, cut, tear, seed) == POWER_CUT
                found = flash.find(OURS)
                assert found in (old, new), f"cut at {cut}, {TEARS[tear]}"
                seen.add(found)
                # What is there can be read again and again, and the store goes on from there.
                assert flash.find(OURS) == found
                assert flash.write(OURS, later) == OK
                assert flash.find(OURS) == later
    assert old in seen
    assert flash.faults == 0
    flash.set(before)
    assert flash.write(OURS, new, operations) == OK
    assert flash.find(OURS) == new


def test_a_second_cut_in_what_followed_the_first(flash: Flash) -> None:
    size = 40
    old = written_so_far(flash, 2, size)
    before = flash.get()
    first, second = blob(100, size), blob(101, size)
    assert flash.write(OURS, first) == OK
    operations = flash.operations
    for cut in range(operations):
        for again in range(operations):
            flash.set(before)
            assert flash.write(OURS, first, cut, 1, cut) == POWER_CUT
            kept = flash.find(OURS)
            assert kept in (old, first)
            assert flash.write(OURS, second, again, 1 + again % 3, again) == POWER_CUT
            assert flash.find(OURS) in (kept, second)
    assert flash.faults == 0


def test_a_cut_while_blobs_are_forgotten_brings_no_older_one_back(flash: Flash) -> None:
    newest = written_so_far(flash, 3, 100)
    before = flash.get()
    assert flash.clear() == OK
    operations = flash.operations
    assert flash.find(OURS) is None
    assert set(flash.get()) == {0xFF}
    for cut in range(operations):
        for tear in range(len(TEARS)):
            flash.set(before)
            assert flash.clear(cut, tear) == POWER_CUT
            assert flash.find(OURS) in (newest, None)
            assert flash.clear() == OK
            assert flash.find(OURS) is None


def test_blobs_of_other_fingerprints_are_not_found_and_give_way(flash: Flash) -> None:
    flash.erase()
    assert flash.write(OTHERS, b"theirs") == OK
    assert flash.find(OURS) is None
    assert flash.write(OURS, b"ours") == OK
    assert (flash.find(OURS), flash.find(OTHERS)) == (b"ours", b"theirs")
    # Ours take the other slot from now on: what a cut must not lose is ours.
    before = flash.get()
    assert flash.write(OURS, b"ours again") == OK
    for cut in range(flash.operations):
        flash.set(before)
        assert flash.write(OURS, b"ours again", cut, 1, cut) == POWER_CUT
        assert flash.find(OURS) in (b"ours", b"ours again")
    assert flash.write(OURS, b"ours again") == OK
    assert flash.find(OURS) == b"ours again"
    assert flash.find(OTHERS) is None


def test_an_equal_blob_wears_nothing_out(flash: Flash) -> None:
    flash.erase()
    assert flash.write(OURS, b"the same") == OK
    assert flash.write(OURS, b"the same") == OK
    assert flash.operations == 0
    assert flash.write(OURS, b"the same, longer") == OK
    assert flash.operations > 0


def test_sizes_that_cannot_be(flash: Flash) -> None:
    flash.erase()
    assert flash.write(OURS, b"kept") == OK
    for wrong in (b"", blob(0, CAPACITY + 1)):
        assert flash.write(OURS, wrong) == TOO_LARGE
        assert flash.operations == 0
    assert flash.find(OURS) == b"kept"


def header(sequence: int, content: bytes, *, size: int | None = None) -> bytes:
    """A slot's header by the format in mcg_store.h, and its blob."""
    fields = struct.pack(
        "<4sIIIIII", b"MCGB", sequence, len(content) if size is None else size, OURS, zlib.crc32(content), 0, 0
    )
    slot = fields + struct.pack("<I", zlib.crc32(fields)) + content
    return slot + b"\xff" * (SLOT_BYTES - len(slot))


def test_the_format_is_as_documented(flash: Flash) -> None:
    flash.erase()
    assert flash.write(OURS, b"first") == OK
    assert flash.get()[SLOT_BYTES:] == b"\xff" * SLOT_BYTES or flash.get()[:SLOT_BYTES] == b"\xff" * SLOT_BYTES
    assert header(1, b"first") in flash.get()


def test_sequence_numbers_go_round(flash: Flash) -> None:
    flash.set(header(0xFFFFFFFF, b"older") + header(0, b"newer"))
    assert flash.find(OURS) == b"newer"
    flash.set(header(0xFFFFFFFF, b"last") + header(0xFFFFFFFE, b"older"))
    assert flash.find(OURS) == b"last"
    assert flash.write(OURS, b"next") == OK
    assert flash.find(OURS) == b"next"


@pytest.mark.parametrize("size", [0, CAPACITY + 1, 0x7FFFFFFF, 0xFFFFFFE0, 0xFFFFFFFF])
def test_a_size_that_a_slot_cannot_have_is_not_followed(flash: Flash, size: int) -> None:
    flash.set(header(7, b"", size=size) + header(1, b"whole"))
    assert flash.find(OURS) == b"whole"


def test_every_damaged_byte_is_noticed(flash: Flash) -> None:
    content = blob(3, 60)
    good = header(2, content)
    for at in range(HEADER_BYTES + len(content)):
        bad = bytearray(good)
        bad[at] ^= 1 << at % 8
        flash.set(bytes(bad) + header(1, b"older"))
        assert flash.find(OURS) == b"older", f"byte {at}"


@pytest.mark.parametrize("stuck", [4, HEADER_BYTES - 4, HEADER_BYTES, HEADER_BYTES + 36])
def test_flash_that_is_worn_out_keeps_the_old_blob(flash: Flash, stuck: int) -> None:
    """A word that reads as 0 whatever is written, which the driver does not notice."""
    old = written_so_far(flash, 2, 40)
    assert flash.get()[SLOT_BYTES:] == header(2, old or b""), "the first slot is the free one"
    flash.c.sim_stick(stuck)
    try:
        assert flash.write(OURS, blob(9, 40)) == FAILED
        assert flash.find(OURS) == old
    finally:
        flash.c.sim_stick(0xFFFFFFFF)
    assert flash.write(OURS, blob(9, 40)) == OK
    assert flash.find(OURS) == blob(9, 40)
