"""Checks pipelines from a plan's results alone: which rows are where is replayed byte by byte, stripe by stripe.

The replay does what the emitted scheduler does, with nothing but the numbers that it is given. What each stripe has to
read is derived from the op itself and compared with what its calls say and the scheduler brings.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops.base import KernelCall
from mcugen.runtimes.aot.plan.types import Pipeline, Plan, Step, Stripes

_WORD = 4
"""Bytes. Stripes begin at whole words, and rows move in words."""

_SCRATCH = "scratch"

_GATHERING = frozenset({"mcg_mean_rows_s8"})
"""Kernels that keep sums in scratch until the last row."""

Extents = dict[Hashable, tuple[int, int]]
"""By what lies there, a tensor or (tensor, row), where its valid bytes begin and end."""


class PlanError(AssertionError):
    """The planner made a wrong plan: a bug in mcugen, never the user's fault."""


def _gathers(step: Step) -> bool:
    return step.stripes is not None and step.stripes.gathers


def put(held: Extents, what: Hashable, start: int, size: int) -> None:
    """Write something: whatever it overlaps is valid no longer."""
    for other, (low, high) in list(held.items()):
        if low < start + size and start < high:
            del held[other]
    held[what] = (start, start + size)


@dataclass
class _Ring:
    """A tensor's rows as the scheduler counts them."""

    tensor: Tensor
    at: int
    room: int
    made: int
    base: int = 0
    whole_before: bool = False
    gathered: bool = False

    @property
    def size(self) -> int:
        """Bytes of a row."""
        return 0 if self.gathered else self.tensor.nbytes // self.tensor.shape[1]

    def place(self, row: int) -> int:
        return self.at + (row - self.base) * self.size


@dataclass
class _Flow:
    """A step of a pipeline."""

    number: int
    step: Step
    stripes: Stripes
    sources: list[_Ring]
    output: _Ring
    done: int = 0
    deeper: int = field(default=0)

    @property
    def count(self) -> int:
        return self.stripes.runs[-1].until

    @property
    def rows(self) -> int:
        """Of the output; where it is gathered, of the input."""
        return (self.sources[0] if self.stripes.gathers else self.output).tensor.shape[1]

    def first_row(self) -> int:
        """As `mcg_first_row`."""
        if self.done == self.count:
            return self.sources[0].tensor.shape[1]
        row = self.done * self.stripes.height * self.stripes.window.stride
        return max(0, row - self.stripes.window.pad)

    def has_rows(self) -> bool:
        """As `mcg_has_rows`."""
        if self.done == self.count:
            return False
        window = self.stripes.window
        last = min((self.done + 1) * self.stripes.height, self.rows) - 1
        end = min(last * window.stride - window.pad + window.span, self.sources[0].tensor.shape[1])
        return all(ring.made >= end for ring in self.sources)


def replay(plan: Plan, pipeline: Pipeline, held: Extents) -> None:
    """Run a pipeline on the bytes that are held.

    Raises:
        PlanError: a stripe that finds rows missing, overwritten or elsewhere, whose calls do something else than the
            op, or that writes over what it reads; rows that never are made.
    """
    _Replay(plan, pipeline, held).run()


