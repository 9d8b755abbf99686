"""A firmware as a UF2 file, which RP2040's and RP2350's boot loaders take.

The format (https://github.com/microsoft/uf2): blocks of 512 bytes, each with the address of its 256 bytes of content,
and the family of chips that it is for. RP2040 takes pages of 256 bytes only.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from mcugen.errors import DeviceError

FAMILIES: Mapping[str, int] = {"RPI-RP2": 0xE48BFF56, "RP2350": 0xE48BFF59}
"""Board-ID of the boot loader → the family's number; of the RP2350 that of secure Arm programs."""

PAGE = 256
_FIRST, _SECOND, _LAST = 0x0A324655, 0x9E5D5157, 0x0AB16F30
_HAS_FAMILY = 0x2000


def uf2_image(elf: Path, board_id: str) -> bytes:
    """The UF2 file of a firmware. Bytes of a page that the firmware leaves open are 0.

    Args:
        board_id: what the boot loader says in INFO_UF2.TXT.

    Raises:
        DeviceError: the firmware cannot be read, or mcugen does not know the family's number.
    """
    if board_id not in FAMILIES:
        raise DeviceError(
            f"mcugen knows no UF2 family for boards that call themselves {board_id}",
            where=str(elf),
            hint=f"Known are {', '.join(FAMILIES)}",
        )
    pages = _pages(elf)
    blocks = []
    for number, (address, content) in enumerate(sorted(pages.items())):
        header = (_FIRST, _SECOND, _HAS_FAMILY, address, PAGE, number, len(pages), FAMILIES[board_id])
        blocks.append(struct.pack("<8I476sI", *header, bytes(content), _LAST))
    return b"".join(blocks)


def _pages(elf: Path) -> dict[int, bytearray]:
    """The pages of flash that the firmware has bytes for, by address."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    pages: dict[int, bytearray] = {}
    try:
        with elf.open("rb") as file:
            for segment in ELFFile(file).iter_segments("PT_LOAD"):
                for offset, byte in enumerate(segment.data()[: segment["p_filesz"]]):
                    at = segment["p_paddr"] + offset
                    pages.setdefault(at - at % PAGE, bytearray(PAGE))[at % PAGE] = byte
    except (OSError, ELFError) as error:
        raise DeviceError(f"the firmware cannot be read: {error}", where=str(elf), hint="Build it again") from error
    return pages
