"""Chooses kernels for every op and lays out the arena."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mcugen import ops
from mcugen.errors import ModelError
from mcugen.graph.types import Graph, Op
from mcugen.names import DEFAULT_GOAL, Goal
from mcugen.ops.base import KernelCall, Lowering, Target
from mcugen.ops.memory import SLACK, UNLIMITED
from mcugen.ops.movement import Loop, copy_call
from mcugen.runtimes.aot.plan.layout import Block, pack
from mcugen.runtimes.aot.plan.overlay import lead, overlay_call
from mcugen.runtimes.aot.plan.parts import Parts, place_parts
from mcugen.runtimes.aot.plan.state import StateMemory, place_states
from mcugen.runtimes.aot.plan.types import Buffer, Plan, Step
from mcugen.runtimes.aot.plan.verify import verify_plan
from mcugen.runtimes.aot.supported import check_supported

_SCRATCH_LIMITS = (None, 8192, 4096, 2048, 1024, 512, 0)
"""Tried when optimizing for RAM, the fastest kernels first: more scratch is worth nothing where a tensor could be."""

_MORE_FLASH = 0.05
"""The part of the constants by which a faster kernel's code may enlarge the flash, unless optimizing for speed."""

_SMALL_PART = 50
"""When optimizing for size, kernels that do less than this part of all multiply-accumulates are portable ones."""


def make_plan(graph: Graph, target: Target | None = None, goal: Goal = DEFAULT_GOAL) -> Plan:
    """Lower every op to kernel calls and give every tensor an address in the arena.

    Args:
        graph: a graph as read or optimized.
        target: the core to choose kernels for; portable kernels by default.
        goal: what to optimize for where one thing costs another.

    Raises:
        UnsupportedOpError: an op that no kernel runs.
        ModelError: a model with nothing to compute.
    """
    target = target or Target()
    check_supported(graph)
    if goal == "ram":
        plans = [_best_plan(graph, replace(target, scratch_limit=limit), goal) for limit in _SCRATCH_LIMITS]
        return min(plans, key=lambda plan: plan.arena_bytes)
    if target.scratch_limit is None:
        # Tensors that share memory may leave more room for scratch than can be told before they have their places.
        plan = _best_plan(graph, replace(target, scratch_limit=UNLIMITED), goal)
        if plan.arena_bytes <= plan.live_bound + SLACK:
            return replace(_with_roomier(plan), target=target)
    return _with_roomier(_best_plan(graph, target, goal))


def _with_roomier(plan: Plan) -> Plan:
    """The plan with faster kernels that take more scratch, those of the most work first, where there is room."""
    if plan.goal in ("size", "ram") or not any(call.roomier for step in plan.steps for call in step.calls):
        return plan
    lowered = _lower(plan.graph, plan.target, plan.goal)
    wanting = [n for n, (_, lowering, _) in enumerate(lowered) if any(call.roomier for call in lowering.calls)]
    most = max(plan.arena_bytes, plan.live_bound + SLACK) if plan.goal == "speed" else plan.arena_bytes
    code = sum(plan.constant_sizes()) * _MORE_FLASH if plan.goal != "speed" else UNLIMITED
    reasons: dict[int, str] = {}
    possible: dict[int, list[KernelCall]] = {}
    for n in sorted(wanting, key=lambda n: -lowered[n][2]):
        op, call = lowered[n][0], lowered[n][1].calls[0]
        affordable = [roomier for roomier in call.roomier if roomier.code_bytes <= code]
        fitting = [roomier for roomier in affordable if roomier.scratch_bytes <= _room(plan, op, most)]
        possible[n] = [replace(roomier, why_not_faster=call.why_not_faster) for roomier in fitting]
        if len(affordable) < len(call.roomier):
            reasons[id(op)] = "a faster variant costs more code than a small model should grow by: optimize for speed"

    def planned(chosen: Mapping[int, KernelCall]) -> Plan:
        calls = [
            replace(lowering, calls=(chosen[n],)) if n in chosen else lowering
            for n, (_, lowering, _) in enumerate(lowered)
        ]
        tried = [(op, lowering, macs) for (op, _, macs), lowering in zip(lowered, calls, strict=True)]
        return _best_plan(plan.graph, plan.target, plan.goal, tried, enough=most)

    # All at once takes one plan, where there is much room.
    found = {n: calls[0] for n, calls in possible.items() if calls}
    larger = planned(found)
    if larger.arena_bytes > most:
        found, larger = {}, plan
        for n, calls in possible.items():
            for call in calls:
                tried = planned({**found, n: call})
                if tried.arena_bytes <= most:
                    found, larger = {**found, n: call}, tried
                    break
    for n in possible:
        op, call = lowered[n][0], lowered[n][1].calls[0]
        others = [roomier for roomier in call.roomier if roomier.kernel != call.kernel]
        if others and id(op) not in reasons and (n not in found or found[n].kernel == call.kernel):
            needed = min(roomier.scratch_bytes for roomier in others)
            reasons[id(op)] = f"a faster variant takes {needed:,} bytes of scratch, for which the arena has no room"
    return replace(larger, steps=tuple(_with_reason(step, reasons.get(id(step.op), "")) for step in larger.steps))


