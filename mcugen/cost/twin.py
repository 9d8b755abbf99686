"""The emulated twin of a board's core: the same instructions, on a board that QEMU has, with much memory."""

from __future__ import annotations

from dataclasses import replace

from mcugen.boards.shipped import load_board
from mcugen.boards.types import Board
from mcugen.cost.rules import core_timing

_TWINS = {
    "cortex-m0": "mps2-an385",
    "cortex-m0plus": "mps2-an385",
    "cortex-m3": "mps2-an385",
    "cortex-m4": "mps2-an386",
}
"""Core → the emulated board. A Cortex-M3 executes all instructions of Cortex-M0 and M0+."""


def twin_of(board: Board) -> Board | None:
    """The emulated board on which traces are taken for a board that QEMU does not have; None without a timing.

    The twin has the board's core, FPU and extensions, so that kernels are chosen and compiled as for the board.
    """
    if core_timing(board.cpu) is None or board.cpu not in _TWINS:
        return None
    return replace(load_board(_TWINS[board.cpu]), cpu=board.cpu, fpu=board.fpu, features=board.features)
