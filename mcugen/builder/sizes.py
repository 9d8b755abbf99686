"""Where flash and RAM go: every byte of the ELF file's sections is given to one part, by the linker map.

The sums are exact by construction: what the map does not name (the linker's own data and alignment at the end of a
section) counts as harness in flash and as static in RAM.
"""

from __future__ import annotations

import bisect
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from mcugen.boards.types import Region
from mcugen.builder.linker_map import InputSection, LinkerMap, parse_map
from mcugen.builder.types import FlashUse, RamUse, Symbol
from mcugen.errors import ToolError

_MODEL_OBJECT = re.compile(r"(?:^|/)lib[0-9a-f]*/mcg_model/[^/]+\.o$")
_CONSTANT = re.compile(r"\.rodata\.mcg_const_|\.mcg_in_")
_MARKED = re.compile(r"\.bss\.mcg_in_")
_ARENA = re.compile(r"\.mcg_arena\b|\.bss\.mcg_arena\b")
_STACK = re.compile(r"\.(?:mcg_)?stack\b")

_SHF_ALLOC = 2

_SYMBOL = struct.Struct("<IIIBBH")
"""Elf32_Sym: name, value, size, info, other, section index. pyelftools takes 20 times as long for it."""
_OBJECT, _FUNCTION, _RESERVED_INDICES = 1, 2, 0xFF00


@dataclass(frozen=True)
class Sizes:
    flash: FlashUse
    ram: RamUse
    symbols: tuple[Symbol, ...]
    toolchain: str


@dataclass(frozen=True)
class _Section:
    """An output section that takes memory. In flash: it is programmed. In RAM: it takes RAM at run time."""

    index: int
    name: str
    size: int
    in_flash: bool
    in_ram: bool


def measure(elf: Path, map_file: Path, ram_region: Region | None = None) -> Sizes:
    """Sizes of a linked firmware.

    Args:
        ram_region: where RAM is, for linker scripts that are not ours: what lies there takes RAM, and nothing else.
            None takes what is not programmed, or not where it runs.

    Raises:
        ToolError: one of the files is missing, damaged, or they do not belong together.
    """
    try:
        link = parse_map(map_file.read_text(errors="replace"))
        with elf.open("rb") as stream:
            file = ELFFile(stream)
            sections = _sections(file, ram_region)
            symbols = _raw_symbols(file)
            toolchain = _toolchain(file)
    except OSError as error:
        hint = "Delete the build folder (.pio) and build again"
        raise ToolError(f"cannot be read: {error.strerror}", where=str(error.filename), hint=hint) from error
    except ELFError as error:
        raise ToolError(f"is not a sound ELF file: {error}", where=str(elf)) from error
    owners = _Owners(link)
    flash = dict.fromkeys(("code", "weights", "harness"), 0)
    ram = dict.fromkeys(("arena", "static", "stack"), 0)
    for section in sections:
        pieces = owners.of_section(section.name)
        left = section.size - sum(piece.size + piece.padding for piece in pieces)
        if left < 0:
            raise ToolError(
                f"the map gives section {section.name} more bytes than the ELF file has",
                where=str(map_file),
                hint="Delete the build folder (.pio) and build again",
            )
        if section.in_flash:
            for piece in pieces:
                flash[owners.flash_part(piece)] += piece.size + piece.padding
            flash["harness"] += left
        if section.in_ram:
            for piece in pieces:
                ram[owners.ram_part(section.name, piece)] += piece.size
                ram["static"] += piece.padding
            ram[owners.ram_part(section.name)] += left
    return Sizes(
        flash=FlashUse(**flash, total=sum(s.size for s in sections if s.in_flash)),
        ram=RamUse(**ram, total=sum(s.size for s in sections if s.in_ram)),
        symbols=_attributed(symbols, sections, owners),
        toolchain=toolchain,
    )


class _Owners:
    """Says which part of the firmware a piece of it belongs to."""

    def __init__(self, link: LinkerMap) -> None:
        self._by_section: dict[str, list[InputSection]] = {}
        for piece in link.sections:
            if piece.size:
                self._by_section.setdefault(piece.output, []).append(piece)
        self._model_files = _model_files(link)

    def of_section(self, name: str) -> list[InputSection]:
        return self._by_section.get(name, [])

    def flash_part(self, piece: InputSection) -> str:
        if piece.file not in self._model_files:
            return "harness"
        return "weights" if _CONSTANT.match(piece.name) else "code"

    def ram_part(self, section: str, piece: InputSection | None = None) -> str:
        """Variables of the user's own may lie in the same memory as a part of the arena."""
        if piece is not None and _MARKED.match(piece.name) and piece.file in self._model_files:
            return "arena"
        for name in (piece.name if piece is not None else "", section):
            if _ARENA.match(name):
                return "arena"
            if _STACK.match(name):
                return "stack"
        return "static"