def _room(plan: Plan, op: Op, arena_bytes: int) -> int:
    """No more scratch can an op have in an arena of so many bytes, however its tensors lie."""
    number, step = next((n, step) for n, step in enumerate(plan.steps) if step.op is op)
    alive = sum(b.size for b in plan.buffers if b.tensors and b.first <= number <= b.last)
    shared = 0
    call = overlay_call(plan.graph, step)
    if call is not None and any(call.inputs[0] in b.tensors and b.last == number for b in plan.buffers):
        shared = min(plan.graph.tensor(i).nbytes for i in (call.inputs[0], call.outputs[0]))
    return arena_bytes - alive + shared


def _with_reason(step: Step, reason: str) -> Step:
    """The step with one more reason why its call is not faster, if there is one."""
    if not reason:
        return step
    call = step.calls[0]
    return replace(step, calls=(replace(call, why_not_faster="; ".join(filter(None, (call.why_not_faster, reason)))),))


def _best_plan(
    graph: Graph,
    target: Target,
    goal: Goal,
    lowered: list[tuple[Op, Lowering, int]] | None = None,
    *,
    nested: bool = False,
    enough: int = 0,
) -> Plan:
    """The plan whose concatenations are put together by copies, or in place where that takes no more memory.

    Args:
        enough: an arena of this size is looked for longer.
    """
    lowered = lowered or _lower(graph, target, goal)
    if not nested and not any(lowering.calls or lowering.graphs for _, lowering, _ in lowered):
        lowered = _with_copies(graph, lowered)
    states = place_states(graph, [lowering for _, lowering, _ in lowered])
    copying = _make_plan(graph, target, goal, lowered, states, Parts(), nested=nested, enough=enough)
    parts = place_parts(graph, [states.lowerings.get(n, low) for n, (_, low, _) in enumerate(lowered)], states.homes)
    if not parts.places:
        return copying
    in_place = _make_plan(graph, target, goal, lowered, states, parts, nested=nested, enough=enough)
    return in_place if in_place.arena_bytes <= copying.arena_bytes else copying


def _make_plan(
    graph: Graph,
    target: Target,
    goal: Goal,
    lowered: Sequence[tuple[Op, Lowering, int]],
    states: StateMemory,
    parts: Parts,
    *,
    nested: bool,
    enough: int,
) -> Plan:
    """A plan of a model, or of a graph that one of its ops runs: that may do nothing, and give back constants."""
    steps: list[Step] = []
    aliased: list[Op] = []
    memory = _Memory(graph, {**{i: (state, 0) for i, state in states.homes.items()}, **parts.places})
    for position, (op, lowering, macs) in enumerate(lowered):
        lowering = Lowering() if position in parts.outputs else states.lowerings.get(position, lowering)
        if lowering.calls or lowering.graphs:
            plans = tuple(_best_plan(inner, target, goal, nested=True) for inner in lowering.graphs)
            steps.append(Step(op, lowering.calls, macs, plans))
        else:
            aliased.append(op)
        memory.add(op, lowering, len(steps) - 1)
    if not steps and not nested:
        raise ModelError("the model computes nothing: its outputs are its inputs")
    memory.finish(len(steps))
    buffers, addresses, scratch, arena_bytes = memory.layout(steps, enough)
    plan = Plan(
        graph=graph,
        target=target,
        steps=tuple(steps),
        aliased=tuple(aliased),
        buffers=buffers,
        addresses=addresses,
        scratch=scratch,
        arena_bytes=arena_bytes,
        live_bound=_live_bound(graph, memory.tensor_blocks(), len(steps)),
        goal=goal,
    )
    verify_plan(plan)
    return plan


