"""Geometry of a report's drawings: nothing overlaps, nothing is lost, areas stand for bytes."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from mcugen.builder.types import Firmware, FlashUse, RamUse, Symbol
from mcugen.report.arena import HEIGHT, address_marks, arena_facts, draw_arena
from mcugen.report.drawing import BOX_HEIGHT, BOX_WIDTH, PAGE_WIDTH, Panel, draw_graph
from mcugen.report.graph import graph_facts
from mcugen.report.histogram import draw_histogram
from mcugen.report.symbols import draw_flash, flash_facts, squarify
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import Plan, make_plan
from tests.report.models import branching


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(read_graph(branching(), "branching"))


def test_treemap_fills_its_rectangle_with_areas_proportional_to_sizes() -> None:
    sizes = sorted((random.Random(5).randint(1, 9_000) for _ in range(60)), reverse=True)
    rects = squarify(sizes, 10, 20, 800, 300)
    assert len(rects) == len(sizes)
    per_byte = 800 * 300 / sum(sizes)
    for size, (x, y, width, height) in zip(sizes, rects, strict=True):
        assert width * height == pytest.approx(size * per_byte)
        assert min(x - 10, y - 20, 810 - x - width, 320 - y - height) > -1e-6
    for (ax, ay, aw, ah), (bx, by, bw, bh) in itertools.combinations(rects, 2):
        wide, high = min(ax + aw, bx + bw) - max(ax, bx), min(ay + ah, by + bh) - max(ay, by)
        assert wide < 1e-6 or high < 1e-6
    assert squarify([], 0, 0, 5, 5) == []


def test_treemap_blocks_are_nearly_square() -> None:
    # The example of the paper, whose worst block is 27/10 as long as wide; slices would be 6:1.
    rects = squarify([6, 6, 4, 3, 2, 2, 1], 0, 0, 6, 4)
    assert max(max(w / h, h / w) for _, _, w, h in rects) <= 2.78


def firmware(*symbols: Symbol, **sizes: int) -> Firmware:
    flash = FlashUse(**sizes, total=sum(sizes.values()))
    none = Path()
    return Firmware(none, "b", none, none, flash, RamUse(0, 0, 0, 0), symbols, "gcc")


def test_flash_gives_every_byte_to_one_block() -> None:
    symbols = (
        Symbol("mcg_const_0_weights", "weights", ".text", 0x100, 4_000),
        Symbol("alias", "weights", ".text", 0x100, 4_000),
        Symbol("inner", "weights", ".text", 0x200, 10),
        Symbol("tiny", "code", ".text", 0x2000, 2),
        Symbol("arena", "arena", ".bss", 0x20000000, 99_999),
    )
    facts = flash_facts(firmware(*symbols, weights=4_100, code=300, harness=0))
    weights, code, harness = facts["parts"]
    assert [s["name"] for s in weights["symbols"]] == ["alias"]  # of two names for the same bytes, one
    assert (weights["unnamed"], weights["smaller"]) == (100, {"count": 0, "size": 0})
    assert (code["symbols"], code["smaller"], code["unnamed"]) == ([], {"count": 1, "size": 2}, 298)
    assert harness["size"] == 0
    tiles = draw_flash(facts)
    assert sum(t.size for t in tiles if t.kind == "part") == facts["total"]
    assert sum(t.size for t in tiles if t.kind != "part") == facts["total"]
    frame = next(t for t in tiles if t.kind == "part" and t.part == "weights")
    for tile in (t for t in tiles if t.part == "weights" and t.kind != "part"):
        assert frame.x <= tile.x <= frame.x + frame.width - tile.width + 0.02


def test_arena_draws_every_block_to_scale(plan: Plan) -> None:
    facts = arena_facts(plan)
    drawn = draw_arena(facts)
    assert sorted(r.index for r in drawn.rects) == list(range(len(plan.buffers)))
    per_byte = {round(r.height / facts["buffers"][r.index]["size"], 3) for r in drawn.rects}
    assert len(per_byte) == 1
    per_step = {
        round(r.width / (b["last"] - b["first"] + 1), 1) for r in drawn.rects if (b := facts["buffers"][r.index])
    }
    assert len(per_step) == 1
    assert all(0 <= r.y < HEIGHT - r.height for r in drawn.rects)
    roles = [b["role"] for b in facts["buffers"]]
    assert (roles.count("input"), roles.count("output")) == (2, 2)
    assert [tick.text for tick in drawn.steps][:2] == ["in", "0"]


@pytest.mark.parametrize("steps", [0, 1, 11, 23, 24, 31, 100, 999])
def test_marks_of_time_stay_apart(steps: int) -> None:
    drawn = draw_arena({"steps": steps, "bytes": 64, "buffers": []})
    places = [tick.at for tick in drawn.steps]
    assert all(b - a > 20 for a, b in itertools.pairwise(places))
    assert (drawn.steps[0].text, drawn.steps[-1].text) == ("in", "out")


def test_marks_of_addresses_are_round() -> None:
    assert address_marks(9_784) == [(0, "0"), (2048, "2 KiB"), (4096, "4 KiB"), (6144, "6 KiB"), (8192, "8 KiB")]
    assert address_marks(5)[-1] == (5, "5 B")
    assert address_marks(0) == [(0, "0")]


def boxes_apart(panel: Panel) -> bool:
    return all(
        abs(a.x - b.x) >= BOX_WIDTH or abs(a.y - b.y) >= BOX_HEIGHT for a, b in itertools.combinations(panel.boxes, 2)
    )


def test_graph_of_a_model_is_drawn_whole(plan: Plan) -> None:
    facts = graph_facts(plan)
    edges = [(edge["from"], edge["to"]) for edge in facts["edges"]]
    (panel,) = draw_graph(len(facts["nodes"]), edges)
    assert sorted(box.node for box in panel.boxes) == list(range(len(facts["nodes"])))
    assert {line.edge for line in panel.lines} == set(range(len(edges)))
    place = {box.node: box for box in panel.boxes}
    assert all(place[source].y < place[target].y for source, target in edges)
    assert boxes_apart(panel)
    kinds = [node["kind"] for node in facts["nodes"]]
    assert (kinds.count("input"), kinds.count("output"), kinds.count("ADD")) == (2, 2, 4)
    assert [n["step"] for n in facts["nodes"] if n["kind"] not in ("input", "output")] == list(range(12))


def test_a_chain_is_folded_into_columns_of_a_page() -> None:
    panels = draw_graph(100, [(n, n + 1) for n in range(99)])
    assert sorted(box.node for panel in panels for box in panel.boxes) == list(range(100))
    assert len(panels) > 1
    assert all(panel.width <= PAGE_WIDTH and boxes_apart(panel) for panel in panels)
    # The edges between panels are drawn in both.
    drawn = [line.edge for panel in panels for line in panel.lines]
    assert sorted(drawn) == sorted([*range(99), *(e for e in set(drawn) if drawn.count(e) == 2)])
    assert sum(drawn.count(e) == 2 for e in set(drawn)) == len(panels) - 1


def test_a_skip_leaves_its_chain_straight() -> None:
    (panel,) = draw_graph(5, [(0, 1), (1, 2), (2, 3), (1, 3), (3, 4)])
    assert len({box.x for box in panel.boxes}) == 1


@pytest.mark.parametrize("seed", range(6))
def test_any_graph_can_be_drawn(seed: int) -> None:
    rng = random.Random(seed)
    count = rng.randint(1, 60)
    edges = sorted({(rng.randrange(n), n) for n in range(1, count) for _ in range(rng.randint(0, 3))})
    panels = draw_graph(count, edges)
    assert sorted(box.node for panel in panels for box in panel.boxes) == list(range(count))
    assert {line.edge for panel in panels for line in panel.lines} == set(range(len(edges)))
    assert all(boxes_apart(panel) for panel in panels)
    assert draw_graph(count, edges) == panels


def test_columns_are_cut_where_one_edge_crosses_though_something_else_begins_there() -> None:
    # A streaming model: at every second op of a chain a state joins in.
    chain = list(range(0, 60, 2))
    edges = [*itertools.pairwise(chain), *((state, state + 1) for state in range(3, 58, 4))]
    panels = draw_graph(60, sorted(edges))
    assert max(panel.height for panel in panels) < 16 * 84


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw_graph(0, []) == ()


def test_histograms_share_their_scale() -> None:
    facts = {"low": -1.0, "high": 3.0, "float_counts": [0, 7, 0, 0], "quantized_counts": [0, 7, 1, 0]}
    drawn = draw_histogram(facts)
    assert drawn.zero == 60
    assert drawn.floats == "M0 72V72.0H60.00V2.0H120.00V72.0H180.00V72.0H240.00"
    assert drawn.quantized.startswith("M0 72V72.0H60.00V2.0H120.00V48.7H180.00")
    assert draw_histogram({**facts, "low": 0.5}).zero is None
