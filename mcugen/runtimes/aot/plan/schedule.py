"""In what order the steps of a pipeline take turns, and which rows are in memory then."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Graph
from mcugen.runtimes.aot.plan.stripes import row_bytes, row_inputs
from mcugen.runtimes.aot.plan.types import Step

CALLER = -1
"""In place of a step's number: the caller brings a row."""


@dataclass(frozen=True, eq=False)
class Track:
    """A tensor's memory while a pipeline runs.

    Attributes:
        rows: for which there is room.
        is_ring: the tensor has more.
        begin, end: by turn, where the bytes that are in use begin and end, counted from the tensor's address. Where
            none are, both are 0.
    """

    rows: int
    is_ring: bool
    begin: NDArray[np.int64]
    end: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Schedule:
    """By turn the step that makes a stripe, or `CALLER`; and the tensors' memory."""

    turns: tuple[int, ...]
    tracks: Mapping[int, Track]


@dataclass(frozen=True)
class _Part:
    """A step as a schedule needs it; tensors by their positions."""

    step: int
    inputs: tuple[int, ...]
    output: int
    stripes: int
    height: int
    output_rows: int
    needs: tuple[int, ...]
    """By stripe the rows of the inputs that must be there."""

    reads_from: tuple[int, ...]
    """By stripe, and at last for none, the first row that it and all after it read."""


def schedule(
    graph: Graph,
    steps: Mapping[int, Step],
    *,
    before: Collection[int],
    after: Collection[int],
    more: Mapping[int, int] | None = None,
    pushed: int | None = None,
    exact: bool = True,
) -> Schedule:
    """Run a pipeline on paper.

    Args:
        steps: those of the pipeline by their numbers, with stripes, in order.
        before: tensors that are whole when the pipeline begins; their rows die one after the other.
        after: tensors that are read after it, which it keeps whole.
        more: rows for which rings should have room beyond those that they need.
        pushed: the tensor whose rows the caller brings, if one is.
        exact: say where in rings rows lie; else only how many there are, which takes less time.
    """
    tensors = list(
        dict.fromkeys(
            i for step in steps.values() for i in (*(t.id for t in row_inputs(graph, step.op)), step.op.outputs[0])
        )
    )
    position = {i: n for n, i in enumerate(tensors)}
    parts = [_part(graph, number, step, position) for number, step in steps.items()]
    gathered = {
        step.op.outputs[0]: part
        for step, part in zip(steps.values(), parts, strict=True)
        if step.stripes is not None and step.stripes.gathers
    }
    rows = [gathered[i].output_rows if i in gathered else graph.tensor(i).shape[1] for i in tensors]
    readers = [[part for part in parts if n in part.inputs] for n in range(len(tensors))]
    deeper = [
        max((m for m, other in enumerate(parts) if part.output in other.inputs), default=n)
        for n, part in enumerate(parts)
    ]
    kept = {position[i] for i in after}
    made = [rows[n] if i in before else 0 for n, i in enumerate(tensors)]
    start = list(made)
    needed = [0] * len(tensors)
    done = {part.step: 0 for part in parts}
    turns: list[int] = []
    lows: list[list[int]] = []
    highs: list[list[int]] = []

    def turn(step: int, output: int, count: int) -> None:
        turns.append(step)
        made[output] += count
        lows.append(list(needed))
        highs.append(list(made))

    n = len(parts) - 1
    while True:
        while n >= 0:
            part, stripe = parts[n], done[parts[n].step]
            if stripe == part.stripes or any(made[i] < part.needs[stripe] for i in part.inputs):
                n -= 1
                continue
            turn(part.step, part.output, min(part.height, part.output_rows - stripe * part.height))
            done[part.step] += 1
            for i in part.inputs:
                if i not in kept:
                    needed[i] = min(reader.reads_from[done[reader.step]] for reader in readers[i])
            n = deeper[n]
        source = -1 if pushed is None else position[pushed]
        if source < 0 or made[source] == rows[source]:
            break
        turn(CALLER, source, 1)
        n = max(m for m, part in enumerate(parts) if source in part.inputs)
    high = np.array(highs)
    # What is made in a turn counts in it, even if nobody reads it.
    low = np.minimum(np.array(lows), np.vstack([start, high[:-1]]))
    tracks = {}
    for n, i in enumerate(tensors):
        room = int((high[:, n] - low[:, n]).max()) + (more or {}).get(i, 0)
        room = rows[n] if i in before or n in kept or i in gathered else min(rows[n], room)
        if i in gathered:
            ends = np.where(high[:, n] > 0, graph.tensor(i).nbytes, 0)
            tracks[i] = Track(room, False, np.zeros_like(ends), ends)
            continue
        tracks[i] = _track(low[:, n], high[:, n], start[n], room, rows[n], row_bytes(graph.tensor(i)), exact=exact)
    return Schedule(tuple(turns), tracks)


def _part(graph: Graph, number: int, step: Step, position: Mapping[int, int]) -> _Part:
    assert step.stripes is not None
    sources, output, stripes = row_inputs(graph, step.op), graph.output_of(step.op), step.stripes
    height = sources[0].shape[1]
    rows = height if stripes.gathers else output.shape[1]
    firsts = range(0, rows, stripes.height)
    return _Part(
        step=number,
        inputs=tuple(position[tensor.id] for tensor in sources),
        output=position[output.id],
        stripes=stripes.count,
        height=stripes.height,
        output_rows=rows,
        needs=tuple(stripes.window.end(min(rows, first + stripes.height) - 1, height) for first in firsts),
        reads_from=(*(stripes.window.first(first) for first in firsts), height),
    )


def _track(
    low: NDArray[np.int64], high: NDArray[np.int64], before: int, room: int, rows: int, size: int, *, exact: bool
) -> Track:
    """The memory of a tensor of `rows` rows, of which low … high − 1 are in use, in room for some of `size` bytes each.

    `before` is how many rows there are at the beginning. If not `exact`, rows are counted, and not where they lie.
    """
    begin, end = low.copy(), high.copy()
    if exact and int(high.max()) > room:
        base = 0
        for turn, (needed, made) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
            if made - base > room:
                begin[turn], end[turn] = 0, max(before - base, made - needed)
                base = needed
            else:
                begin[turn], end[turn] = needed - base, made - base
            before = made
    free = low >= high
    begin[free] = end[free] = 0
    return Track(room, room < rows, begin * size, end * size)