def _lower(graph: Graph, target: Target, goal: Goal) -> list[tuple[Op, Lowering, int]]:
    """Every op with its kernel calls and its multiply-accumulates."""
    specs = [(op, ops.supported_spec(graph, op)) for op in graph.ops]
    lowered = [(op, spec.lower(graph, op, target), spec.macs(graph, op)) for op, spec in specs]
    if goal != "size":
        return lowered
    work: Counter[str] = Counter()
    for _, lowering, macs in lowered:
        for call in lowering.calls:
            work[call.kernel] += macs
    enough = work.total() / _SMALL_PART
    chosen = []
    for op, lowering, macs in lowered:
        if not _is_worth_it(lowering, work, enough):
            lowering = _explained(ops.supported_spec(graph, op).lower(graph, op, Target(target.cpu)))
        chosen.append((op, lowering, macs))
    return chosen


def _with_copies(graph: Graph, lowered: Sequence[tuple[Op, Lowering, int]]) -> list[tuple[Op, Lowering, int]]:
    """The same ops, where all of them are views: those of the model's outputs as copies, so that something runs."""
    chosen = []
    for op, lowering, macs in lowered:
        if not set(op.outputs).isdisjoint(graph.outputs):
            lowering = Lowering(calls=tuple(_copy(graph, *alias) for alias in lowering.aliases))
        chosen.append((op, lowering, macs))
    return chosen


