"""Reads what a board file says of its memories: the tables [memory.<name>]."""

from __future__ import annotations

import itertools

from mcugen.boards.types import KINDS, NON_VOLATILE, Region
from mcugen.toml_table import Table

MOST_CYCLES = 10_000

_OWN_KINDS = {"flash": NON_VOLATILE, "ram": ("dtcm", "sram", "psram")}
"""What flash and RAM can be."""


def read_memories(memory: Table, *, has_framework: bool) -> dict[str, Region]:
    """The memories by name, flash and RAM among them.

    Raises:
        BoardError: a field breaks the format, or memories overlap.
    """
    regions = {key: _region(memory.table(key), key) for key in memory.keys(r"[a-z][a-z0-9_]{0,15}")}
    for required in ("flash", "ram"):
        if required not in regions:
            raise memory.error(required, "is missing")
    _check_overlap(memory, list(regions.values()))
    placed = [region for region in regions.values() if region.holds]
    below = next((region for region in placed if region.is_ram and region.end == regions["ram"].origin), None)
    if below is not None:
        why = f"ends where ram begins, with the stack: an overflow would change {below.name} in place of faulting"
        raise memory.error(below.name, why)
    if placed and has_framework:
        raise memory.error(f"{placed[0].name}.holds", "does not go with a framework, whose linker script places all")
    if placed:
        for region in (regions["flash"], regions["ram"], *placed):
            if region.read_cycles is None:
                why = f"is missing: without it nothing tells what belongs in {placed[0].name}"
                raise memory.error(f"{region.name}.read_cycles", why)
    return regions


def _region(table: Table, name: str) -> Region:
    origin = table.integer("origin", 0, 0xFFFF_FFF0)
    size = table.integer("size", 1024, 1 << 31)
    if origin % 16 or size % 16:
        raise table.error("origin" if origin % 16 else "size", "is not a multiple of 16")
    if origin + size > 1 << 32:
        raise table.error("size", f"reaches beyond the 32-bit address space ({origin + size:#x})")
    kind = table.choice("kind", ("", *_OWN_KINDS.get(name, KINDS)), default="")
    read, write = (_cycles(table, key) for key in ("read_cycles", "write_cycles"))
    holds = tuple(dict.fromkeys(table.strings("holds", ("arena", "weights"))))
    own = name in _OWN_KINDS
    if own and table.has("holds"):
        raise table.error("holds", f"is for further memories: {name} holds what no other does")
    if holds and name == "vectors":
        raise table.error("holds", "does not go with a memory for the table that the core starts from")
    if (holds or read or write) and not kind and not own:
        raise table.error("kind", f"is missing; it is one of {', '.join(KINDS)}")
    if "arena" in holds and kind in NON_VOLATILE:
        raise table.error("holds", f'names "arena", which no {kind} can hold: it is written all the time')
    if write and kind in NON_VOLATILE:
        raise table.error("write_cycles", f"does not go with {kind}, which a model never writes")
    source = table.text("source", most=300, **({} if read or write else {"default": ""}))
    region = Region(name, origin, size, kind, read, write, holds, table.boolean("dma", default=True), source)
    table.finish()
    return region


def _cycles(table: Table, key: str) -> tuple[float, float, float] | None:
    if not table.has(key):
        return None
    figures = table.numbers(key, 0, MOST_CYCLES)
    if len(figures) != 3 or figures != sorted(figures):
        raise table.error(key, "is not three figures that rise: low, nominal, high")
    return (figures[0], figures[1], figures[2])


def _check_overlap(memory: Table, regions: list[Region]) -> None:
    ordered = sorted(regions, key=lambda region: region.origin)
    for low, high in itertools.pairwise(ordered):
        if low.end > high.origin:
            raise memory.error(high.name, f"overlaps {low.name} ({low.origin:#x}-{low.end:#x} and {high.origin:#x}-…)")
