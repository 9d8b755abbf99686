"""Which layers of a model are to blame for the memory it needs."""

from __future__ import annotations

from dataclasses import dataclass

from mcugen.runtimes.aot.plan.types import Plan


@dataclass(frozen=True)
class Weight:
    """A layer's constants in flash, in bytes: weights, biases, requantization tables."""

    layer: str
    kind: str
    bytes: int


@dataclass(frozen=True)
class Peak:
    """The op during which most of the arena is in use.

    Attributes:
        layer, kind: the op.
        bytes: all blocks that are alive then, scratch included; what shares memory counts once.
        tensors: the blocks, the largest first: (name of a tensor in it, or "scratch"; bytes).
    """

    layer: str
    kind: str
    bytes: int
    tensors: tuple[tuple[str, int], ...]


def heaviest_layers(plan: Plan) -> list[Weight]:
    """Layers with constants, the heaviest first."""
    sizes = plan.constants_by_step()
    weights = [Weight(step.op.name, step.op.kind, sum(own)) for step, own in zip(plan.steps, sizes, strict=True)]
    return sorted((w for w in weights if w.bytes), key=lambda w: -w.bytes)


def peak(plan: Plan) -> Peak:
    """The op that decides the arena's size, by the blocks alive while it runs."""

    def alive(number: int) -> list[tuple[str, int]]:
        # What overlaps counts once: an output may lie over the input that it follows behind.
        found = []
        covered: list[tuple[int, int]] = []
        blocks = [b for b in plan.buffers if b.first <= number <= b.last]
        for block in sorted(blocks, key=lambda b: (-b.size, b.offset)):
            own = _uncovered(block.offset, block.offset + block.size, covered)
            covered.append((block.offset, block.offset + block.size))
            found.append((plan.graph.tensor(block.tensors[0]).name.split(";")[0] if block.tensors else "scratch", own))
        return found

    def total(number: int) -> int:
        return sum(size for _, size in alive(number))

    number = max(range(len(plan.steps)), key=total)
    op = plan.steps[number].op
    tensors = tuple(sorted(alive(number), key=lambda item: -item[1]))
    return Peak(op.name, op.kind, total(number), tensors)


def _uncovered(begin: int, end: int, covered: list[tuple[int, int]]) -> int:
    """Bytes of [begin, end) that no interval of `covered` has."""
    at, free = begin, 0
    for first, last in sorted(covered):
        if last <= at or first >= end:
            continue
        free += max(0, first - at)
        at = max(at, last)
    return free + max(0, end - at)
