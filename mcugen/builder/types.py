"""What a build gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FlashUse:
    """Bytes programmed into flash; `total` is the sum of the three others.

    Attributes:
        code: the model's code, kernels, tables of parameters, and library routines that only it needs.
        weights: the model's constants (`mcg_const_*`).
        harness: everything else: start-up, board support, protocol, libc, padding by the linker.
    """

    code: int
    weights: int
    harness: int
    total: int


@dataclass(frozen=True)
class RamUse:
    """Bytes of RAM; `total` is the sum of the three others.

    Attributes:
        arena: the model's arena, inputs and outputs included.
        static: all other variables, and weights that are copied to RAM at the start.
        stack: reserved for the stack by the linker script (what is used of it is measured on the device).
    """

    arena: int
    static: int
    stack: int
    total: int


@dataclass(frozen=True)
class Symbol:
    """A function or variable. `part` is code, weights or harness in flash; arena, static or stack in RAM."""

    name: str
    part: str
    section: str
    address: int
    size: int


@dataclass(frozen=True)
class Firmware:
    """A built project.

    Attributes:
        symbols: everything with a size, the largest first.
        toolchain: the compiler's version, as it wrote it into the ELF file.
        memories: bytes that are taken of each memory, on boards of several.
    """

    project: Path
    board: str
    elf: Path
    map: Path
    flash: FlashUse
    ram: RamUse
    symbols: tuple[Symbol, ...]
    toolchain: str
    memories: tuple[tuple[str, int], ...] = ()
