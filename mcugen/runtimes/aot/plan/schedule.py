"""In what order the steps of a pipeline take turns, and which rows are in memory then."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Graph
from mcugen.runtimes.aot.plan.stripes import row_bytes, row_inputs
from mcugen.runtimes.aot.plan.types import Step, Window

CALLER = -1
"""In place of a step's number: the caller brings a row."""


@dataclass(frozen=True, eq=False)
class Track:
    """A tensor's memory while a pipeline runs.

    Attributes:
        rows: for which there is room.
        begin, end: by turn, where the bytes that are in use begin and end, counted from the tensor's address. Where
            none are, both are 0.
        moved: bytes that move to the beginning, in all.
    """

    rows: int
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    moved: int


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
    window: Window
    input_rows: int
    output_rows: int

    def needs(self, stripe: int) -> int:
        """Rows of the inputs that must be there for a stripe."""
        last = min(self.output_rows, (stripe + 1) * self.height) - 1
        return self.window.end(last, self.input_rows)

    def reads_from(self, stripe: int) -> int:
        """The first row that a stripe and all after it read."""
        return self.input_rows if stripe == self.stripes else self.window.first(stripe * self.height)


def schedule(
    graph: Graph,
    steps: Mapping[int, Step],
    *,
    before: Collection[int],
    after: Collection[int],
    more: Mapping[int, int] | None = None,
    pushed: int | None = None,
) -> Schedule:
    """Run a pipeline on paper.

    Args:
        steps: those of the pipeline by their numbers, with stripes, in order.
        before: tensors that are whole when the pipeline begins; their rows die one after the other.
        after: tensors that are read after it, which it keeps whole.
        more: rows for which rings should have room beyond those that they need.
        pushed: the tensor whose rows the caller brings, if one is.
    """
    tensors = list(
        dict.fromkeys(
            i for step in steps.values() for i in (*(t.id for t in row_inputs(graph, step.op)), step.op.outputs[0])
        )
    )
    position = {i: n for n, i in enumerate(tensors)}
    parts = [_part(graph, number, step, position) for number, step in steps.items()]
    rows = [graph.tensor(i).shape[1] for i in tensors]
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
            if stripe == part.stripes or any(made[i] < part.needs(stripe) for i in part.inputs):
                n -= 1
                continue
            turn(part.step, part.output, min(part.height, part.output_rows - stripe * part.height))
            done[part.step] += 1
            for i in part.inputs:
                if i not in kept:
                    needed[i] = min(reader.reads_from(done[reader.step]) for reader in readers[i])
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
        room = rows[n] if i in before or n in kept else min(rows[n], room)
        tracks[i] = _track(low[:, n], high[:, n], start[n], room, row_bytes(graph.tensor(i)))
    return Schedule(tuple(turns), tracks)


def _part(graph: Graph, number: int, step: Step, position: Mapping[int, int]) -> _Part:
    assert step.stripes is not None
    sources, output = row_inputs(graph, step.op), graph.output_of(step.op)
    return _Part(
        step=number,
        inputs=tuple(position[tensor.id] for tensor in sources),
        output=position[output.id],
        stripes=step.stripes.count,
        height=step.stripes.height,
        window=step.stripes.window,
        input_rows=sources[0].shape[1],
        output_rows=output.shape[1],
    )


def _track(low: NDArray[np.int64], high: NDArray[np.int64], before: int, room: int, size: int) -> Track:
    """The memory of a ring with room for so many rows of `size` bytes each, of which rows low … high − 1 are in use.

    `before` is how many rows there are at the beginning.
    """
    begin, end = low.copy(), high.copy()
    base = moved = 0
    for turn in range(len(low)):
        if high[turn] - base > room:
            shift = int(low[turn]) - base
            moved += max(0, before - int(low[turn])) * size
            begin[turn], end[turn] = 0, max(before - base, int(high[turn]) - int(low[turn]))
            base += shift
        else:
            begin[turn] -= base
            end[turn] -= base
        before = int(high[turn])
    free = low >= high
    begin[free] = end[free] = 0
    return Track(room, begin * size, end * size, moved)
