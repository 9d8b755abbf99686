"""What passes between the stages: counts, bounds, costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mcugen.boards.types import FlashFront

Method = Literal["measured", "model", "instructions only"]


@dataclass(frozen=True)
class Accesses:
    """What the loads and stores of one instruction touched.

    Attributes:
        unaligned: how many accesses were not at a multiple of their size.
        reads, writes: accesses by memory, in the order of `Trace.regions`; the last are those elsewhere.
    """

    unaligned: int
    reads: tuple[int, ...]
    writes: tuple[int, ...]

    def __add__(self, other: Accesses) -> Accesses:
        return Accesses(
            self.unaligned + other.unaligned,
            tuple(a + b for a, b in zip(self.reads, other.reads, strict=True)),
            tuple(a + b for a, b in zip(self.writes, other.writes, strict=True)),
        )


@dataclass(frozen=True)
class Misses:
    """Reads of flash that no cache held, charged to one instruction.

    Attributes:
        apart: of instructions, where control came from elsewhere.
        in_sequence: of instructions, in the line behind that which was read last.
        data: of data.
    """

    apart: int
    in_sequence: int
    data: int

    def __add__(self, other: Misses) -> Misses:
        return Misses(self.apart + other.apart, self.in_sequence + other.in_sequence, self.data + other.data)


@dataclass(frozen=True)
class Counts:
    """What a stretch of an inference executed. Keys are addresses.

    Attributes:
        blocks: (start, number of instructions) of a run without branches → how often.
        edges: (last instruction of one, start of the next) → how often.
        memory: by instruction.
        misses: by flash front, by instruction.
    """

    blocks: Mapping[tuple[int, int], int] = field(default_factory=dict)
    edges: Mapping[tuple[int, int], int] = field(default_factory=dict)
    memory: Mapping[int, Accesses] = field(default_factory=dict)
    misses: Mapping[FlashFront, Mapping[int, Misses]] = field(default_factory=dict)

    @property
    def instructions(self) -> int:
        return sum(length * count for (_, length), count in self.blocks.items())


def joined(parts: Sequence[Counts]) -> Counts:
    """What several stretches executed in all."""
    if len(parts) == 1:
        return parts[0]
    blocks: Counter[tuple[int, int]] = Counter()
    edges: Counter[tuple[int, int]] = Counter()
    memory: dict[int, Accesses] = {}
    misses: dict[FlashFront, dict[int, Misses]] = {}
    for part in parts:
        blocks.update(part.blocks)
        edges.update(part.edges)
        for pc, one in part.memory.items():
            known = memory.get(pc)
            memory[pc] = one if known is None else known + one
        for front, by_pc in part.misses.items():
            found = misses.setdefault(front, {})
            for pc, missed in by_pc.items():
                before = found.get(pc)
                found[pc] = missed if before is None else before + missed
    return Counts(blocks, edges, memory, misses)


@dataclass(frozen=True)
class Trace:
    """One inference on an emulated core.

    Attributes:
        core: the core's name.
        regions: names of the memories that accesses are counted by.
        whole: the inference as a user calls it.
        ops: by op, of another inference, each with the call of an empty hook.
    """

    core: str
    regions: tuple[str, ...]
    whole: Counts
    ops: tuple[Counts, ...]

    @property
    def instructions(self) -> int:
        return self.whole.instructions


@dataclass(frozen=True)
class Bounds:
    """A figure, and the two between which it lies."""

    low: float
    nominal: float
    high: float

    def __add__(self, other: Bounds) -> Bounds:
        return Bounds(self.low + other.low, self.nominal + other.nominal, self.high + other.high)

    def __mul__(self, factor: float) -> Bounds:
        return Bounds(self.low * factor, self.nominal * factor, self.high * factor)

    def rounded(self, digits: int) -> dict[str, float]:
        return {name: round(getattr(self, name), digits) for name in ("low", "nominal", "high")}

    def whole(self) -> dict[str, int]:
        return {name: round(getattr(self, name)) for name in ("low", "nominal", "high")}


NOTHING = Bounds(0, 0, 0)
