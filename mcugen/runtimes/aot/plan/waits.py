"""What the memories of a plan hold, how often an inference goes there, and how long it waits, by the plan's counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mcugen.runtimes.aot.plan.placing import Part, parts_of
from mcugen.runtimes.aot.plan.types import Memory, Plan, aligned_weights

_MOST_NAMED = 2


@dataclass(frozen=True)
class MemoryUse:
    """What one memory holds. Bytes, and accesses of an inference.

    Attributes:
        images: weights that are copied to RAM at the start.
        hottest: what is accessed most there, the first first.
        waits: nominal cycles that all accesses wait.
    """

    memory: Memory
    arena: int
    weights: int
    images: int
    accesses: float
    waits: float
    hottest: tuple[str, ...]

    @property
    def used(self) -> int:
        return self.arena + self.weights + self.images


def memory_uses(plan: Plan) -> list[MemoryUse]:
    """The memories of a plan, the fastest first; none where all lies in flash and RAM."""
    placed: dict[str, list[Part]] = {memory.name: [] for memory in plan.memories}
    for part, name in _places(plan):
        placed[name].append(part)
    found = []
    for memory in plan.memories:
        parts = sorted(placed[memory.name], key=lambda part: -_accesses(part))
        own = [each for each in plan.weights if each.memory == memory.name]
        found.append(
            MemoryUse(
                memory,
                sum(arena.size for arena in plan.arenas if arena.memory == memory.name),
                sum(aligned_weights(each.size) for each in own),
                sum(aligned_weights(each.size) for each in plan.weights if each.image == memory.name),
                sum(_accesses(part) for part in parts),
                sum(part.waits(memory) for part in parts),
                tuple(_name(plan, part) for part in parts[:_MOST_NAMED] if _accesses(part)),
            )
        )
    return found


def waits_without(plan: Plan) -> tuple[float, str]:
    """Nominal waits with the arena in RAM and all weights in one memory that takes them, and that memory's name.

    That is how a linker script with one section for constants has it.
    """
    parts = parts_of(plan, plan.memories)
    weights = [part for part in parts if part.weights is not None]
    total = sum(aligned_weights(part.size) for part in weights)
    lasting = [memory for memory in plan.memories if "weights" in memory.holds and not memory.is_ram]
    lasting.sort(key=lambda memory: (not memory.own, memory.read))
    home = next((memory for memory in lasting if memory.room >= total), lasting[-1])
    ram = next(memory for memory in plan.memories if memory.own and memory.is_ram)
    return sum(part.waits(ram if part.weights is None else home) for part in parts), home.name


def _places(plan: Plan) -> Iterator[tuple[Part, str]]:
    by_content = {each.content: each.memory for each in plan.weights}
    for part in parts_of(plan, plan.memories):
        if part.weights is not None:
            yield part, by_content[part.weights]
            continue
        offset = plan.buffers[part.block].offset
        yield part, next(arena.memory for arena in plan.arenas if arena.start <= offset < arena.end)


def _accesses(part: Part) -> float:
    return part.accesses.reads + part.accesses.writes


def _name(plan: Plan, part: Part) -> str:
    if part.weights is not None:
        return part.what
    buffer = plan.buffers[part.block]
    if buffer.is_scratch:
        return f"scratch of op {buffer.first} {plan.steps[buffer.first].op.kind}"
    return f'"{plan.graph.tensor(buffer.tensors[0]).name}"'