def _model_files(link: LinkerMap) -> set[str]:
    """The model's objects, and the archive members that nothing but they need, directly or through others."""
    files = {piece.file for piece in link.sections if piece.size}  # others were linked, but nothing of them is left
    users = {file: link.references.get(file, frozenset()) & files for file in files}
    model = {file for file in files if _MODEL_OBJECT.search(file)}
    members = {file for file in files if ".a(" in file and users[file]}
    # Start from all members and drop those with a user outside, until nothing changes.
    while True:
        outside = {file for file in members if not users[file] <= model | members}
        if not outside:
            return model | _reached(model, members, users)
        members -= outside


def _reached(model: set[str], members: set[str], users: Mapping[str, frozenset[str]]) -> set[str]:
    """Those of `members` that the model needs; members that only need each other are not its own."""
    reached: set[str] = set()
    while True:
        more = {file for file in members - reached if users[file] & (model | reached)}
        if not more:
            return reached
        reached |= more


def _sections(file: Any, ram_region: Region | None) -> list[_Section]:
    found = []
    segments = [s for s in file.iter_segments() if s["p_type"] == "PT_LOAD"]
    for index, section in enumerate(file.iter_sections()):
        if not section["sh_flags"] & _SHF_ALLOC or not section["sh_size"]:
            continue
        in_flash = section["sh_type"] != "SHT_NOBITS"
        loaded_elsewhere = in_flash and any(
            segment.section_in_segment(section) and segment["p_paddr"] != segment["p_vaddr"] for segment in segments
        )
        in_ram = not in_flash or loaded_elsewhere
        if ram_region is not None:
            in_ram = ram_region.origin <= section["sh_addr"] < ram_region.end
        found.append(_Section(index, section.name, section["sh_size"], in_flash, in_ram))
    return found


def memory_use(elf: Path, memories: Sequence[Region]) -> dict[str, int]:
    """Bytes that a firmware takes of each memory: what lies there when it runs, and what is programmed there.

    Raises:
        ToolError: the ELF file is not sound.
    """
    used = {memory.name: 0 for memory in memories}
    try:
        with elf.open("rb") as stream:
            file = ELFFile(stream)
            segments = [s for s in file.iter_segments() if s["p_type"] == "PT_LOAD"]
            for section in file.iter_sections():
                size, at = section["sh_size"], section["sh_addr"]
                if not section["sh_flags"] & _SHF_ALLOC or not size:
                    continue
                places = {at}
                if section["sh_type"] != "SHT_NOBITS":
                    of = next((s for s in segments if s.section_in_segment(section)), None)
                    places.add(at - of["p_vaddr"] + of["p_paddr"] if of is not None else at)
                for memory in memories:
                    used[memory.name] += size * any(memory.origin <= place < memory.end for place in places)
    except (OSError, ELFError) as error:
        raise ToolError(f"is not a sound ELF file: {error}", where=str(elf)) from error
    return used


def _raw_symbols(file: Any) -> list[tuple[str, int, int, int]]:
    """(name, section index, address, size) of functions and variables. Thumb's bit 0 is cleared."""
    table = file.get_section_by_name(".symtab")
    if table is None:
        return []
    if file.elfclass != 32 or not file.little_endian:
        raise ELFError("firmware has 32 bits, the lowest byte first")
    names, content = table.stringtable.data(), table.data()
    found, whole = [], len(content) - len(content) % _SYMBOL.size
    for name, value, size, info, _, index in _SYMBOL.iter_unpack(content[:whole]):
        kind = info & 0xF
        if kind in (_FUNCTION, _OBJECT) and 0 < index < _RESERVED_INDICES and size:
            address = value & ~1 if kind == _FUNCTION else value
            text = names[name : names.find(b"\0", name)].decode("utf-8", "replace")
            found.append((text, index, address, size))
    return found


def _attributed(
    symbols: list[tuple[str, int, int, int]], sections: list[_Section], owners: _Owners
) -> tuple[Symbol, ...]:
    by_index = {section.index: section for section in sections}
    starts = {s.name: sorted(owners.of_section(s.name), key=lambda p: p.address) for s in sections}
    result = []
    for name, index, address, size in symbols:
        section = by_index.get(index)
        if section is None:
            continue
        pieces = starts[section.name]
        at = bisect.bisect_right(pieces, address, key=lambda p: p.address) - 1
        piece = pieces[at] if at >= 0 else None
        if section.in_ram:
            part = owners.ram_part(section.name, piece)
        else:
            part = owners.flash_part(piece) if piece else "harness"
        result.append(Symbol(name, part, section.name, address, size))
    return tuple(sorted(set(result), key=lambda s: (-s.size, s.name, s.address)))


def _toolchain(file: Any) -> str:
    """What the compilers wrote about themselves, the first of them."""
    section = file.get_section_by_name(".comment")
    text = section.data().decode("ascii", errors="replace") if section is not None else ""
    return next((line for line in text.split("\0") if line), "unknown")
