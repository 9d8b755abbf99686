"""The plan: every op's kernels and every buffer's address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops.base import KernelCall, Target


@dataclass(frozen=True, eq=False)
class Step:
    """One op of the planned graph. `calls` is empty for an op that became an alias."""

    op: Op
    calls: tuple[KernelCall, ...]
    macs: int

    @property
    def variant(self) -> str:
        return "+".join(dict.fromkeys(call.variant for call in self.calls)) or "alias"


@dataclass(frozen=True)
class Buffer:
    """A block of the arena: `offset` and `size` in bytes, alive from step `first` to step `last` inclusive.

    `tensors` names the tensors that live in it (several when they are aliases or in place); scratch buffers
    have none.
    """

    offset: int
    size: int
    first: int
    last: int
    tensors: tuple[int, ...]

    @property
    def is_scratch(self) -> bool:
        return not self.tensors


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that emit needs, in execution order.

    Attributes:
        addresses: arena offset in bytes of every non-constant tensor.
        scratch: arena offset of each step's scratch buffer (absent where none).
        arena_bytes: size of the arena, inputs and outputs included.
        live_bound: largest sum of live tensor bytes over all steps; no layout without in-place tricks can be
            smaller.
    """

    graph: Graph
    target: Target
    steps: tuple[Step, ...]
    buffers: tuple[Buffer, ...]
    addresses: Mapping[int, int]
    scratch: Mapping[int, int]
    arena_bytes: int
    live_bound: int

    @property
    def macs(self) -> int:
        return sum(step.macs for step in self.steps)

    def input_tensors(self) -> list[Tensor]:
        return [self.graph.tensor(i) for i in self.graph.inputs]

    def output_tensors(self) -> list[Tensor]:
        return [self.graph.tensor(i) for i in self.graph.outputs]
