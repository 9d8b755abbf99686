"""Which steps become pipelines, how high the stripes are that they make, and what scratch every step gets.

A pipeline costs turns and rows that are read more than once, and saves what its tensors would take as wholes. The
search finds out what each possible pipeline needs in memory, then the pipelines with which the least is needed at any
time (or no more than a budget), and of those the ones that do the least work in stripes. Then stripes and scratch grow
where the arena does not grow with them, where it saves most first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mcugen.errors import ModelError
from mcugen.graph.types import Op
from mcugen.ops.base import Target
from mcugen.ops.memory import UNLIMITED
from mcugen.runtimes.aot.plan.layout import aligned
from mcugen.runtimes.aot.plan.memory import Rows
from mcugen.runtimes.aot.plan.overlay import lead, overlay_call
from mcugen.runtimes.aot.plan.schedule import CALLER, schedule
from mcugen.runtimes.aot.plan.stripes import Lowered, row_bytes, striped
from mcugen.runtimes.aot.plan.turns import Span
from mcugen.runtimes.aot.plan.types import Plan, Step
from mcugen.runtimes.aot.plan.verify import verify_plan
from mcugen.runtimes.aot.plan.work import work_of, work_of_plan

_HEIGHTS = (1, 2, 3, 4, 6, 8)
"""Of stripes, that are tried."""

_STARTS = (2, 4)
"""Heights of stripes from which on faster ways are looked for, besides the lowest ones."""

_PARTS = 16
"""Of an arena, by which the room grows that pipelines leave for faster kernels."""

MORE_ARENA = 1.125
"""By how much a small arena may exceed the smallest one, where cycles are saved for it."""

IMPOSSIBLE = 1 << 60
"""More bytes than any arena has."""


@dataclass(frozen=True)
class Pipelining:
    """The steps that are not made as the planner would make them, by op; each pipeline by its first and last op.

    An arena of `enough` bytes is looked for longer, unless there is a plan `like` this one to begin with.
    """

    ends: tuple[tuple[Op, Op], ...] = ()
    steps: Mapping[Op, Step] = field(default_factory=dict)
    rows: Rows = field(default_factory=Rows)
    enough: int = 0
    like: Plan | None = None

    def spans(self, steps: Sequence[Step]) -> tuple[Span, ...]:
        """The pipelines by the numbers of their steps."""
        numbers = {step.op: n for n, step in enumerate(steps)}
        return tuple(Span(numbers[first], numbers[last]) for first, last in self.ends)


NO_PIPELINES = Pipelining()


@dataclass(frozen=True, eq=False)
class _Rows:
    """By turn of a pipeline which of its steps runs, −1 for none, and the bytes of its tensors and of all others:
    of rings the rows that are in use, or all."""

    turns: NDArray[np.int64]
    used: NDArray[np.int64]
    whole: NDArray[np.int64]


MakePlan = Callable[[Pipelining], Plan]

_Way = tuple[Plan, list[Span], dict[int, Step]]
"""A plan, its pipelines, and the steps in them by their numbers."""


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
        self._striped: dict[tuple[int, int, int, int | None], Step | None] = {}
        self._lowered: dict[tuple[int, int], Lowered] = {}
        states = {state.id for state in self._graph.states}
        self._steps = [
            self._lowest(step) if states.isdisjoint((*step.op.inputs, *step.op.outputs)) else None
            for step in plan.steps
        ]
        self._needs: dict[tuple[int, int], tuple[int, int]] = {}
        self._rows: dict[tuple[Span, tuple[int, ...]], _Rows] = {}
        self._whole_rings = False  # whether rings count as wholes, or only the rows in them that are in use
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
        found = self._ways((budget,))
        # Where a budget is kept from the beginning, it is all spent; else the smallest plan may only get faster.
        most = max(budget, min(plan.arena_bytes for plan, _, _ in found))
        return self._fastest_of(found, most)

    def fastest(self, most: int) -> Plan | None:
        """The fastest plan with pipelines whose arena takes no more than `most` bytes, if there is one.

        What pipelines save is room for faster kernels. How much of it is best is not known before, so that pipelines
        are looked for that need less and less.
        """
        budgets = [most * part // _PARTS for part in range(_PARTS, 0, -1)]
        found = [way for way in self._ways(budgets, most) if way[1] and way[0].arena_bytes <= most]
        return self._fastest_of(found, most) if found else None

    def _ways(self, budgets: Sequence[int], enough: int = 0) -> list[_Way]:
        """A plan for each budget, counting of rings the rows that are in use or all; none twice.

        Args:
            enough: an arena of this size is looked for longer; 0: of the budget's, or of what is needed.
        """
        found: list[_Way] = []
        for budget in budgets:
            for self._whole_rings in (False, True):
                spans = self._spans(budget)
                if any(spans == others for _, others, _ in found):
                    continue
                chosen = self._in_lowest(spans)
                plan = self.planned(spans, chosen, enough or max(budget, self._needed(spans)))
                found.append((plan, spans, chosen))
        return found

    def _fastest_of(self, found: Sequence[_Way], most: int) -> Plan:
        """The fastest plan that these become with more memory, as long as the arena takes no more than `most` bytes."""
        faster = [self._faster(*way, most) for way in found if way[0].arena_bytes <= most]
        fastest = min(faster, key=work_of_plan)
        verify_plan(fastest)
        return fastest

    def small(self) -> list[Plan]:
        """The smallest plan, and the fastest with arenas that are not much larger.

        Raises:
            ModelError: as from `best`.
        """
        smallest = self.best()
        return [
            smallest,
            *(self.best(round(smallest.arena_bytes * part)) for part in (1 + (MORE_ARENA - 1) / 2, MORE_ARENA)),
        ]

    def planned(
        self, spans: Sequence[Span], chosen: Mapping[int, Step], enough: int = 0, like: Plan | None = None
    ) -> Plan:
        """The plan with these pipelines, and with steps made as `chosen` says, by their numbers.

        An arena of `enough` bytes is looked for longer, unless there is a plan `like` this one to begin with.
        """
        ends = tuple((self._plan.steps[span.first].op, self._plan.steps[span.last].op) for span in spans)
        return self._make(
            Pipelining(ends, {step.op: step for step in chosen.values()}, Rows(self._pushed), enough, like)
        )

    def _faster(self, plan: Plan, spans: Sequence[Span], chosen: Mapping[int, Step], most: int) -> Plan:
        """The plan with steps that take more memory, as long as the arena does not take more than `most` bytes."""
        starts = [self._raised(chosen, height) for height in _STARTS]
        possible = [steps for steps in starts if all(self._fits(span.first, spans, steps, most) for span in spans)]
        wanted = min(
            (self._wanted(spans, steps, most) for steps in (chosen, *possible)),
            key=lambda steps: self._cycles(plan, steps),
        )
        work = {n: work_of(self._graph, chosen.get(n, plan.steps[n])) for n in wanted}
        gains = {n: work[n] - work_of(self._graph, step) for n, step in wanted.items()}
        taken = dict(chosen)

        def take(numbers: Sequence[int]) -> None:
            """Make so many of these steps as wanted as there is room for."""
            nonlocal plan, taken
            tried = {**taken, **{n: wanted[n] for n in numbers}}
            larger = self.planned(spans, tried, most, plan)
            if larger.arena_bytes <= most:
                plan, taken = larger, tried
            elif len(numbers) > 1:
                middle = (len(numbers) + 1) // 2
                take(numbers[:middle])
                take(numbers[middle:])

        # What is needed is not always what the arena takes. Those that gain most come first.
        if changed := [n for n in wanted if wanted[n] is not chosen.get(n)]:
            take(sorted(changed, key=lambda n: (-gains[n], n)))
        return plan

    def _wanted(self, spans: Sequence[Span], chosen: Mapping[int, Step], most: int) -> dict[int, Step]:
        """The fastest way to make each step with which no more than `most` bytes are needed, those that gain most
        first."""
        wanted = dict(chosen)
        gains: dict[int, list[tuple[float, Step]]] = {}
        for n, step in enumerate(self._plan.steps):
            work = work_of(self._graph, chosen.get(n, step))
            ways = self.ways(n) if any(n in span for span in spans) else self._choices.get(step.op, ())
            better = [(gain, way) for way in ways if (gain := work - work_of(self._graph, way)) > 0]
            if better:
                gains[n] = sorted(better, key=lambda known: -known[0])
        for n in sorted(gains, key=lambda n: (-gains[n][0][0], n)):
            for _, way in gains[n]:
                if self._fits(n, spans, {**wanted, n: way}, most):
                    wanted[n] = way
                    break
        return wanted

    def _in_lowest(self, spans: Sequence[Span]) -> dict[int, Step]:
        """The steps of pipelines in the lowest stripes that they can make, by their numbers."""
        return {n: step for span in spans for n in range(span.first, span.last + 1) if (step := self._steps[n])}

    def _raised(self, chosen: Mapping[int, Step], height: int) -> Mapping[int, Step]:
        """The same steps in stripes of so many rows, where they can be."""
        return {n: self._in_stripes(self._plan.steps[n], height, 0) or step for n, step in chosen.items()}

    def _cycles(self, plan: Plan, chosen: Mapping[int, Step]) -> float:
        return sum(work_of(self._graph, chosen.get(n, step)) for n, step in enumerate(plan.steps))

    def _fits(self, number: int, spans: Sequence[Span], chosen: Mapping[int, Step], most: int) -> bool:
        """Whether a step needs no more than `most` bytes, about."""
        span = next((span for span in spans if number in span), None)
        return (self._needs_of(span, chosen)[0] if span else self._alone(number, chosen[number])) <= most

    def ways(self, number: int) -> Iterator[Step]:
        """How a step can be made in stripes."""
        step = self._plan.steps[number]
        lowest = self._lowest(step)
        gathers = lowest is not None and lowest.stripes is not None and lowest.stripes.gathers
        rows = self._graph.tensor(step.op.inputs[0]).shape[1] if gathers else self._graph.output_of(step.op).shape[1]
        for height in (height for height in _HEIGHTS if height <= rows):
            yield from filter(None, (self._in_stripes(step, height, limit) for limit in (0, UNLIMITED)))
            roomier = 0
            while made := self._in_stripes(step, height, UNLIMITED, roomier):
                roomier += 1
                yield made

    def _lowest(self, step: Step) -> Step | None:
        """The step with the lowest stripes that it can make."""
        return next((made for height in (1, 2, 4) if (made := self._in_stripes(step, height, 0))), None)

    def _in_stripes(self, step: Step, height: int, limit: int, roomier: int | None = None) -> Step | None:
        key = (id(step.op), height, limit, roomier)
        if key not in self._striped:
            target, known = (
                replace(self._target, scratch_limit=limit),
                self._lowered.setdefault((id(step.op), limit), {}),
            )
            self._striped[key] = striped(self._graph, step, target, height, roomier=roomier, known=known)
        return self._striped[key]

    def _spans(self, budget: int) -> list[Span]:
        """The pipelines with which the least is needed, or no more than `budget`."""
        count = len(self._plan.steps)
        least = [0] * (count + 1)
        for end in range(1, count + 1):
            least[end] = IMPOSSIBLE
            for first in self.firsts(end - 1):
                # What is there at both ends is needed at least; where that is too much, nothing has to be tried.
                if max(least[first], self._at_the_ends(first, end - 1)) < least[end]:
                    least[end] = min(least[end], max(least[first], self._need(first, end - 1)))
        if least[count] >= IMPOSSIBLE:
            where = self._plan.steps[0].op.where
            raise ModelError(
                "its first layer cannot take the input row by row", where=where, hint="Bring the input as a whole"
            )
        allowed = max(budget, least[count])
        work = [0.0] * (count + 1)
        chosen = [0] * (count + 1)
        for end in range(1, count + 1):
            work[end], chosen[end] = np.inf, end - 1
            for first in self.firsts(end - 1):
                cost = work[first] + self._work(first, end - 1)
                if (
                    cost < work[end]
                    and self._at_the_ends(first, end - 1) <= allowed
                    and self._need(first, end - 1) <= allowed
                ):
                    work[end], chosen[end] = cost, first
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
            above = self._steps[first - 1]
            if self._steps[first] is None or above is None or above.stripes is None or above.stripes.gathers:
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
                need = (IMPOSSIBLE, IMPOSSIBLE)  # rows that the caller brings have to flow at once
            elif alone:
                step = self._plan.steps[first]
                need = (min(self._alone(first, way) for way in (step, *self._choices.get(step.op, ()))),) * 2
            else:
                steps = {n: made for n in range(first, last + 1) if (made := self._steps[n])}
                need = self._needs_of(Span(first, last), steps)
            self._needs[first, last] = need
        return self._needs[first, last][self._whole_rings]

    def _needed(self, spans: Sequence[Span]) -> int:
        """Bytes that are needed with these pipelines."""
        singles = [Span(n, n) for n in range(self.count) if not any(n in span for span in spans)]
        return max(self._need(span.first, span.last) for span in (*spans, *singles))

    def _at_the_ends(self, first: int, last: int) -> int:
        """Bytes of the tensors that are there as wholes before these steps or after them, whichever are more."""
        blocks = [b for b in self._plan.buffers if b.tensors]
        before = sum(aligned(b.size) for b in blocks if b.first < first <= b.last and self._pushed not in b.tensors)
        return max(before, sum(aligned(b.size) for b in blocks if b.first <= last < b.last))

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

    def _needs_of(self, span: Span, chosen: Mapping[int, Step]) -> tuple[int, int]:
        """The same of a pipeline: counting of rings the rows that are in use, or all."""
        steps = {n: chosen[n] for n in range(span.first, span.last + 1)}
        made = self._rows_of(span, steps)
        by_step = np.array([aligned(step.scratch_bytes) for step in steps.values()] + [0])
        scratch = by_step[made.turns]
        for n, step in steps.items():
            if step.stripes is not None and step.stripes.gathers:
                turns = np.flatnonzero(made.turns == n - span.first)
                scratch[turns[0] : turns[-1] + 1] += aligned(step.scratch_bytes)
        return int((made.used + scratch).max()), int((made.whole + scratch).max())

    def _rows_of(self, span: Span, steps: Mapping[int, Step]) -> _Rows:
        """What the tensors of a pipeline take, which depends on how high its stripes are alone."""
        key = (span, tuple(step.stripes.height for step in steps.values() if step.stripes))
        if key not in self._rows:
            self._rows[key] = self._scheduled(span, steps)
        return self._rows[key]

    def _scheduled(self, span: Span, steps: Mapping[int, Step]) -> _Rows:
        tensors = {
            i for step in steps.values() for i in (*step.op.inputs, *step.op.outputs) if i in self._plan.addresses
        }
        found = schedule(
            self._graph,
            steps,
            before=[i for i in tensors if self._made.get(i, -1) < span.first and i != self._pushed],
            after=[i for i in tensors if self._read[i] > span.last],
            pushed=self._pushed if self._pushed in tensors else None,
            exact=False,
        )
        others = sum(
            aligned(b.size)
            for b in self._plan.buffers
            if b.tensors and tensors.isdisjoint(b.tensors) and b.first <= span.last and b.last >= span.first
        )
        turns = np.array(found.turns)
        used, whole = np.full(len(turns), others), np.full(len(turns), others)
        for i, track in found.tracks.items():
            tensor, rows = self._graph.tensor(i), track.end - track.begin
            used += rows
            whole += np.where(rows > 0, track.rows * row_bytes(tensor), 0) if track.is_ring else rows
        return _Rows(np.where(turns == CALLER, -1, turns - span.first), used, whole)

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
