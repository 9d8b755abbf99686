"""The plan: every op's kernels and every buffer's address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops.base import KernelCall, Target
from mcugen.plan.goal import Goal


@dataclass(frozen=True, eq=False)
class Step:
    """One op that runs on the device, and the kernel calls that do its work."""

    op: Op
    calls: tuple[KernelCall, ...]
    macs: int

    @property
    def kernels(self) -> str:
        """Names of the kernels, each once."""
        return "+".join(dict.fromkeys(call.kernel for call in self.calls))

    @property
    def variant(self) -> str:
        return "+".join(dict.fromkeys(call.variant for call in self.calls))

    @property
    def why_not_faster(self) -> str:
        return "; ".join(dict.fromkeys(call.why_not_faster for call in self.calls if call.why_not_faster))


@dataclass(frozen=True)
class Buffer:
    """A block of the arena: `offset` and `size` in bytes, alive from step `first` to step `last` inclusive.

    Step −1 is the time before the first op, when the inputs are written; step `len(steps)` the time after the
    last, when the outputs are read. `tensors` names the tensors that live in the block (several when they are
    aliases or in place); scratch buffers have none.
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
        steps: the ops that run, in order. An op's number on the device is its position here.
        aliased: ops that cost nothing, because their output is a view of their input.
        addresses: arena offset in bytes of every non-constant tensor.
        scratch: arena offset of each step's scratch buffer (absent where none).
        arena_bytes: size of the arena, inputs and outputs included.
        live_bound: largest sum of live tensor bytes over all steps; no layout without in-place tricks can be
            smaller.
        goal: what was optimized for.
    """

    graph: Graph
    target: Target
    steps: tuple[Step, ...]
    aliased: tuple[Op, ...]
    buffers: tuple[Buffer, ...]
    addresses: Mapping[int, int]
    scratch: Mapping[int, int]
    arena_bytes: int
    live_bound: int
    goal: Goal = "speed"

    @property
    def macs(self) -> int:
        return sum(step.macs for step in self.steps)

    def input_tensors(self) -> list[Tensor]:
        return [self.graph.tensor(i) for i in self.graph.inputs]

    def output_tensors(self) -> list[Tensor]:
        return [self.graph.tensor(i) for i in self.graph.outputs]
