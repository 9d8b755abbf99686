"""Which memory each block of the arena and each array of weights lies in.

The memories are filled one after the other, the fastest first. What may lie in one gains there, against the next slower
one that it may lie in, the cycles that its accesses wait less. Into a memory goes what has to (nothing else takes it),
and then what gains most: of a few parts the best choice of all, of many those that gain most per byte.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mcugen.runtimes.aot.plan.accesses import Accesses, accesses_of, arrays_of, content_of
from mcugen.runtimes.aot.plan.regroup import regrouped
from mcugen.runtimes.aot.plan.types import (
    SHARED_FROM,
    Arena,
    Content,
    Memory,
    Plan,
    Step,
    Weights,
    aligned_weights,
)
from mcugen.runtimes.aot.plan.verify import verify_plan

_FEW = 10
"""Parts of which every choice is looked at."""


@dataclass(frozen=True)
class Part:
    """What has one place: a block of the arena, by its position in `Plan.buffers`, or an array of weights."""

    size: int
    accesses: Accesses
    memories: tuple[str, ...]
    block: int = -1
    weights: Content | None = None
    what: str = ""

    def waits(self, memory: Memory) -> float:
        return self.accesses.reads * memory.read + self.accesses.writes * memory.write


def place(plan: Plan, memories: Sequence[Memory]) -> Plan | None:
    """The plan with everything in the memory where it waits least; None where there is no room for it.

    Args:
        plan: one whose arena is in one piece.
        memories: the board's, flash and RAM among them.
    """
    assert not plan.memories
    order = sorted(memories, key=lambda memory: (memory.read, not memory.own, memory.name))
    left = parts_of(plan, order)
    filling = _Filling(plan, order)
    for n, memory in enumerate(order):
        later = order[n + 1 :]
        must = [part for part in left if memory.name in part.memories and not _next(part, later)]
        may = [part for part in left if memory.name in part.memories and _next(part, later)]
        chosen = filling.choose(memory, must, may, later)
        if chosen is None:
            return None
        left = [part for part in left if part not in chosen]
    return filling.finished() if not left else None


def parts_of(plan: Plan, memories: Sequence[Memory]) -> list[Part]:
    """All that has to have a place, and where it may."""
    accesses = accesses_of(plan)
    outside = {*plan.graph.inputs, *plan.graph.outputs}
    parts = []
    for n, buffer in enumerate(plan.buffers):
        total = Accesses()
        for each in (accesses.tensors.get(i) for i in buffer.tensors):
            if each is not None:
                total.add(each.reads, each.writes)
        if buffer.is_scratch:
            total = accesses.scratch.get(buffer.first, total)
        reached = bool(outside & set(buffer.tensors))
        where = tuple(m.name for m in memories if "arena" in m.holds and (m.dma or not reached))
        parts.append(Part(buffer.size, total, where, block=n))
    where = tuple(m.name for m in memories if "weights" in m.holds)
    for content, (size, what) in arrays_in(plan).items():
        parts.append(Part(size, accesses.weights.get(content, Accesses()), where, weights=content, what=what))
    return parts


def arrays_in(plan: Plan) -> dict[Content, tuple[int, str]]:
    """The arrays of weights that have a place of their own, with size and name."""
    found: dict[Content, tuple[int, str]] = {}
    for number, step in enumerate(plan.steps):
        for name, inner, of_plan in _nested(plan, step):
            for call in inner.calls:
                for n, values in enumerate(arrays_of(of_plan.graph, call)):
                    role = call.constants[n].role if n < len(call.constants) else "input"
                    if values.nbytes >= SHARED_FROM:
                        what = f"{role} of op {number} {name}"
                        found.setdefault(content_of(values), (values.nbytes, what))
    return found


def _nested(plan: Plan, step: Step) -> Iterator[tuple[str, Step, Plan]]:
    for inner in step.plans:
        for each in inner.steps:
            yield from _nested(inner, each)
    yield step.op.kind, step, plan


def _next(part: Part, later: Sequence[Memory]) -> Memory | None:
    """The next memory that a part may lie in."""
    return next((memory for memory in later if memory.name in part.memories), None)


class _Filling:
    """What the memories hold so far."""

    def __init__(self, plan: Plan, order: Sequence[Memory]) -> None:
        self._plan = plan
        self._order = order
        self._blocks: dict[str, list[int]] = {memory.name: [] for memory in order}
        self._weights: dict[str, list[Part]] = {memory.name: [] for memory in order}

    def choose(
        self, memory: Memory, must: list[Part], may: list[Part], later: Sequence[Memory]
    ) -> Sequence[Part] | None:
        """Fill a memory; None where not even what has to lie there finds room."""
        gains: dict[int, float] = {}
        for n, part in enumerate(may):
            slower = _next(part, later)
            assert slower is not None
            gains[n] = part.waits(slower) - part.waits(memory)
        wanted = [n for n in gains if gains[n] > 0 or (memory.own and gains[n] == 0)]
        for chosen in _choices(wanted, gains, may):
            parts = [*must, *(may[n] for n in chosen)]
            if self._fits(memory, parts):
                break
        else:
            if not self._fits(memory, must):
                return None
            parts = list(must)
            density = {n: gains[n] / max(1, may[n].size) for n in wanted}
            for n in sorted(wanted, key=lambda n: (-density[n], n)):
                if self._fits(memory, [*parts, may[n]]):
                    parts.append(may[n])
        for part in parts:
            self._take(memory, part)
        return parts

    def _fits(self, memory: Memory, parts: Sequence[Part]) -> bool:
        blocks = [part.block for part in parts if part.weights is None]
        weights = sum(aligned_weights(part.size) for part in parts if part.weights is not None)
        left = memory.room - weights
        return left >= (aligned_weights(regrouped(self._plan, blocks)[1]) if blocks else 0)

    def _take(self, memory: Memory, part: Part) -> None:
        if part.weights is None:
            self._blocks[memory.name].append(part.block)
        else:
            self._weights[memory.name].append(part)

    def _images(self) -> dict[Content, str] | None:
        """Where weights in RAM are copied from: the board's flash, while it has room; None where there is none."""
        lasting = [memory for memory in self._order if "weights" in memory.holds and not memory.is_ram]
        left = {m.name: m.room - sum(aligned_weights(part.size) for part in self._weights[m.name]) for m in lasting}
        found: dict[Content, str] = {}
        for memory in self._order:
            for part in self._weights[memory.name] if memory.is_ram else ():
                size = aligned_weights(part.size)
                source = next((m.name for m in sorted(lasting, key=lambda m: not m.own) if left[m.name] >= size), None)
                if source is None or part.weights is None:
                    return None
                left[source] -= size
                found[part.weights] = source
        return found

    def finished(self) -> Plan | None:
        """The plan with its addresses, checked; None where weights in RAM have nowhere to be copied from."""
        plan, images = self._plan, self._images()
        if images is None:
            return None
        moved: dict[int, int] = {}
        arenas = []
        start = 0
        for memory in self._order:
            blocks = self._blocks[memory.name]
            if not blocks:
                continue
            offsets, size = regrouped(plan, blocks)
            moved.update({n: start + offset for n, offset in offsets.items()})
            arenas.append(Arena(memory.name, start, aligned_weights(size)))
            start = arenas[-1].end
        weights = tuple(
            Weights(part.weights, part.size, part.what, name, images.get(part.weights, ""))
            for name, parts in self._weights.items()
            for part in parts
            if part.weights is not None
        )
        buffers = tuple(replace(buffer, offset=moved[n]) for n, buffer in enumerate(plan.buffers))
        by = {i: moved[n] - old.offset for n, old in enumerate(plan.buffers) for i in old.tensors}
        scratch = {new.first: new.offset for new in buffers if new.is_scratch}
        placed = replace(
            plan,
            buffers=buffers,
            addresses={i: address + by[i] for i, address in plan.addresses.items()},
            scratch=scratch,
            arena_bytes=start,
            memories=tuple(self._order),
            arenas=tuple(arenas),
            weights=weights,
        )
        verify_plan(placed)
        return placed


def _choices(wanted: Sequence[int], gains: dict[int, float], may: Sequence[Part]) -> Iterator[tuple[int, ...]]:
    """All of the parts; then, of a few, every other choice, those that gain most first."""
    yield tuple(wanted)
    if len(wanted) > _FEW:
        return
    choices = [chosen for count in range(len(wanted)) for chosen in itertools.combinations(wanted, count)]
    choices.sort(key=lambda chosen: (-sum(gains[n] for n in chosen), sum(may[n].size for n in chosen), chosen))
    yield from choices
