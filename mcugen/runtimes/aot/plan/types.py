"""The plan: every op's kernels and every buffer's address. And what all runtimes' plans have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.names import DEFAULT_GOAL, Goal, InputRows
from mcugen.ops.base import KernelCall, Target

WEIGHTS_ALIGNMENT = 16
"""Bytes. Of emitted arrays of constants."""

SHARED_FROM = 32
"""Bytes. Equal constants are emitted once, from this size on; smaller ones stay with their layer."""


def aligned_weights(size: int) -> int:
    """Bytes that an array of constants takes with its alignment."""
    return -(-size // WEIGHTS_ALIGNMENT) * WEIGHTS_ALIGNMENT


@dataclass(frozen=True)
class Window:
    """Rows that an op takes: output row r needs `span` rows of its inputs from row r · stride − pad on.

    Rows before the first and after the last are padding. All inputs that are no constants have the same.
    """

    stride: int
    pad: int
    span: int

    def first(self, row: int) -> int:
        """The first input row of an output row, which may be one that is missed out or is none."""
        return max(0, row * self.stride - self.pad)

    def end(self, row: int, rows: int) -> int:
        """One beyond the last of so many input rows that an output row needs."""
        return max(0, min(rows, row * self.stride - self.pad + self.span))


@dataclass(frozen=True)
class Run:
    """Stripes that are made alike: those before number `until` and after the run before, by some calls of the step."""

    until: int
    calls: tuple[int, ...]


@dataclass(frozen=True)
class Stripes:
    """How a step makes its output: `height` rows at a time, the last stripe perhaps fewer, by runs of like stripes.

    Where it `gathers`, stripes are rows of its input, scratch keeps what they give from the first to the last stripe,
    and that makes the output. It is the last step of its pipeline then.
    """

    height: int
    window: Window
    runs: tuple[Run, ...]
    gathers: bool = False

    @property
    def count(self) -> int:
        return self.runs[-1].until


@dataclass(frozen=True, eq=False)
class Step:
    """One op that runs on the device, and the kernel calls that do its work, or the plans of the graphs that it runs.

    Addresses in `plans` count from the step's scratch memory. Their tensors' ids are their own. `stripes` is set for
    steps of a pipeline: then each stripe takes some of the calls, whose tensors are the rows that they read and make.
    """

    op: Op
    calls: tuple[KernelCall, ...]
    macs: int
    plans: tuple[Plan, ...] = ()
    stripes: Stripes | None = None

    @property
    def kernels(self) -> str:
        """Names of the kernels, each once."""
        return "+".join(dict.fromkeys(call.kernel for call in self.all_calls()))

    @property
    def variant(self) -> str:
        return "+".join(dict.fromkeys(call.variant for call in self.all_calls()))

    @property
    def why_not_faster(self) -> str:
        """Of the graphs that it runs, only where ops multiply: what the others take of its cost is not known."""
        nested = [step.why_not_faster for plan in self.plans for step in plan.steps if step.macs]
        reasons = [*(call.why_not_faster for call in self.calls), *nested]
        return "; ".join(dict.fromkeys(reason for reason in reasons if reason))

    @property
    def scratch_bytes(self) -> int:
        """Of the kernels, which run one after the other; or of the graphs, which do so as well."""
        return max([call.scratch_bytes for call in self.calls] + [plan.arena_bytes for plan in self.plans], default=0)

    def all_calls(self) -> list[KernelCall]:
        """The calls of the step and of the graphs that it runs."""
        nested = [call for plan in self.plans for step in plan.steps for call in step.all_calls()]
        return [*self.calls, *nested]


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


FRONT_ALIGNMENT = 8


@dataclass(frozen=True)
class FrontRoom:
    """A part of the arena that the front end before the model works in, between two inferences. In bytes."""

    offset: int
    size: int


@dataclass(frozen=True)
class Ring:
    """Where a pipeline keeps rows of a tensor: room for `rows` of them, from the tensor's address on.

    Rows lie one after the other. When the next ones find no room, those that are still needed move to the beginning.
    A ring with room for all rows is a whole tensor.
    """

    tensor: int
    rows: int


@dataclass(frozen=True)
class Pipeline:
    """Steps `first` to `last`, both inclusive, through which rows flow.

    Whatever runs next is the deepest step, that is the last one, whose input rows are there. It makes one stripe.
    """

    first: int
    last: int
    rings: tuple[Ring, ...]

    def ring(self, tensor: int) -> Ring:
        return next(ring for ring in self.rings if ring.tensor == tensor)


Content = tuple[str, bytes]
"""What makes two arrays of constants the same: their type, and a hash of their bytes."""


@dataclass(frozen=True)
class Memory:
    """A memory that parts of a model may lie in.

    Attributes:
        room: bytes that the model may take.
        read, write: cycles that an access waits there, of up to a word.
        holds: "arena", "weights".
        is_ram: weights are copied there at the start.
        dma: DMA reaches it, so that inputs and outputs may lie there.
        own: the board's `ram`, whose arena is where it is on all boards, or its `flash`.
    """

    name: str
    kind: str
    room: int
    read: float
    write: float
    holds: tuple[str, ...]
    is_ram: bool
    dma: bool
    own: bool


@dataclass(frozen=True)
class Arena:
    """The part of the arena that lies in one memory: addresses from `start` on, `size` bytes of them."""

    memory: str
    start: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass(frozen=True)
class Weights:
    """An array of constants that has a place of its own.

    Attributes:
        what: the op and the role, for people.
        memory: where it is read.
        image: where it is copied from at the start; "" where it is read as it was programmed.
    """

    content: Content
    size: int
    what: str
    memory: str
    image: str = ""


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
        pipelines: steps that take turns, row by row, in order. Of their tensors the arena holds some rows.
        arena_limit: bytes of the arena within which the plan was to be the fastest; 0 where there was no limit.
        pushed: the input whose rows the caller brings one by one, if one is.
        memories: those that the plan chose from; none where all lies in flash and RAM.
        arenas: then, which part of the arena lies in which, by address. No block lies in two.
        reserved: bytes by memory that are not the model's.
        app_bytes: RAM of what brings a signal to the model's input, beside the arena; 0 where callers do so.
        front: the part of the arena that it works in; None where it has memory of its own, or needs none.
        train_bytes: RAM of learning; 0 where nothing is learned.
        head_bytes: the initial parameters that are learned from, in flash.
        weights: then, where arrays of `SHARED_FROM` bytes and more lie; smaller ones stay in flash.
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
    goal: Goal = DEFAULT_GOAL
    pipelines: tuple[Pipeline, ...] = ()
    pushed: int | None = None
    arena_limit: int = 0
    memories: tuple[Memory, ...] = ()
    arenas: tuple[Arena, ...] = ()
    weights: tuple[Weights, ...] = ()
    reserved: tuple[tuple[str, int], ...] = ()
    app_bytes: int = 0
    front: FrontRoom | None = None
    train_bytes: int = 0
    head_bytes: int = 0

    runtime = "aot"
    warnings: ClassVar[Sequence[str]] = ()
    arena_exact = True
    slot_bytes = 0
    names_kept = False
    library = ""
    build_flags: ClassVar[Sequence[str]] = ()
    lib_deps: ClassVar[Sequence[str]] = ()

    @property
    def stateful(self) -> bool:
        return bool(self.graph.states)

    @property
    def verified_afresh(self) -> bool:
        return self.graph.sequences

    @property
    def rows(self) -> InputRows:
        return "whole" if self.pushed is None else "pushed"

    @property
    def static_bytes(self) -> int:
        """The app's, and what pipelines count: stripes of flows, rows of rings and where they begin."""
        flows = sum(step.stripes is not None for step in self.steps)
        rings = [self.graph.tensor(ring.tensor) for pipeline in self.pipelines for ring in pipeline.rings]
        counters = flows + 2 * len(rings) + 2 if rings else 0
        return (
            self.app_bytes
            + self.train_bytes
            + counters * (1 if max((tensor.shape[1] for tensor in rings), default=0) < 256 else 2)
        )

    @property
    def macs(self) -> int:
        return sum(step.macs for step in self.steps)

    @property
    def ram_bytes(self) -> int:
        """What of arena and weights lies in the board's RAM."""
        return self.taken_in("ram") if self.memories else self.arena_bytes

    def taken_in(self, memory: str) -> int:
        """Bytes of arena, weights and their images in one of `memories`."""
        arenas = sum(arena.size for arena in self.arenas if arena.memory == memory)
        return arenas + sum(aligned_weights(each.size) for each in self.weights if memory in (each.memory, each.image))

    def constant_sizes(self) -> list[int]:
        """Bytes of every constant array that the C holds: weights, biases, multipliers, tables."""
        head = [self.head_bytes] if self.head_bytes else []
        return [size for sizes in self.constants_by_step() for size in sizes] + head

    def constants_by_step(self) -> list[list[int]]:
        """The same by step; an array that several share belongs to the first."""
        known: set[object] = set()
        found = []
        for step in self.steps:
            sizes = []
            for values in self._arrays(step):
                if values.nbytes < SHARED_FROM:
                    sizes.append(values.nbytes)
                    continue
                key = (values.dtype.str, hashlib.sha256(values.tobytes()).digest())
                if key not in known:
                    sizes.append(values.nbytes)
                known.add(key)
            found.append(sizes)
        return found

    def small_constants(self) -> list[int]:
        """Bytes of the arrays that stay in flash wherever others lie."""
        return [size for size in self.constant_sizes() if size < SHARED_FROM]

    def _arrays(self, step: Step) -> list[NDArray[Any]]:
        """Every array that the calls of a step name, those of the graphs that it runs first."""
        found = [values for plan in step.plans for inner in plan.steps for values in plan._arrays(inner)]
        for call in step.calls:
            found += [constant.values for constant in call.constants]
            found += [data for i in call.inputs if (data := self.graph.tensor(i).data) is not None]
        return found

    def input_tensors(self) -> list[Tensor]:
        return [self.graph.tensor(i) for i in self.graph.inputs]

    def output_tensors(self) -> list[Tensor]:
        return [self.graph.tensor(i) for i in self.graph.outputs]
