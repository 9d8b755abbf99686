"""Which firmware an ELF file is: the id that the device tells in its hello."""

from __future__ import annotations

from pathlib import Path

from mcugen.errors import DeviceError
from mcugen.reading import parsing

ID_MAGIC = b"mcugen-build-id:"
"""Stands before the id in firmware whose linker script is not ours; firmware/arduino/mcg_build.py writes it."""

_ID_BYTES = 20
_NOTE_HEADER_BYTES = 16


def build_id(elf: Path) -> str:
    """The id of a linked firmware, in hex; "" where it has none.

    It is what stands behind `ID_MAGIC`, or else the linker's build id.

    Raises:
        DeviceError: not an ELF file, or one with several ids.
    """
    from elftools.elf.elffile import ELFFile

    with (
        parsing(lambda error: DeviceError(f"not a firmware: {error}", where=str(elf), hint="Build it again")),
        elf.open("rb") as file,
    ):
        content = file.read()
        section = ELFFile(file).get_section_by_name(".note.gnu.build-id")
        note = bytes(section.data()) if section is not None else b""
    if ID_MAGIC not in content:
        return note[_NOTE_HEADER_BYTES:].hex()
    if content.count(ID_MAGIC) != 1:
        raise DeviceError("has several places for a build id", where=str(elf), hint="Build it again from scratch")
    start = content.index(ID_MAGIC) + len(ID_MAGIC)
    stamped = content[start : start + _ID_BYTES]
    return stamped.hex() if any(stamped) else ""
