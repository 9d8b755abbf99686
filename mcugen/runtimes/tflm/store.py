"""The flash that a board reserves for models: what `mcugen push` sends there outlives a reset."""

from __future__ import annotations

from dataclasses import dataclass

from mcugen.boards.types import Board
from mcugen.errors import BoardError

REGION = "model_slot"
"""The board file's name for it: memory.model_slot."""

HEADER_BYTES = 128
"""Of a slot, before its flatbuffer; as in templates/tflm/replace.cc.j2."""

GRANULE = 2048
"""The region's size is a multiple of this, so that both slots are whole kilobytes. Chips may want more."""

DRIVERS = {"mps": "ram", "nrf51": "nrf", "nrf52": "nrf", "rp2040": "rp2040", "stm32f4": "stm32f4"}
"""Chip family → which firmware/flash/mcg_flash_*.c writes its flash."""


@dataclass(frozen=True)
class Store:
    """Two slots for models, one after the other, so that the running model is never overwritten.

    Attributes:
        address: of the first slot.
        slot_bytes: of each slot, its header included.
        driver: a value of DRIVERS.
    """

    address: int
    slot_bytes: int
    driver: str

    @property
    def capacity(self) -> int:
        """Bytes of the largest flatbuffer."""
        return self.slot_bytes - HEADER_BYTES


def model_store(board: Board) -> Store | None:
    """The flash for models of a board; None where its file reserves none.

    Raises:
        BoardError: the board's family cannot write flash, or the region's size is no multiple of GRANULE.
    """
    region = next((region for region in board.regions if region.name == REGION), None)
    if region is None:
        return None
    where = f"board {board.name}: field memory.{REGION}"
    driver = DRIVERS.get(board.family)
    if driver is None:
        raise BoardError(
            f"mcugen does not know how to write the flash of this family ({board.family or 'a framework'})",
            where=where,
            hint=f"Omit the field, then models are kept in RAM. Families: {', '.join(DRIVERS)}",
        )
    if region.size % GRANULE:
        raise BoardError(
            f"has {region.size:,} bytes, which is not a multiple of {GRANULE}",
            where=where,
            hint="It holds two slots, each of whole pages of the flash",
        )
    return Store(region.origin, region.size // 2, driver)
