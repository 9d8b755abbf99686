"""Draws a directed graph in layers, folded into columns: a long chain of ops then fills a page instead of a strip.

Ranks, placeholders on long edges and barycentre ordering as in K. Sugiyama, S. Tagawa, M. Toda, "Methods for Visual
Understanding of Hierarchical System Structures", IEEE Trans. SMC 11(2), 1981. Columns break only where a single edge
crosses, so that residual blocks and branches stay in one piece.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

BOX_WIDTH, BOX_HEIGHT = 214.0, 58.0
PAGE_WIDTH = 1080.0

_DOWN = 84.0
"""From a rank to the next."""
_LANE = 26.0
"""Width of an edge that passes by a rank."""
_BETWEEN = 18.0
_GUTTER = 52.0
_MARGIN = 22.0
_FEWEST, _MOST = 4, 14
"""Ranks of a column, unless nothing can be cut."""
_SWEEPS = 6


@dataclass(frozen=True)
class Box:
    """A node's place: its left upper corner."""

    node: int
    x: float
    y: float


@dataclass(frozen=True)
class Line:
    """A part of an edge's way as an SVG path. `arrow` is False where a placeholder goes on with it."""

    edge: int
    path: str
    arrow: bool


@dataclass(frozen=True)
class Panel:
    """Columns that fit side by side on a page."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


@dataclass(eq=False)
class _Item:
    """A node, or (with `node` −1) a placeholder of an edge that passes its rank.

    `pulls` is False for placeholders of edges that only bypass what else reads their source.
    """

    node: int
    rank: int
    order: float
    pulls: bool = True
    above: list[_Item] = field(default_factory=list)
    below: list[_Item] = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0
    column: int = 0

    @property
    def width(self) -> float:
        return BOX_WIDTH if self.node >= 0 else _LANE


@dataclass(frozen=True, eq=False)
class _Piece:
    """A part of an edge, from one rank to the next."""

    edge: int
    source: _Item
    target: _Item


def draw_graph(nodes: int, edges: Sequence[tuple[int, int]]) -> tuple[Panel, ...]:
    """Places for `nodes` nodes, and ways for all edges.

    Args:
        edges: (source, target), source < target: nodes are given in an order in which they could run.
    """
    if not nodes:
        return ()
    ranks, pieces = _layers(nodes, edges)
    _order(ranks)
    panels = _laid_out(_fold(ranks), pieces)
    if len(panels) > 1 and len(ranks) <= _MOST:  # short and wide: better in one piece
        panels = _laid_out([ranks], pieces)
    return tuple(panels)


def _laid_out(columns: list[list[list[_Item]]], pieces: list[_Piece]) -> list[Panel]:
    for number, column in enumerate(columns):
        for level, rank in enumerate(column):
            for item in rank:
                item.column, item.y = number, _MARGIN + level * _DOWN
        _place(column)
    return _panels(columns, pieces)


def _layers(nodes: int, edges: Sequence[tuple[int, int]]) -> tuple[list[list[_Item]], list[_Piece]]:
    """Every node as far down as the longest way to it; sources right above what reads them."""
    depth = [0] * nodes
    for source, target in sorted(edges):
        depth[target] = max(depth[target], depth[source] + 1)
    has_source = {target for _, target in edges}
    for node in range(nodes):
        readers = [depth[target] for source, target in edges if source == node]
        if node not in has_source and readers:
            depth[node] = min(readers) - 1
    items = [_Item(node, depth[node], float(node)) for node in range(nodes)]
    ranks: list[list[_Item]] = [[] for _ in range(max(depth) + 1)]
    for item in items:
        ranks[item.rank].append(item)
    pieces = []
    readers_of = Counter(source for source, _ in edges)
    for number, (source, target) in enumerate(edges):
        last = items[source]
        for rank in range(depth[source] + 1, depth[target]):
            # Between source and target in order: skips begin at the side of what they skip.
            order = items[source].order + 0.5 + number / (2 * len(edges))
            passing = _Item(-1, rank, order, pulls=readers_of[source] == 1)
            ranks[rank].append(passing)
            pieces.append(_piece(number, last, passing))
            last = passing
        pieces.append(_piece(number, last, items[target]))
    return ranks, pieces


def _piece(edge: int, source: _Item, target: _Item) -> _Piece:
    source.below.append(target)
    target.above.append(source)
    return _Piece(edge, source, target)


def _order(ranks: list[list[_Item]]) -> None:
    """Sort every rank by the mean position of the neighbours, down and up again."""
    for rank in ranks:
        rank.sort(key=lambda item: (item.node < 0, item.order))
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for rank in ranks if down else reversed(ranks):
            for position, item in enumerate(rank):
                item.order = float(position)
            for item in rank:
                near = item.above if down else item.below
                item.x = sum(n.order for n in near) / len(near) if near else item.order
            rank.sort(key=lambda item: (item.x, item.order))
            for position, item in enumerate(rank):
                item.order = float(position)


def _fold(ranks: list[list[_Item]]) -> list[list[list[_Item]]]:
    """Columns of ranks of about the same height, cut where a single edge crosses."""
    most = max(1, int(PAGE_WIDTH // (BOX_WIDTH + _GUTTER)))
    height = max(_FEWEST, min(_MOST, -(-len(ranks) // most)))
    columns: list[list[list[_Item]]] = [[]]
    for number, rank in enumerate(ranks):
        columns[-1].append(rank)
        crossing = sum(len(item.below) for item in rank)
        left = len(ranks) - number - 1
        if len(columns[-1]) >= height and crossing == 1 and left > 1:
            columns.append([])
    return columns


def _place(column: list[list[_Item]]) -> None:
    """x of every item: near the mean of its neighbours, apart from those beside it; nodes are kept straight first."""
    for rank in column:
        _spread(rank, [0.0] * len(rank))
    inside = {id(item) for rank in column for item in rank}
    for sweep in range(_SWEEPS + 1):  # down at last: what follows on something stands right below it
        down = sweep % 2 == 0
        for rank in column if down else reversed(column):
            wanted = []
            for item in rank:
                near = [n for n in (item.above if down else item.below) if id(n) in inside]
                pulling = [n.x for n in near if n.pulls] or [n.x for n in near] or [item.x]
                wanted.append(sum(pulling) / len(pulling))
            _spread(rank, wanted)
    left = min(item.x - item.width / 2 for rank in column for item in rank)
    for rank in column:
        for item in rank:
            item.x -= left


def _spread(rank: list[_Item], wanted: list[float]) -> None:
    """Put centres where they are wanted, as far as there is room; errors of nodes count, of placeholders do not."""
    x = float("-inf")
    for item, want in zip(rank, wanted, strict=True):
        item.x = max(want, x + item.width / 2)
        x = item.x + item.width / 2 + _BETWEEN
    errors = [item.x - want for item, want in zip(rank, wanted, strict=True) if item.node >= 0]
    shift = sum(errors) / len(errors) if errors else 0.0
    for item in rank:
        item.x -= shift


def _panels(columns: list[list[list[_Item]]], pieces: list[_Piece]) -> list[Panel]:
    widths = [max(item.x + item.width / 2 for rank in column for item in rank) for column in columns]
    panels: list[list[int]] = []
    used = PAGE_WIDTH
    for number, width in enumerate(widths):
        if used + _GUTTER + width > PAGE_WIDTH or not panels:
            panels.append([])
            used = 1.0
        left = used + (_GUTTER if panels[-1] else 0.0)
        panels[-1].append(number)
        used = left + width
        for rank in columns[number]:
            for item in rank:
                item.x += left
    return [_panel([columns[n] for n in numbers], set(numbers), pieces) for numbers in panels]


def _panel(columns: list[list[list[_Item]]], numbers: set[int], pieces: list[_Piece]) -> Panel:
    items = [item for column in columns for rank in column for item in rank]
    boxes = [Box(i.node, round(i.x - BOX_WIDTH / 2, 1), round(i.y, 1)) for i in items if i.node >= 0]
    lines = []
    for piece in pieces:
        here = (piece.source.column in numbers, piece.target.column in numbers)
        if any(here):
            arrow = piece.target.node >= 0 or not here[1]
            lines.append(Line(piece.edge, _path(piece.source, piece.target, *here), arrow))
    lines += [
        Line(piece.edge, f"M{i.x:.1f} {i.y:.1f}V{i.y + BOX_HEIGHT:.1f}", False)
        for piece in pieces
        if (i := piece.target).node < 0 and i.column in numbers
    ]
    width = max(i.x + i.width / 2 for i in items) + 2
    height = max(i.y for i in items) + BOX_HEIGHT + _MARGIN
    return Panel(round(width, 1), round(height, 1), tuple(boxes), tuple(lines))


def _path(source: _Item, target: _Item, starts: bool, ends: bool) -> str:
    x, y = source.x, source.y + BOX_HEIGHT
    to_x, to_y = target.x, target.y
    if not ends:
        return f"M{x:.1f} {y:.1f}V{y + _MARGIN - 4:.1f}"
    if not starts:
        return f"M{to_x:.1f} {to_y - _MARGIN + 2:.1f}V{to_y:.1f}"
    if source.column == target.column:
        half = (y + to_y) / 2
        if abs(x - to_x) < 0.05:
            return f"M{x:.1f} {y:.1f}V{to_y:.1f}"
        return f"M{x:.1f} {y:.1f}C{x:.1f} {half:.1f} {to_x:.1f} {half:.1f} {to_x:.1f} {to_y:.1f}"
    return _around(x, y, to_x, to_y)


def _around(x: float, y: float, to_x: float, to_y: float) -> str:
    """From the foot of a column through the gutter to the head of the next, with round corners."""
    r, foot, head = 8.0, y + 12.0, to_y - 14.0
    gutter = to_x - BOX_WIDTH / 2 - _GUTTER / 2
    return (
        f"M{x:.1f} {y:.1f}V{foot - r:.1f}Q{x:.1f} {foot:.1f} {x + r:.1f} {foot:.1f}H{gutter - r:.1f}"
        f"Q{gutter:.1f} {foot:.1f} {gutter:.1f} {foot - r:.1f}V{head + r:.1f}"
        f"Q{gutter:.1f} {head:.1f} {gutter + r:.1f} {head:.1f}H{to_x - r:.1f}"
        f"Q{to_x:.1f} {head:.1f} {to_x:.1f} {head + r:.1f}V{to_y:.1f}"
    )
