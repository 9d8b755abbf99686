"""Which tensors share a block of the arena, when each block is alive, and where it lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mcugen.errors import ModelError
from mcugen.graph.types import Graph, Op
from mcugen.ops.base import Lowering
from mcugen.runtimes.aot.plan.layout import Block, pack, pack_apart
from mcugen.runtimes.aot.plan.overlay import lead, overlay_call
from mcugen.runtimes.aot.plan.schedule import Schedule, schedule
from mcugen.runtimes.aot.plan.stripes import row_bytes
from mcugen.runtimes.aot.plan.turns import Span, Turns, Use, distances, lives_of
from mcugen.runtimes.aot.plan.types import Buffer, Pipeline, Plan, Ring, Step


@dataclass(frozen=True)
class Rows:
    """What pipelines are made like: `pushed` is the input whose rows the caller brings, `more` rows that rings get
    beyond those that they need."""

    pushed: int | None = None
    more: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """Where everything lies, as in `Plan`."""

    buffers: tuple[Buffer, ...]
    addresses: Mapping[int, int]
    scratch: Mapping[int, int]
    arena_bytes: int
    pipelines: tuple[Pipeline, ...]


@dataclass
class Storage:
    """One block of memory while the plan is made: the tensors in it and when it is alive."""

    size: int
    first: int
    last: int
    tensors: list[int]


class Memory:
    """Which tensors share a block, and when each block is alive."""

    def __init__(self, graph: Graph, homes: Mapping[int, tuple[int, int]]) -> None:
        self._graph = graph
        self._homes = homes  # tensors that are computed in another's memory: which, and at what offset
        self._storage: dict[int, Storage] = {}  # tensor id → its block, shared by aliases
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
        self._storage[tensor] = Storage(self._graph.tensor(tensor).nbytes, step, step, [tensor])
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

    def tensor_blocks(self) -> list[Storage]:
        return list({id(s): s for s in self._storage.values()}.values())

    def _leads(self, steps: Sequence[Step], storages: Sequence[Storage]) -> dict[tuple[int, int], int]:
        """Pairs of blocks (output, input) that may share memory, and how far the input begins after the output."""
        numbers = {id(storage): n for n, storage in enumerate(storages)}
        leads = {}
        for n, step in enumerate(steps):
            call = overlay_call(self._graph, step)
            if call is None or step.stripes:
                continue
            source, output = self._storage[call.inputs[0]], self._storage[call.outputs[0]]
            sizes = [self._graph.tensor(i).nbytes for i in (call.inputs[0], call.outputs[0])]
            if source.last == output.first == n and [source.size, output.size] == sizes:
                leads[numbers[id(output)], numbers[id(source)]] = lead(self._graph, step)
        return leads

    def layout(
        self,
        steps: Sequence[Step],
        spans: Sequence[Span] = (),
        options: Rows = Rows(),
        enough: int = 0,
        like: Plan | None = None,
    ) -> Layout:
        """Pack all blocks. `spans` are the pipelines. An arena of `enough` bytes is looked for longer, unless there is
        a plan like this one already."""
        storages = self.tensor_blocks()
        scratch_steps = [(n, s.scratch_bytes) for n, s in enumerate(steps)]
        scratch_steps = [(n, size) for n, size in scratch_steps if size]
        leads = self._leads(steps, storages)
        pipelines: tuple[Pipeline, ...] = ()
        if spans:
            schedules = {span: self._schedule(steps, span, options) for span in spans}
            turns = Turns(steps, schedules)
            uses = [self._use(turns, schedules, s) for s in storages]
            lives = [turns.steps_of(use) for use in uses]
            uses += [turns.scratch(n, size, kept=_gathers(steps[n])) for n, size in scratch_steps]
            blocks = [Block(use.size, *life) for use, life in zip(uses, lives_of(uses), strict=True)]
            places = self._places(like, storages, [n for n, _ in scratch_steps]) if like else None
            offsets, arena_bytes = pack_apart(blocks, distances(uses, leads), enough, places)
            pipelines = tuple(_pipeline(span, made) for span, made in schedules.items())
        else:
            lives = [(s.first, s.last) for s in storages]
            blocks = [Block(s.size, s.first, s.last) for s in storages]
            blocks += [Block(size, n, n) for n, size in scratch_steps]
            offsets, arena_bytes = pack(blocks, leads, enough)
        buffers = [
            Buffer(offset, s.size, *life, tuple(s.tensors))
            for s, life, offset in zip(storages, lives, offsets[: len(storages)], strict=True)
        ]
        scratch = {}
        for (step, size), offset in zip(scratch_steps, offsets[len(storages) :], strict=True):
            buffers.append(Buffer(offset, size, step, step, ()))
            scratch[step] = offset
        addresses = {i: buffer.offset + self._offset[i] for buffer in buffers for i in buffer.tensors}
        return Layout(tuple(buffers), addresses, scratch, arena_bytes, pipelines)

    def _places(self, like: Plan, storages: Sequence[Storage], scratch_steps: Sequence[int]) -> list[int]:
        """Where the blocks lie in another plan, those that it does not have at its end."""
        tensors = [min(like.addresses.get(i, like.arena_bytes) for i in storage.tensors) for storage in storages]
        return [*tensors, *(like.scratch.get(n, like.arena_bytes) for n in scratch_steps)]

    def _schedule(self, steps: Sequence[Step], span: Span, options: Rows) -> Schedule:
        """Run a pipeline on paper, and give the tensors that never are there as a whole the size that they need."""
        inside = {n: steps[n] for n in range(span.first, span.last + 1)}
        tensors = {i for step in inside.values() for i in (*step.op.inputs, *step.op.outputs) if i in self._storage}
        found = schedule(
            self._graph,
            inside,
            before=[i for i in tensors if self._storage[i].first < span.first and i != options.pushed],
            after=[i for i in tensors if self._storage[i].last > span.last],
            more=options.more,
            pushed=options.pushed if options.pushed in tensors else None,
        )
        for i, track in found.tracks.items():
            if track.is_ring:
                self._storage[i].size = track.rows * row_bytes(self._graph.tensor(i))
        return found

    def _use(self, turns: Turns, schedules: Mapping[Span, Schedule], storage: Storage) -> Use:
        tracked: dict[Span, int] = {}
        for span in schedules:
            found = [i for i in storage.tensors if i in schedules[span].tracks]
            # Of several tensors in one block each keeps track for itself alone; so does a part of a block.
            if len(found) > 1 or any(self._offset[i] for i in found):
                return turns.alive(storage.size, storage.first, storage.last)
            if found:
                tracked[span] = found[0]
        return turns.tensor(storage.size, storage.first, storage.last, tracked)


def _gathers(step: Step) -> bool:
    return step.stripes is not None and step.stripes.gathers


def _pipeline(span: Span, made: Schedule) -> Pipeline:
    return Pipeline(span.first, span.last, tuple(Ring(i, track.rows) for i, track in made.tracks.items()))


def live_bound(graph: Graph, storages: Sequence[Storage], steps: int) -> int:
    """Largest sum of bytes that are alive at once, without scratch and rounding."""
    return max(sum(s.size for s in storages if s.first <= step <= s.last) for step in range(-1, steps + 1))
