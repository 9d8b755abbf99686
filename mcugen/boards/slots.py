"""Flash that a board's file reserves for data: two slots, so that what is kept is never overwritten."""

from __future__ import annotations

from dataclasses import dataclass

from mcugen.boards.types import Board
from mcugen.errors import BoardError, DoesNotFitError

HEAD_REGION = "head"
"""For what a device learned: memory.head."""

STORE_HEADER_BYTES = 32
"""Of a slot, before what was learned: see firmware/store/mcg_store.h."""

GRANULE = 2048
"""The region's size is a multiple of this, so that both slots are whole kilobytes. Chips may want more."""

DRIVERS = {"mps": "ram", "nrf51": "nrf", "nrf52": "nrf", "rp2040": "rp2040", "stm32f4": "stm32f4"}
"""Chip family → which firmware/flash/mcg_flash_*.c writes its flash."""


@dataclass(frozen=True)
class Slots:
    """Two slots, one after the other.

    Attributes:
        address: of the first slot.
        slot_bytes: of each slot, its header included.
        driver: a value of DRIVERS.
    """

    address: int
    slot_bytes: int
    driver: str


def flash_slots(board: Board, name: str) -> Slots | None:
    """The flash that a board's file reserves as memory.NAME; None where it reserves none.

    Raises:
        BoardError: the board's family cannot write flash, or the region's size is no multiple of GRANULE.
    """
    region = next((region for region in board.regions if region.name == name), None)
    if region is None:
        return None
    where = f"board {board.name}: field memory.{name}"
    driver = DRIVERS.get(board.family)
    if driver is None:
        raise BoardError(
            f"mcugen does not know how to write the flash of this family ({board.family or 'a framework'})",
            where=where,
            hint=f"Omit the field, then nothing outlives a reset. Families: {', '.join(DRIVERS)}",
        )
    if region.size % GRANULE:
        raise BoardError(
            f"has {region.size:,} bytes, which is not a multiple of {GRANULE}",
            where=where,
            hint="It holds two slots, each of whole pages of the flash",
        )
    return Slots(region.origin, region.size // 2, driver)


def head_store(board: Board, head_bytes: int) -> Slots | None:
    """Where a board keeps what was learned, a head of that size; None where its file reserves nothing.

    Raises:
        BoardError: see :func:`flash_slots`.
        DoesNotFitError: the head is larger than a slot.
    """
    found = flash_slots(board, HEAD_REGION)
    if found is not None and head_bytes > found.slot_bytes - STORE_HEADER_BYTES:
        raise DoesNotFitError(
            f"what is learned has {head_bytes:,} bytes, and a slot of memory.{HEAD_REGION} room for "
            f"{found.slot_bytes - STORE_HEADER_BYTES:,}",
            where=f"board {board.name}",
            hint="Reserve more in the board's file, or nothing",
        )
    return found
