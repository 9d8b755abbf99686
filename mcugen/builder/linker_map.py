"""Reads GNU ld's map file: which object each byte came from, and who refers to whom."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mcugen.errors import ToolError

_MEMORY_MAP = "Linker script and memory map"
_CROSS_REFERENCES = "Cross Reference Table"

_OUTPUT = re.compile(r"(?P<name>[^\s*/]\S*)(?:\s+0x(?P<address>[0-9a-f]+)\s+0x(?P<size>[0-9a-f]+).*)?$")
_INPUT = re.compile(r" (?P<name>[^\s*]\S*)(?:\s+0x(?P<address>[0-9a-f]+)\s+0x(?P<size>[0-9a-f]+) (?P<file>.+))?$")
_FILL = re.compile(r" \*fill\*\s+0x(?P<address>[0-9a-f]+)\s+0x(?P<size>[0-9a-f]+)")
_CONTINUED = re.compile(r"\s+0x(?P<address>[0-9a-f]+)\s+0x(?P<size>[0-9a-f]+)(?: (?P<file>\S.*))?$")


@dataclass(frozen=True)
class InputSection:
    """A piece of an output section. `file` is an object file, or archive(member).

    `padding` bytes were put before it by the linker to align it.
    """

    output: str
    name: str
    address: int
    size: int
    file: str
    padding: int = 0


@dataclass(frozen=True)
class LinkerMap:
    """`references` holds, for each file, the other files that use a symbol which it defines."""

    sections: tuple[InputSection, ...]
    references: Mapping[str, frozenset[str]]


def parse_map(text: str) -> LinkerMap:
    """Parse a map made with `-Wl,-Map=… -Wl,--cref -Wl,--no-demangle`.

    Raises:
        ToolError: a part of the map is missing.
    """
    for title in (_MEMORY_MAP, _CROSS_REFERENCES):
        if f"\n{title}\n" not in f"\n{text}":
            raise ToolError(
                f'the linker map has no part "{title}"',
                hint="Build with the project's own platform, which asks the linker for it",
            )
    memory, _, references = text.partition(f"{_MEMORY_MAP}\n")[2].partition(f"{_CROSS_REFERENCES}\n")
    return LinkerMap(tuple(_clipped(list(_sections(memory.splitlines())))), _references(references.splitlines()))


# The compiler's names for sections that ld merges: .rodata.main.str1.4, .rodata.cst8
_MERGED = re.compile(r"\.(?:str|cst)\d")


def _clipped(pieces: list[InputSection]) -> Iterable[InputSection]:
    """The pieces without the overlaps that ld writes: the first of several merged string sections is shown with the
    strings of all, although those lie elsewhere."""
    for piece, following in itertools.zip_longest(pieces, pieces[1:]):
        end = piece.address + piece.size
        overlaps = (
            following is not None and following.output == piece.output and piece.address <= following.address < end
        )
        if following is not None and overlaps and _MERGED.search(piece.name):
            yield replace(piece, size=following.address - following.padding - piece.address)
        else:
            yield piece


def _sections(lines: list[str]) -> Iterable[InputSection]:
    output, waiting, padding = "", "", 0
    for line in lines:
        if waiting:
            # A long name stands alone; its numbers are on the next line.
            continued = _CONTINUED.match(line)
            name, waiting = waiting, ""
            if continued:
                if name.startswith(" ") and continued["file"]:
                    yield _section(output, name[1:], continued, padding)
                    padding = 0
                continue
        if fill := _FILL.match(line):
            padding += int(fill["size"], 16)
        elif found := _INPUT.match(line):
            if found["file"]:
                yield _section(output, found["name"], found, padding)
                padding = 0
            else:
                waiting = f" {found['name']}"
        elif found := _OUTPUT.match(line):
            output, padding = found["name"], 0
            waiting = "" if found["size"] else output


def _section(output: str, name: str, found: re.Match[str], padding: int) -> InputSection:
    return InputSection(output, name, int(found["address"], 16), int(found["size"], 16), found["file"], padding)


def _references(lines: list[str]) -> dict[str, frozenset[str]]:
    """Of each symbol the table lists the file that defines it, then those that use it."""
    users: dict[str, set[str]] = {}
    definer = ""
    for line in lines:
        if not line.strip() or line.startswith("Symbol  "):
            continue
        if line[0].isspace():
            file = line.strip()
            if not definer:
                definer = file
            elif file != definer:
                users.setdefault(definer, set()).add(file)
        else:
            _, _, definer = line.partition(" ")
            definer = definer.strip()
    return {file: frozenset(by) for file, by in users.items()}
