"""Which steps become pipelines, how high the stripes are that they make, and what scratch every step gets.

A pipeline costs turns and rows that are read more than once, and saves what its tensors would take as wholes. The
search finds out what each possible pipeline needs in memory, then the pipelines with which the least is needed at any
time (or no more than a budget), and of those the ones that do the least work in stripes. Then stripes and scratch grow
where the arena does not grow with them, where it saves most first.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mcugen.errors import ModelError
from mcugen.graph.types import Op
from mcugen.ops.base import Target
from mcugen.ops.memory import UNLIMITED
from mcugen.runtimes.aot.plan.layout import aligned
from mcugen.runtimes.aot.plan.memory import Rows
from mcugen.runtimes.aot.plan.overlay import lead, overlay_call
from mcugen.runtimes.aot.plan.schedule import schedule
from mcugen.runtimes.aot.plan.stripes import striped
from mcugen.runtimes.aot.plan.turns import Span
from mcugen.runtimes.aot.plan.types import Plan, Step
from mcugen.runtimes.aot.plan.work import work_of

_HEIGHTS = (1, 2, 3, 4, 6, 8, 12, 16)
"""Of stripes, that are tried."""

IMPOSSIBLE = 1 << 60
"""More bytes than any arena has."""


@dataclass(frozen=True)
class Pipelining:
    """The steps that are not made as the planner would make them, by op; each pipeline by its first and last op."""

    ends: tuple[tuple[Op, Op], ...] = ()
    steps: Mapping[Op, Step] = field(default_factory=dict)
    rows: Rows = field(default_factory=Rows)

    def spans(self, steps: Sequence[Step]) -> tuple[Span, ...]:
        """The pipelines by the numbers of their steps."""
        numbers = {step.op: n for n, step in enumerate(steps)}
        return tuple(Span(numbers[first], numbers[last]) for first, last in self.ends)


NO_PIPELINES = Pipelining()

MakePlan = Callable[[Pipelining], Plan]


class Search:
    """What pipelines of a plan's steps would need, and which are best.

    Args:
        plan: with the least scratch for every step, and without pipelines.
        target: the core; its limit of scratch counts for nothing here.
        choices: by op other ways to make its step as a whole.
        make: plans the same graph with pipelines.
        pushed: the input whose rows the caller brings, if one is.
    """

    def __init__(
        self,
        plan: Plan,
        target: Target,
        choices: Mapping[Op, Sequence[Step]],
        make: MakePlan,
        pushed: int | None = None,
    ) -> None:
        self._plan, self._graph, self._make, self._pushed = plan, plan.graph, make, pushed
        self._target, self._choices = target, choices
        self._striped: dict[tuple[int, int, int, bool], Step | None] = {}
        states = {state.id for state in self._graph.states}
        self._steps = [
            self._lowest(step) if states.isdisjoint((*step.op.inputs, *step.op.outputs)) else None
            for step in plan.steps
        ]
        self._needs: dict[tuple[int, int], int] = {}
        self._read = self._last_reads()
        self._made = {i: n for n, step in enumerate(plan.steps) for i in step.op.outputs}
        self._positions = {id(op): k for k, op in enumerate(self._graph.ops)}

    @property
    def count(self) -> int:
        """Number of steps."""
        return len(self._plan.steps)

    def best(self, budget: int = 0) -> Plan:
        """The smallest plan, or the fastest with an arena of `budget` bytes if one is so small.

        Raises:
            ModelError: rows of the input cannot be brought one by one.
        """
        spans = self._spans(budget)
        chosen = {n: step for span in spans for n in range(span.first, span.last + 1) if (step := self._steps[n])}
        plan = self.planned(spans, chosen)
        return self._faster(plan, spans, chosen, max(budget, plan.arena_bytes))

    def planned(self, spans: Sequence[Span], chosen: Mapping[int, Step]) -> Plan:
        """The plan with these pipelines, and with steps made as `chosen` says, by their numbers."""
        ends = tuple((self._plan.steps[span.first].op, self._plan.steps[span.last].op) for span in spans)
        return self._make(Pipelining(ends, {step.op: step for step in chosen.values()}, Rows(self._pushed)))

    def _faster(self, plan: Plan, spans: Sequence[Span], chosen: dict[int, Step], most: int) -> Plan:
        """The plan with steps that take more memory, as long as the arena does not take more than `most` bytes."""
        gains = []
        for n in range(len(plan.steps)):
            span = next((span for span in spans if n in span), None)
            now = chosen.get(n, plan.steps[n])
            ways = self.ways(n) if span else iter(self._choices.get(now.op, ()))
            found = sorted(
                ((work_of(self._graph, way), k, way) for k, way in enumerate(ways)), key=lambda known: known[:2]
            )
            better = [(work_of(self._graph, now) - work, way) for work, _, way in found]
            gains += [(gain, n, span, way) for gain, way in better if gain > 0]
        wanted, done = dict(chosen), set()
        for _, n, span, way in sorted(gains, key=lambda gain: (-gain[0], gain[1])):
            if n in done:
                continue
            tried = {**wanted, n: way}
            need = self._need_of(span, tried) if span else self._alone(n, way)
            if need <= most:
                wanted = tried
                done.add(n)
        larger = self.planned(spans, wanted)
        if larger.arena_bytes <= most:
            return larger
        # What is needed is not always what the arena takes. So one after the other.
        for n in sorted(done, key=lambda n: -max(gain for gain, m, _, _ in gains if m == n)):
            tried = {**chosen, n: wanted[n]}
            larger = self.planned(spans, tried)
            if larger.arena_bytes <= most:
                chosen, plan = tried, larger
        return plan

    def ways(self, number: int) -> Iterator[Step]:
        """How a step can be made in stripes."""
        step = self._plan.steps[number]
        rows = self._graph.output_of(step.op).shape[1]
        for height, limit in itertools.product(_HEIGHTS, (0, UNLIMITED)):
            if height <= rows and (made := self._in_stripes(step, height, limit)):
                yield made
        for height in _HEIGHTS:
            if height <= rows and (made := self._in_stripes(step, height, UNLIMITED, roomier=True)):
                yield made

    def _lowest(self, step: Step) -> Step | None:
        """The step with the lowest stripes that it can make."""
        return next((made for height in (1, 2, 4) if (made := self._in_stripes(step, height, 0))), None)

    def _in_stripes(self, step: Step, height: int, limit: int, *, roomier: bool = False) -> Step | None:
        key = (id(step.op), height, limit, roomier)
        if key not in self._striped:
            target = replace(self._target, scratch_limit=limit)
            self._striped[key] = striped(self._graph, step, target, height, roomier=roomier)
        return self._striped[key]

    def _spans(self, budget: int) -> list[Span]:
        """The pipelines with which the least is needed, or no more than `budget`."""
        count = len(self._plan.steps)
        least = [0] * (count + 1)
        for end in range(1, count + 1):
            least[end] = min(max(least[first], self._need(first, end - 1)) for first in self.firsts(end - 1))
        if least[count] >= IMPOSSIBLE:
            where = self._plan.steps[0].op.where
            raise ModelError(
                "its first layer cannot take the input row by row", where=where, hint="Bring the input as a whole"
            )
        allowed = max(budget, least[count])
        work = [0.0] * (count + 1)
        chosen = [0] * (count + 1)
        for end in range(1, count + 1):
            possible = [first for first in self.firsts(end - 1) if self._need(first, end - 1) <= allowed]
            costs = {first: work[first] + self._work(first, end - 1) for first in possible if work[first] < np.inf}
            work[end] = min(costs.values(), default=np.inf)
            chosen[end] = min(costs, key=lambda first: (costs[first], -first), default=end - 1)
        spans = []
        end = count
        while end:
            first = chosen[end]
            if end - first > 1:
                spans.append(Span(first, end - 1))
            end = first
        return spans[::-1]

    def firsts(self, last: int) -> list[int]:
        """The steps that a pipeline may begin with that ends with `last`; `last` itself stands for none."""
        found = [last]
        for first in range(last, 0, -1):
            here, before = (self._plan.steps[n].op for n in (first, first - 1))
            if self._steps[first] is None or self._steps[first - 1] is None:
                break
            if self._positions[id(here)] != self._positions[id(before)] + 1:
                break  # what lies between them is a view of a whole tensor
            found.append(first - 1)
        return found

    def _work(self, first: int, last: int) -> float:
        """What stripes of these steps cost."""
        if first == last:
            return 0.0
        return sum(
            max(step.macs, self._graph.output_of(step.op).elements) for step in self._plan.steps[first : last + 1]
        )

    def _need(self, first: int, last: int) -> int:
        """Bytes that are needed at once while these steps run, about."""
        if (first, last) not in self._needs:
            alone = last == first
            if self._pushed is not None and first == 0 and (alone or self._read[self._pushed] > last):
                self._needs[first, last] = IMPOSSIBLE  # rows that the caller brings have to flow at once
            elif alone:
                step = self._plan.steps[first]
                ways = (step, *self._choices.get(step.op, ()))
                self._needs[first, last] = min(self._alone(first, way) for way in ways)
            else:
                steps = {n: made for n in range(first, last + 1) if (made := self._steps[n])}
                self._needs[first, last] = self._need_of(Span(first, last), steps)
        return self._needs[first, last]

    def _alone(self, number: int, step: Step) -> int:
        """The same of a step that makes its output as a whole."""
        plan = self._plan
        blocks = [b for b in plan.buffers if b.tensors and b.first <= number <= b.last]
        alive = sum(aligned(b.size) for b in blocks)
        scratch = aligned(step.scratch_bytes)
        call = step.calls[0] if len(step.calls) == 1 else None
        if call is None or not call.inputs or call.inputs[0] in plan.graph.outputs:
            return alive + scratch
        dying = [b for b in blocks if call.inputs[0] in b.tensors and call.outputs[0] not in b.tensors]
        if not dying or dying[0].last > number or dying[0].size != plan.graph.tensor(call.inputs[0]).nbytes:
            return alive + scratch
        source, output = dying[0].size, plan.graph.tensor(call.outputs[0]).nbytes
        if 0 in call.inplace and source == output:
            return alive - aligned(source) + scratch
        if overlay_call(plan.graph, step):
            together = max(output, aligned(lead(plan.graph, step)) + source)
            return alive - max(0, source + output - together) + scratch
        return alive + scratch

    def _need_of(self, span: Span, chosen: Mapping[int, Step]) -> int:
        """The same of a pipeline."""
        steps = {n: chosen[n] for n in range(span.first, span.last + 1)}
        tensors = {
            i for step in steps.values() for i in (*step.op.inputs, *step.op.outputs) if i in self._plan.addresses
        }
        found = schedule(
            self._graph,
            steps,
            before=[i for i in tensors if self._made.get(i, -1) < span.first and i != self._pushed],
            after=[i for i in tensors if self._read[i] > span.last],
            pushed=self._pushed if self._pushed in tensors else None,
        )
        others = sum(
            aligned(b.size)
            for b in self._plan.buffers
            if b.tensors and tensors.isdisjoint(b.tensors) and b.first <= span.last and b.last >= span.first
        )
        total = np.zeros(len(found.turns), np.int64)
        for track in found.tracks.values():
            total += track.end - track.begin
        scratch = np.array([aligned(steps[n].scratch_bytes) if n in steps else 0 for n in found.turns])
        return others + int((total + scratch).max())

    def _last_reads(self) -> dict[int, int]:
        """By tensor the last step that reads it or what shares its memory."""
        end = len(self._plan.steps)
        last: dict[int, int] = {}
        for n, step in enumerate(self._plan.steps):
            for i in step.op.inputs:
                last[i] = n
            for i in step.op.outputs:
                last.setdefault(i, n)
        for op in reversed(self._plan.aliased):
            for i in op.inputs:
                last[i] = max(last.get(i, -1), *(last.get(o, -1) for o in op.outputs))
        return {**last, **dict.fromkeys(self._graph.outputs, end)}
