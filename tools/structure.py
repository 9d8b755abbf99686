"""Reads the imports of `mcugen/` from its source, and draws its rooms: `make docs` makes the picture of docs/DESIGN.md.

A *room* is a package, or a part of one that the law of tests/test_house.py names by itself. Nothing of mcugen is
imported or run: imports are read from the syntax tree, those inside functions and for type checkers included.
"""

from __future__ import annotations

import ast
import html
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Import:
    """Module `source` imports module `target` in line `line`; both by their full names."""

    source: str
    target: str
    line: int


def modules(root: Path = ROOT, package: str = "mcugen") -> dict[str, Path]:
    """Every module of the package by its full name, in alphabetical order."""
    found = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(known: Mapping[str, Path]) -> list[Import]:
    """Who imports whom among the modules, in order."""
    found: set[tuple[str, str, int]] = set()
    for name, path in known.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for target in imported_names(node, package):
                module = target if target in known else target.rpartition(".")[0]
                if module in known and module != name:
                    found.add((name, module, getattr(node, "lineno", 0)))
    return [Import(*item) for item in sorted(found)]


def imported_names(node: ast.AST, package: str) -> list[str]:
    """What an import statement in a package names, as full names of modules or of things in them; else nothing."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        parts = package.split(".")
        base = parts[: len(parts) - node.level + 1] if node.level else []
        start = ".".join([*base, *([node.module] if node.module else [])])
        return [f"{start}.{alias.name}" for alias in node.names]
    return []


def circles(edges: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Groups of two or more nodes that reach each other, each in alphabetical order (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(edges.get(node, ())):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            at = stack.index(node)
            group = sorted(stack[at:])
            del stack[at:]
            if len(group) > 1:
                found.append(group)

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 10_000))
    try:
        for node in sorted(edges):
            if node not in index:
                visit(node)
    finally:
        sys.setrecursionlimit(limit)
    return sorted(found)


def room_of(module: str, rooms: Iterable[str]) -> str:
    """The room of a module: the longest name among `rooms` that begins its own. "" where there is none.

    A part "*" of a room's name stands for any part of a module's.
    """
    inside = module.split(".")[1:]

    def fits(room: str) -> bool:
        parts = room.split(".")
        return len(parts) <= len(inside) and all(a in ("*", b) for a, b in zip(parts, inside, strict=False))

    return max(filter(fits, rooms), key=lambda room: room.count("."), default="")


ROOMS = (
    *("errors", "names", "text", "progress", "resources", "custom", "environment", "cache", "outputs", "reading"),
    *("children", "cores", "toml_table"),
    *("graph", "tflite"),
    *("numerics", "ops", "cores.*.kernels", "ops.moving", "ops.elementwise", "ops.casting", "ops.weighted"),
    *(
        "ops.pooling",
        "ops.rows",
        "ops.keeping",
        "emit",
        "frontends",
        "decisions",
        "pipeline",
        "training",
        "emulators",
        "boards",
        "reference",
    ),
    *("oracle", "runtimes", "runtimes.aot"),
    *("runtimes.aot.graph", "runtimes.aot.plan", "runtimes.aot.emit", "runtimes.tflm", "project", "formats", "builder"),
    *(
        "verify",
        "qat",
        "guard",
        "convert.loops",
        "convert",
        "assess",
        "tune",
        "device",
        "cost",
        "flash",
        "evidence",
        "monitor",
        "monitor.web",
        "sweep",
    ),
    *("flow", "ui", "report", "verbs.options", "verbs", "api", "cli", "testing", "pytest_plugin"),
)
"""The rooms of `mcugen/`, by their names in it. What is in none of them belongs to the package itself."""


def room_edges(found: Iterable[Import], rooms: Iterable[str] = ROOMS) -> dict[str, set[str]]:
    """Which rooms each room imports, itself left out."""
    names = tuple(rooms)
    edges: dict[str, set[str]] = {room: set() for room in names}
    for item in found:
        source, target = room_of(item.source, names), room_of(item.target, names)
        if source != target:
            edges.setdefault(source, set()).add(target)
    return edges


def floors(edges: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Rooms by floor: each room is one above the highest that it imports. Needs edges without circles."""
    levels: dict[str, int] = {}

    def level(room: str) -> int:
        if room not in levels:
            levels[room] = 1 + max((level(target) for target in edges.get(room, ())), default=-1)
        return levels[room]

    for room in edges:
        level(room)
    return [sorted(room for room, at in levels.items() if at == n) for n in range(max(levels.values()) + 1)]


def without_shortcuts(edges: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The edges that no longer way replaces: a picture of all of them is black."""
    reach: dict[str, set[str]] = {}

    def reached(room: str) -> set[str]:
        if room not in reach:
            reach[room] = set().union(*({t} | reached(t) for t in edges.get(room, ())))
        return reach[room]

    return {
        room: {t for t in targets if not any(t in reached(other) for other in targets if other != t)}
        for room, targets in edges.items()
    }


_BOX, _GAP, _MARGIN = (150, 44), (18, 40), 24


def draw(found: Iterable[Import], known: Mapping[str, Path]) -> str:
    """An SVG of the rooms on their floors, the ground at the bottom, with the imports that no others imply."""
    edges = {room: targets - {""} for room, targets in room_edges(found).items() if room}
    storeys = floors(edges)
    count = dict.fromkeys(edges, 0)
    for name in known:
        count[room_of(name, ROOMS)] = count.get(room_of(name, ROOMS), 0) + 1
    width = 2 * _MARGIN + max(len(rooms) for rooms in storeys) * (_BOX[0] + _GAP[0]) - _GAP[0]
    height = 2 * _MARGIN + len(storeys) * (_BOX[1] + _GAP[1]) - _GAP[1]
    place: dict[str, tuple[int, int]] = {}
    for n, rooms in enumerate(storeys):
        left = (width - len(rooms) * (_BOX[0] + _GAP[0]) + _GAP[0]) // 2
        for k, room in enumerate(rooms):
            place[room] = left + k * (_BOX[0] + _GAP[0]), height - _MARGIN - _BOX[1] - n * (_BOX[1] + _GAP[1])
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        "<title>The rooms of mcugen and what they import: every line goes down</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for room, targets in sorted(without_shortcuts(edges).items()):
        for target in sorted(targets):
            (x1, y1), (x2, y2) = place[room], place[target]
            top, bottom = y1 + _BOX[1], y2
            middle = (top + bottom) // 2
            x1, x2 = x1 + _BOX[0] // 2, x2 + _BOX[0] // 2
            lines.append(
                f'<path d="M{x1} {top}C{x1} {middle} {x2} {middle} {x2} {bottom}" fill="none" '
                'stroke="#8a99b5" stroke-opacity="0.7"/>'
            )
    for room, (x, y) in sorted(place.items()):
        files = f"{count[room]} module{'s' * (count[room] != 1)}"
        lines += [
            f'<rect x="{x}" y="{y}" width="{_BOX[0]}" height="{_BOX[1]}" rx="6" fill="#eef3fb" stroke="#3d5a8a"/>',
            f'<text x="{x + _BOX[0] // 2}" y="{y + 19}" text-anchor="middle" font-size="13" fill="#14233b">'
            f"{html.escape(room)}</text>",
            f'<text x="{x + _BOX[0] // 2}" y="{y + 35}" text-anchor="middle" font-size="10" fill="#53617a">'
            f"{files}</text>",
        ]
    return "\n".join([*lines, "</svg>", ""])


def document() -> str:
    """The picture of docs/DESIGN.md, as the code has it now."""
    known = modules()
    return draw(imports(known), known)