class _Replay:
    def __init__(self, plan: Plan, pipeline: Pipeline, held: Extents) -> None:
        self._plan, self._graph, self._held = plan, plan.graph, held
        numbers = range(pipeline.first, pipeline.last + 1)
        if not 0 <= pipeline.first < pipeline.last < len(plan.steps):
            raise PlanError(f"steps {pipeline.first} to {pipeline.last} are no pipeline")
        made_here = {i for n in numbers for i in plan.steps[n].op.outputs}
        gathering = {i: plan.steps[n] for n in numbers for i in plan.steps[n].op.outputs if _gathers(plan.steps[n])}
        self._pushed: _Ring | None = None
        self._rings: dict[int, _Ring] = {}
        for ring in pipeline.rings:
            tensor = self._graph.tensor(ring.tensor)
            before = ring.tensor not in made_here and ring.tensor != plan.pushed
            gatherer = gathering.get(ring.tensor)
            rows = self._graph.tensor(gatherer.op.inputs[0]).shape[1] if gatherer else tensor.shape[1]
            if before and ring.rows != rows:
                raise PlanError(f'"{tensor.name}" is whole before the pipeline, its ring is not')
            if gatherer and ring.rows != rows:
                raise PlanError(f'"{tensor.name}" is gathered from {rows} rows, not from {ring.rows}')
            if not 0 < ring.rows <= rows:
                raise PlanError(f'"{tensor.name}" has a ring of {ring.rows} rows')
            made = _Ring(tensor, plan.addresses[ring.tensor], ring.rows, rows if before else 0, whole_before=before)
            made.gathered = ring.tensor in gathering
            end = made.at + (tensor.nbytes if made.gathered else ring.rows * made.size)
            if made.at % _WORD or made.at < 0 or end > plan.arena_bytes:
                raise PlanError(f'the ring of "{tensor.name}" lies outside the arena or between words')
            self._rings[ring.tensor] = made
            if ring.tensor == plan.pushed:
                self._pushed = made
        self._flows = [self._flow(n) for n in numbers]
        for flow in self._flows:
            readers = [k for k, other in enumerate(self._flows) if flow.output in other.sources]
            flow.deeper = max(readers, default=flow.number - pipeline.first)
            if flow.stripes.gathers and readers:
                raise PlanError(f"{flow.step.op.where} gathers rows, and is not the last step of its pipeline")

    def _flow(self, number: int) -> _Flow:
        step = self._plan.steps[number]
        if step.stripes is None or step.plans:
            raise PlanError(f"{step.op.where} is in a pipeline, but makes no stripes")
        inputs = [i for i in dict.fromkeys(step.op.inputs) if i >= 0 and not self._graph.tensor(i).is_const]
        if any(i not in self._rings for i in (*inputs, *step.op.outputs)) or len(step.op.outputs) != 1:
            raise PlanError(f"{step.op.where} has a tensor without a ring")
        output = self._rings[step.op.outputs[0]]
        flow = _Flow(number, step, step.stripes, [self._rings[i] for i in inputs], output)
        if -(-flow.rows // step.stripes.height) != step.stripes.count:
            raise PlanError(f"{step.op.where} makes {step.stripes.count} stripes, which are not its rows")
        return flow

    def run(self) -> None:
        for ring in self._rings.values():
            if ring.whole_before:
                whole = self._held.get(ring.tensor.id)
                if whole != (ring.at, ring.at + ring.tensor.nbytes):
                    raise PlanError(f'the pipeline reads "{ring.tensor.name}", which was overwritten')
                for row in range(ring.tensor.shape[1]):
                    self._held[ring.tensor.id, row] = (ring.place(row), ring.place(row + 1))
        n = len(self._flows) - 1
        while True:
            while n >= 0:
                if self._flows[n].has_rows():
                    self._stripe(self._flows[n])
                    n = self._flows[n].deeper
                else:
                    n -= 1
            pushed = self._pushed
            if pushed is None or pushed.made == pushed.tensor.shape[1]:
                break
            self._make_room(pushed, 1)
            self._write(pushed, 1)
            n = len(self._flows) - 1
        for flow in self._flows:
            if flow.done != flow.count:
                raise PlanError(f"{flow.step.op.where} makes {flow.done} of {flow.count} stripes")
        self._finish()

    def _finish(self) -> None:
        """Tensors whose rows are all there, one after the other, are whole."""
        for ring in self._rings.values():
            if ring.gathered:
                continue
            rows = [self._held.pop((ring.tensor.id, row), None) for row in range(ring.tensor.shape[1])]
            if all(place == (ring.at + n * ring.size, ring.at + (n + 1) * ring.size) for n, place in enumerate(rows)):
                self._held[ring.tensor.id] = (ring.at, ring.at + ring.tensor.nbytes)
            else:
                self._held.pop(ring.tensor.id, None)

    def _stripe(self, flow: _Flow) -> None:
        op, stripes = flow.step.op, flow.stripes
        to = flow.done * stripes.height
        count = min(stripes.height, flow.rows - to)
        begin, end, above = (to, to + count, 0) if stripes.gathers else rows_of(self._graph, op, to, count)
        run = next(run for run in stripes.runs if flow.done < run.until)
        start = flow.first_row()
        if start != begin:
            raise PlanError(f"{op.where} begins at row {start} where it needs row {begin}")
        if not run.calls:
            raise PlanError(f"{op.where} has a stripe without a call")
        kept = (_SCRATCH, flow.number)
        if stripes.gathers:
            self._check_gathering(flow, run.calls, count, kept)
        for k in () if stripes.gathers else run.calls:
            if problem := geometry_problem(flow.step.calls[k], end - begin, above, count, flow.output.tensor.shape[2]):
                raise PlanError(f"{op.where}: a call for rows {to} to {to + count - 1} {problem}")
        self._make_room(flow.output, count)
        for ring in flow.sources:
            for row in range(begin, end):
                if self._held.get((ring.tensor.id, row)) != (ring.place(row), ring.place(row + 1)):
                    raise PlanError(f'{op.where} misses row {row} of "{ring.tensor.name}"')
            if ring.place(begin) % _WORD:
                raise PlanError(f'{op.where} reads "{ring.tensor.name}" from between words')
        needed = {(ring.tensor.id, row) for ring in flow.sources for row in range(begin, end)}
        scratch = max(flow.step.calls[k].scratch_bytes for k in run.calls)
        if scratch:
            at = self._plan.scratch.get(flow.number)
            if at is None or at < 0 or at % _WORD or at + scratch > self._plan.arena_bytes:
                raise PlanError(f"{op.where}: its scratch lies outside the arena")
            if not stripes.gathers:
                put(self._held, _SCRATCH, at, scratch)
            elif to == 0:
                put(self._held, kept, at, scratch)
            if not needed <= set(self._held):
                raise PlanError(f"{op.where}: scratch overwrites its inputs")
        if stripes.gathers:
            flow.output.made += count
            if flow.output.made == flow.rows:
                put(self._held, flow.output.tensor.id, flow.output.at, flow.output.tensor.nbytes)
        else:
            self._write(flow.output, count)
        if not needed <= set(self._held):
            raise PlanError(f"{op.where} writes over its input")
        if scratch and (kept if stripes.gathers else _SCRATCH) not in self._held:
            raise PlanError(f"{op.where} writes over its scratch")
        self._held.pop(_SCRATCH, None)
        flow.done += 1

    def _check_gathering(self, flow: _Flow, calls: tuple[int, ...], count: int, kept: Hashable) -> None:
        """A step that gathers begins with its first stripe, ends with its last, and finds in between what it had."""
        op, source = flow.step.op, flow.sources[0].tensor
        if len(calls) != 1 or flow.step.calls[calls[0]].kernel not in _GATHERING:
            raise PlanError(f"{op.where} gathers rows by a kernel that cannot")
        params = dict(flow.step.calls[calls[0]].params)
        said = tuple(params[name] for name in ("pixels", "channels", "first", "last"))
        is_last = flow.done == flow.count - 1
        if said != (count * source.shape[2], source.shape[3], int(flow.done == 0), int(is_last)):
            raise PlanError(f"{op.where}: a call for rows that are gathered takes {said}")
        if flow.done and kept not in self._held:
            raise PlanError(f"{op.where} misses what it has gathered")

    def _make_room(self, ring: _Ring, count: int) -> None:
        """As `mcg_make_room`."""
        if ring.made + count - ring.base <= ring.room:
            return
        readers = [flow.first_row() for flow in self._flows if ring in flow.sources]
        keep = min([ring.made, *readers])
        moved = ring.made - keep
        if ring.made + count - keep > ring.room:
            raise PlanError(f'the ring of "{ring.tensor.name}" has no room for row {ring.made + count - 1}')
        if (ring.place(keep) - ring.at) % _WORD or moved * ring.size % _WORD:
            raise PlanError(f'rows of "{ring.tensor.name}" move by bytes that are no words')
        places = {row: self._held.get((ring.tensor.id, row)) for row in range(keep, ring.made)}
        valid = [row for row, place in places.items() if place == (ring.place(row), ring.place(row + 1))]
        ring.base = keep
        if moved:
            put(self._held, "moved", ring.at, moved * ring.size)
            del self._held["moved"]
        for row in valid:
            self._held[ring.tensor.id, row] = (ring.place(row), ring.place(row + 1))

    def _write(self, ring: _Ring, count: int) -> None:
        for row in range(ring.made, ring.made + count):
            put(self._held, (ring.tensor.id, row), ring.place(row), ring.size)
        ring.made += count


def rows_of(graph: Graph, op: Op, first: int, count: int) -> tuple[int, int, int]:
    """Which rows of its input an op needs to make some: from which on, up to which, and rows of padding above them."""
    options: Any = op.options
    height = next(graph.tensor(i).shape[1] for i in op.inputs if i >= 0 and not graph.tensor(i).is_const)
    if not hasattr(options, "pads"):
        return first, first + count, 0
    taps = getattr(options, "filter_h", 0) or graph.tensor(op.inputs[1]).shape[1]
    apart = getattr(options, "dilation_h", 1)
    wanted = [
        row * options.stride_h - options.pads.top + tap * apart
        for row in (first, first + count - 1)
        for tap in (0, taps - 1)
    ]
    return max(0, min(wanted)), min(height, max(wanted) + 1), max(0, -min(wanted))


def geometry_problem(call: KernelCall, taken: int, above: int, made: int, width: int) -> str | None:
    """What is wrong with the image that a call is told of, as far as its parameters say."""
    params: dict[str, Any] = dict(call.params)
    if "input_height" in params:
        upright = (params["input_height"], params["pad_top"], params["output_height"])
        return None if upright == (taken, above, made) else f"takes {upright} for {(taken, above, made)}"
    if "input_rows" in params:
        # Rows and columns may have changed places; of an image that is one pixel wide, the steps do not tell.
        down, across = params["input_row_step"], params["input_column_step"]
        sides = ["row"] * (down >= across) + ["column"] * (across >= down)
        said = [(params[f"input_{n}s"], params[f"pad_{n}s"], params[f"output_{n}s"]) for n in sides]
        return None if (taken, above, made) in said else f"takes {said[0]} for {(taken, above, made)}"
    if "row_step" in params and "columns" in params:
        windows = params["rows"] * params["columns"]  # of which a row may be any part
        return None if windows == made * width else f"makes {windows} pixels instead of {made * width}"
    return None
