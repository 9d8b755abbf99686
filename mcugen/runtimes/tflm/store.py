"""The flash that a board reserves for models: what `mcugen push` sends there outlives a reset."""

from __future__ import annotations

from dataclasses import dataclass

from mcugen.boards.slots import Slots, flash_slots
from mcugen.boards.types import Board

REGION = "model_slot"
"""The board file's name for it: memory.model_slot."""

HEADER_BYTES = 128
"""Of a slot, before its flatbuffer; as in templates/tflm/replace.cc.j2."""


@dataclass(frozen=True)
class Store(Slots):
    """Slots for models: the running one is never overwritten."""

    @property
    def capacity(self) -> int:
        """Bytes of the largest flatbuffer."""
        return self.slot_bytes - HEADER_BYTES


def model_store(board: Board) -> Store | None:
    """The flash for models of a board; None where its file reserves none.

    Raises:
        BoardError: see :func:`mcugen.boards.slots.flash_slots`.
    """
    found = flash_slots(board, REGION)
    return None if found is None else Store(found.address, found.slot_bytes, found.driver)
