"""Which tensor lives where in the arena, and when: the facts, and their drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from mcugen.report.names import brief, tail
from mcugen.runtimes.aot.plan.types import Buffer, Plan

Role = Literal["input", "output", "state", "activation", "scratch"]

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 1080.0, 400.0, 66.0, 26.0, 8.0
"""Units of the drawing; the axes take LEFT and BOTTOM of it."""

_LETTER, _MARK = 6.3, 24.0


def arena_facts(plan: Plan) -> dict[str, Any]:
    """The `arena` object of docs/JSON.md: every block of the arena, with the tensors that live in it."""
    return {
        "bytes": plan.arena_bytes,
        "live_bound": plan.live_bound,
        "steps": len(plan.steps),
        "buffers": [_buffer_facts(plan, buffer) for buffer in plan.buffers],
    }


def _buffer_facts(plan: Plan, buffer: Buffer) -> dict[str, Any]:
    tensors = [plan.graph.tensor(i) for i in buffer.tensors]
    return {
        "role": _role(plan, buffer),
        "offset": buffer.offset,
        "size": buffer.size,
        "first": buffer.first,
        "last": buffer.last,
        "tensors": [{"name": t.name, "shape": list(t.shape), "dtype": t.dtype.value} for t in tensors],
    }


def _role(plan: Plan, buffer: Buffer) -> Role:
    """What a block is for. One that holds both an input and an output (in place) is shown as the input."""
    if buffer.is_scratch:
        return "scratch"
    if any(plan.graph.tensor(i).is_state for i in buffer.tensors):
        return "state"
    if set(buffer.tensors) & set(plan.graph.inputs):
        return "input"
    return "output" if set(buffer.tensors) & set(plan.graph.outputs) else "activation"


@dataclass(frozen=True)
class Rect:
    """A buffer's place in the drawing. `index` is its position in the facts; `label` is empty where none fits."""

    index: int
    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, and what is written there."""

    at: float
    text: str


@dataclass(frozen=True)
class ArenaMap:
    rects: tuple[Rect, ...]
    steps: tuple[Tick, ...]
    addresses: tuple[Tick, ...]


def draw_arena(facts: Mapping[str, Any]) -> ArenaMap:
    """Time to the right, addresses upwards; large blocks first, so that small ones lie on top of them."""
    columns = facts["steps"] + 2
    column = (WIDTH - LEFT) / columns
    per_byte = (HEIGHT - BOTTOM - TOP) / max(1, facts["bytes"])
    floor = HEIGHT - BOTTOM
    rects = []
    for index, buffer in enumerate(facts["buffers"]):
        width = (buffer["last"] - buffer["first"] + 1) * column
        height = buffer["size"] * per_byte
        y = floor - (buffer["offset"] + buffer["size"]) * per_byte
        x = LEFT + (buffer["first"] + 1) * column
        rects.append(Rect(index, round(x, 2), round(y, 3), round(width, 2), round(height, 3), ""))
    rects.sort(key=lambda r: (-r.width * r.height, r.index))
    rects = [replace(rect, label=_label(facts["buffers"][rect.index], _free(rect, rects))) for rect in rects]
    steps = _step_marks(facts["steps"], column)
    addresses = [Tick(round(floor - value * per_byte, 2), text) for value, text in address_marks(facts["bytes"])]
    return ArenaMap(tuple(rects), steps, tuple(addresses))


def _step_marks(steps: int, column: float) -> tuple[Tick, ...]:
    """The time before the first op, ops at regular distances, and the time after the last; none close to another."""
    every = -(-steps // 24) or 1
    last = WIDTH - column / 2
    marks = [Tick(round(LEFT + column / 2, 2), "in")]
    for step in range(0, steps, every):
        at = round(LEFT + (step + 1.5) * column, 2)
        if min(at - marks[-1].at, last - at) >= _MARK:
            marks.append(Tick(at, str(step)))
    return (*marks, Tick(round(last, 2), "out"))


def address_marks(size: int) -> list[tuple[int, str]]:
    """About five round addresses from 0 up, as (bytes, text)."""
    step = 1
    while size > 6 * step:
        step *= 2
    unit, name = (1024, " KiB") if step >= 1024 else (1, " B")
    return [(value, f"{value // unit}{name}" if value else "0") for value in range(0, size + 1, step)]


def _free(rect: Rect, others: Sequence[Rect]) -> float:
    """How far a label may reach in a rectangle: up to the next one that covers its line."""
    if rect.height < 15:
        return 0.0
    line = rect.y + min(10.0, rect.height / 2)
    ends = [o.x for o in others if rect.x < o.x and o.y - 6 <= line <= o.y + o.height + 6]
    return min([rect.x + rect.width, *ends]) - rect.x


def _label(buffer: Mapping[str, Any], width: float) -> str:
    letters = int((width - 9) / _LETTER)
    tensors: Sequence[Mapping[str, Any]] = buffer["tensors"]
    text = brief(tensors[0]["name"]) if tensors else "scratch"
    return tail(text, letters) if letters >= min(4, len(text)) else ""
