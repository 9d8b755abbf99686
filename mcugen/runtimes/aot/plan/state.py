"""Which reads and assignments of variables cost nothing.

A value read from a state is a view of it, if nothing assigns the state before the value's last reader. A value that is
assigned may be computed right in the state's memory, if nobody wants the old content any more. Everything else stays
the copy that it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mcugen.graph.types import Graph, Op
from mcugen.ops.base import Lowering


@dataclass(frozen=True)
class StateMemory:
    """What the copies of variables become.

    Attributes:
        lowerings: of ops that turned from copies into views, by the op's position.
        homes: tensors that are computed in a state's memory, and that state.
    """

    lowerings: Mapping[int, Lowering] = field(default_factory=dict)
    homes: Mapping[int, int] = field(default_factory=dict)


def place_states(graph: Graph, lowerings: Sequence[Lowering]) -> StateMemory:
    """Find the copies that can be left out. `lowerings` are those of the graph's ops, in their order."""
    if not graph.states:
        return StateMemory()
    finder = _Finder(graph, lowerings)
    views = {position: view for position, op in enumerate(graph.ops) if (view := finder.view_of_state(position, op))}
    homes: dict[int, int] = {}
    for position, op in enumerate(graph.ops):
        if finder.can_live_in_state(position, op, views, homes):
            homes[op.inputs[0]] = op.outputs[0]
            views[position] = Lowering(aliases=((op.outputs[0], op.inputs[0], 0),))
    return StateMemory(views, homes)


class _Finder:
    """Knows who reads and writes what, and when: positions are those of the graph's ops."""

    def __init__(self, graph: Graph, lowerings: Sequence[Lowering]) -> None:
        self._graph, self._lowerings = graph, lowerings
        root = {alias[0]: alias[1] for lowering in lowerings for alias in lowering.aliases}
        self._root = {i: _follow(root, i) for i in graph.tensors}
        self._maker = {i: position for position, op in enumerate(graph.ops) for i in op.outputs}
        self._last_use: dict[int, int] = {}
        for position, op in enumerate(graph.ops):
            self._last_use.update({self._root[i]: position for i in op.inputs if i >= 0})
        self._last_use.update({self._root[i]: len(graph.ops) for i in graph.outputs})
        self._written = {
            state.id: [n for n, op in enumerate(graph.ops) if state.id in op.outputs] for state in graph.states
        }
        self._read = {
            state.id: [n for n, op in enumerate(graph.ops) if op.kind == "READ_VARIABLE" and op.inputs[0] == state.id]
            for state in graph.states
        }

    def view_of_state(self, position: int, op: Op) -> Lowering | None:
        """A READ_VARIABLE as a view, if the state stays as it is until the last reader."""
        if op.kind != "READ_VARIABLE" or op.inputs[0] not in self._written:
            return None
        value, state = op.outputs[0], op.inputs[0]
        last = self._last_use.get(value, position)
        if any(position < n <= last for n in self._written[state]):
            return None
        return Lowering(aliases=((value, state, 0),))

    def can_live_in_state(self, position: int, op: Op, views: Mapping[int, Lowering], homes: Mapping[int, int]) -> bool:
        """Whether the value that an ASSIGN_VARIABLE reads can be computed in the state's memory."""
        if op.kind != "ASSIGN_VARIABLE":
            return False
        value, state = op.inputs[0], op.outputs[0]
        made = self._maker.get(value)
        if made is None or value in homes or self._root[value] != value or not self._lowerings[made].calls:
            return False
        if made in views:  # it lies in the memory of another state
            return False
        last = max(position, self._last_use.get(value, position))
        if any(made < n <= last for n in self._written[state] if n != position):
            return False
        if any(made <= n < position for n in self._read[state]):  # a copy of the state is not made where it lies
            return False
        views_before = (self._graph.ops[n].outputs[0] for n in self._read[state] if n in views and n < made)
        return all(self._is_over(view, made) for view in views_before) and all(
            self._take_turns(value, other) for other, home in homes.items() if home == state
        )

    def _take_turns(self, value: int, other: int) -> bool:
        """Whether two values that are computed in one state's memory are never needed at the same time."""
        first, second = sorted((value, other), key=lambda i: self._maker[i])
        return self._is_over(first, self._maker[second])

    def _is_over(self, value: int, made: int) -> bool:
        """Whether a view of the state has no reader any more when op `made` writes there, or only one in place."""
        last = self._last_use.get(value, -1)
        if last != made:
            return last < made
        calls = self._lowerings[made].calls
        readers = [n for n, i in enumerate(calls[0].inputs) if self._root[i] == value]
        return len(calls) == 1 and all(n in calls[0].inplace and calls[0].inputs[n] == value for n in readers)


def _follow(root: Mapping[int, int], tensor: int) -> int:
    while tensor in root:
        tensor = root[tensor]
    return tensor