def _copy(graph: Graph, made: int, given: int, offset: int) -> KernelCall:
    source, output = graph.tensor(given), graph.tensor(made)
    return copy_call(source, output, [Loop(output.elements, 1, 1)], offset // source.dtype.itemsize)


def _is_worth_it(lowering: Lowering, work: Mapping[str, int], enough: float) -> bool:
    """Whether the op's kernels are portable, or do so much of the model's work that their code is well spent."""
    return all(call.variant == "portable" or work[call.kernel] >= enough for call in lowering.calls)


def _explained(lowering: Lowering) -> Lowering:
    reason = "a faster variant costs more code than its share of the work justifies when optimizing for size"
    return replace(lowering, calls=tuple(replace(call, why_not_faster=reason) for call in lowering.calls))


@dataclass
class _Storage:
    """One block of memory while the plan is made: the tensors in it and when it is alive."""

    size: int
    first: int
    last: int
    tensors: list[int]


class _Memory:
    """Which tensors share a block, and when each block is alive."""

    def __init__(self, graph: Graph, homes: Mapping[int, tuple[int, int]]) -> None:
        self._graph = graph
        self._homes = homes  # tensors that are computed in another's memory: which, and at what offset
        self._storage: dict[int, _Storage] = {}  # tensor id → its block, shared by aliases
        self._offset: dict[int, int] = {}  # tensor id → offset in its block
        self._last_reader = self._last_readers()
        for i in (*graph.inputs, *(state.id for state in graph.states)):
            self._define(i, -1)

    def _last_readers(self) -> dict[int, int]:
        """Index in graph.ops of the last op that reads each tensor; outputs and states are read at the end."""
        last = {i: position for position, op in enumerate(self._graph.ops) for i in op.inputs if i >= 0}
        last.update(dict.fromkeys(self._read_at_the_end(), len(self._graph.ops)))
        return last

    def _read_at_the_end(self) -> list[int]:
        computed = [i for i in self._graph.outputs if not self._graph.tensor(i).is_const]
        return [*computed, *(state.id for state in self._graph.states)]

    def _define(self, tensor: int, step: int) -> None:
        self._storage[tensor] = _Storage(self._graph.tensor(tensor).nbytes, step, step, [tensor])
        self._offset[tensor] = 0

    def _join(self, tensor: int, source: int, offset: int) -> None:
        storage = self._storage[source]
        storage.tensors.append(tensor)
        self._storage[tensor] = storage
        self._offset[tensor] = self._offset[source] + offset

    def add(self, op: Op, lowering: Lowering, step: int) -> None:
        """Account for one op. `step` is the step that runs it, or the one before it for an alias."""
        for output, source, offset in lowering.aliases:
            if source not in self._storage:
                raise ModelError("its input is a constant, which the arena does not hold", where=op.where)
            if output not in self._storage:  # a state that was assigned what lies in its memory is there already
                self._join(output, source, offset)
        if not lowering.calls and not lowering.graphs:
            return
        for i in op.inputs:
            if i in self._storage:
                self._storage[i].last = max(self._storage[i].last, step)
        for i in op.outputs:
            if i in self._storage:
                continue
            if i in self._homes:
                owner, offset = self._homes[i]
                if owner not in self._storage:
                    self._define(owner, step)
                self._join(i, owner, offset)
                self._storage[i].last = max(self._storage[i].last, step)
                continue
            dying = self._dying_source(op, lowering, i)
            if dying is None:
                self._define(i, step)
            else:
                self._join(i, dying, 0)
                self._storage[i].last = max(self._storage[i].last, step)

    def _dying_source(self, op: Op, lowering: Lowering, output: int) -> int | None:
        """An input whose block the output may take over: same size, and nobody reads it afterwards."""
        if len(lowering.calls) != 1 or len(op.outputs) != 1:
            return None
        call = lowering.calls[0]
        position = self._graph.ops.index(op)
        for source in (call.inputs[k] for k in call.inplace):
            if source not in self._storage or self._offset[source] != 0:
                continue
            storage = self._storage[source]
            dies = all(self._last_reader.get(t, -1) <= position for t in storage.tensors)
            if dies and storage.size == self._graph.tensor(output).nbytes:
                return source
        return None

    def finish(self, steps: int) -> None:
        """Outputs stay alive until they are read, states until the next inference."""
        for i in self._read_at_the_end():
            self._storage[i].last = steps

    def tensor_blocks(self) -> list[_Storage]:
        return list({id(s): s for s in self._storage.values()}.values())

    def _leads(self, steps: Sequence[Step], storages: Sequence[_Storage]) -> dict[tuple[int, int], int]:
        """Pairs of blocks (output, input) that may share memory, and how far the input begins after the output."""
        numbers = {id(storage): n for n, storage in enumerate(storages)}
        leads = {}
        for n, step in enumerate(steps):
            call = overlay_call(self._graph, step)
            if call is None:
                continue
            source, output = self._storage[call.inputs[0]], self._storage[call.outputs[0]]
            sizes = [self._graph.tensor(i).nbytes for i in (call.inputs[0], call.outputs[0])]
            if source.last == output.first == n and [source.size, output.size] == sizes:
                leads[numbers[id(output)], numbers[id(source)]] = lead(self._graph, step)
        return leads

    def layout(
        self, steps: Sequence[Step], enough: int
    ) -> tuple[tuple[Buffer, ...], dict[int, int], dict[int, int], int]:
        """Pack all blocks; gives buffers, tensor addresses, scratch addresses by step, arena size."""
        storages = self.tensor_blocks()
        scratch_steps = [(n, s.scratch_bytes) for n, s in enumerate(steps)]
        scratch_steps = [(n, size) for n, size in scratch_steps if size]
        blocks = [Block(s.size, s.first, s.last) for s in storages]
        blocks += [Block(size, n, n) for n, size in scratch_steps]
        offsets, arena_bytes = pack(blocks, self._leads(steps, storages), enough)
        buffers = [
            Buffer(offset, s.size, s.first, s.last, tuple(s.tensors))
            for s, offset in zip(storages, offsets[: len(storages)], strict=True)
        ]
        scratch = {}
        for (step, size), offset in zip(scratch_steps, offsets[len(storages) :], strict=True):
            buffers.append(Buffer(offset, size, step, step, ()))
            scratch[step] = offset
        addresses = {i: buffer.offset + self._offset[i] for buffer in buffers for i in buffer.tensors}
        return tuple(buffers), addresses, scratch, arena_bytes


def _live_bound(graph: Graph, storages: Sequence[_Storage], steps: int) -> int:
    """Largest sum of bytes that are alive at once, without scratch and rounding."""
    return max(sum(s.size for s in storages if s.first <= step <= s.last) for step in range(-1, steps + 1))
