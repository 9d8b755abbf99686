"""Where the flash goes, symbol by symbol: the facts, and their drawing as a squarified treemap.

M. Bruls, K. Huizing, J. van Wijk, "Squarified Treemaps", VisSym 2000.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcugen.builder.demangle import demangled
from mcugen.text import plain

if TYPE_CHECKING:
    from mcugen.builder.types import Firmware, Symbol

PARTS = ("weights", "code", "harness")

WIDTH, HEIGHT = 1080.0, 440.0
_HEAD, _GAP, _LETTER, _LINE = 20.0, 4.0, 6.6, 13.0

_SMALLEST = 1000
"""Symbols below this fraction of the flash are shown as one block per part."""


def flash_facts(firmware: Firmware) -> dict[str, Any]:
    """The `flash` object of docs/JSON.md: each part's symbols, what is too small to show, and what has no name."""
    flash = firmware.flash
    least = flash.total / _SMALLEST
    names = demangled(s.name for s in firmware.symbols if s.size >= least)
    parts = []
    for part in PARTS:
        symbols = _apart(s for s in firmware.symbols if s.part == part)
        shown = [s for s in symbols if s.size >= least]
        size = int(getattr(flash, part))
        named = sum(s.size for s in symbols)
        parts.append(
            {
                "part": part,
                "size": size,
                "symbols": [{"name": names.get(s.name, s.name), "section": s.section, "size": s.size} for s in shown],
                "smaller": {"count": len(symbols) - len(shown), "size": named - sum(s.size for s in shown)},
                "unnamed": size - named,
            }
        )
    return {"total": flash.total, "parts": parts}


def _apart(symbols: Iterable[Symbol]) -> list[Symbol]:
    """Symbols that do not overlap, the largest first: of several names for the same bytes, one."""
    found: list[Symbol] = []
    end: dict[str, int] = {}
    for symbol in sorted(symbols, key=lambda s: (s.section, s.address, -s.size, s.name)):
        if symbol.address >= end.get(symbol.section, 0):
            found.append(symbol)
            end[symbol.section] = symbol.address + symbol.size
    return sorted(found, key=lambda s: (-s.size, s.name, s.address))


@dataclass(frozen=True)
class Tile:
    """A block of the treemap. `pointer` leads to its size in the facts; `label` and `note` are empty where none fits.

    `title` is the whole name. `part` names the part of the flash; its own frame has `kind` "part".
    """

    pointer: str
    kind: str
    part: str
    title: str
    size: int
    x: float
    y: float
    width: float
    height: float
    label: str
    room_for_size: bool


def draw_flash(facts: Mapping[str, Any], pointer: str = "/flash") -> tuple[Tile, ...]:
    """Frames of the parts, and the blocks in them; areas in a frame are proportional to bytes."""
    tiles: list[Tile] = []
    parts = [(n, part) for n, part in enumerate(facts["parts"]) if part["size"] > 0]
    parts.sort(key=lambda p: -p[1]["size"])
    frames = squarify([part["size"] for _, part in parts], 0, 0, WIDTH, HEIGHT)
    for (n, part), (x, y, width, height) in zip(parts, frames, strict=True):
        here = f"{pointer}/parts/{n}"
        name = part["part"]
        room = width >= _LETTER * (len(name) + 12) and height >= 2 * _HEAD
        tiles.append(_tile(f"{here}/size", "part", name, name, part["size"], (x, y, width, height), room))
        head = _HEAD if room else 0.0
        blocks = _blocks(part, here)
        inner = (x + _GAP, y + _GAP + head, max(0.0, width - 2 * _GAP), max(0.0, height - 2 * _GAP - head))
        for (where, kind, title, size), rect in zip(blocks, squarify([b[3] for b in blocks], *inner), strict=True):
            tiles.append(_tile(where, kind, name, title, size, rect, True))
    return tuple(tiles)


def _blocks(part: Mapping[str, Any], here: str) -> list[tuple[str, str, str, int]]:
    """(pointer, kind, title, size) of everything in a part, the largest first."""
    blocks = [(f"{here}/symbols/{n}/size", "symbol", s["name"], s["size"]) for n, s in enumerate(part["symbols"])]
    smaller = part["smaller"]
    blocks.append((f"{here}/smaller/size", "smaller", f"{smaller['count']} smaller", smaller["size"]))
    blocks.append((f"{here}/unnamed", "unnamed", "without a name", part["unnamed"]))
    return sorted((b for b in blocks if b[3] > 0), key=lambda b: -b[3])


def _tile(
    pointer: str,
    kind: str,
    part: str,
    title: str,
    size: int,
    rect: tuple[float, float, float, float],
    may_label: bool,
) -> Tile:
    x, y, width, height = (round(v, 2) for v in rect)
    letters = int((width - 10) / _LETTER)
    text = _plain_symbol(title)
    fits = may_label and letters >= min(4, len(text)) and height >= _LINE + 5
    label = (text if len(text) <= letters else text[: letters - 1] + "…") if fits else ""
    two_lines = bool(label) and height >= 2 * _LINE + 6 and letters >= 9
    return Tile(pointer, kind, part, title, size, x, y, width, height, label, two_lines)


def _plain_symbol(name: str) -> str:
    """A C name without the prefix that all of ours have, and without what the compiler appended."""
    return plain(name).removeprefix("mcg_").removeprefix("const_").split(".")[0] or plain(name)


def squarify(
    sizes: Sequence[int], x: float, y: float, width: float, height: float
) -> list[tuple[float, float, float, float]]:
    """Rectangles (x, y, width, height) that fill the given one, areas proportional to the positive `sizes`.

    `sizes` go from large to small; rows are closed where one more block would make its worst aspect ratio worse.
    """
    if not sizes:
        return []
    scale = width * height / sum(sizes)
    areas = [size * scale for size in sizes]
    found: list[tuple[float, float, float, float]] = []
    start = 0
    while start < len(areas):
        side = min(width, height)
        end = start + 1
        while end < len(areas) and _worst(areas[start : end + 1], side) <= _worst(areas[start:end], side):
            end += 1
        total = sum(areas[start:end])
        thick = total / side if side else 0.0
        at = 0.0
        for area in areas[start:end]:
            long = area / thick if thick else 0.0
            found.append((x, y + at, thick, long) if width >= height else (x + at, y, long, thick))
            at += long
        if width >= height:
            x, width = x + thick, max(0.0, width - thick)
        else:
            y, height = y + thick, max(0.0, height - thick)
        start = end
    return found


def _worst(areas: Sequence[float], side: float) -> float:
    """The worst aspect ratio of blocks that lie side by side along `side`."""
    total = sum(areas)
    if not side or not total:
        return float("inf")
    thick = total / side
    return max(max(thick * thick / area, area / (thick * thick)) for area in areas if area)
