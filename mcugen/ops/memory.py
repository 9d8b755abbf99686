"""How much scratch a kernel may take without making the arena larger than the tensors do."""

from __future__ import annotations

from mcugen.graph.types import Graph, Op
from mcugen.ops.base import Target

SLACK = 512
"""Bytes by which scratch may exceed the widest point of the graph: what a kernel needs at the least, and no more."""

UNLIMITED = 1 << 30
"""A `Target.scratch_limit` that lets every kernel take what it can use."""


def scratch_budget(graph: Graph, op: Op, target: Target) -> int:
    """Bytes of scratch for `op` that keep the arena within `SLACK` of what its live tensors need at their widest.

    Aliases, operands in place and outputs that follow behind their input are not known here. They only make the arena
    smaller: so the planner first tries without a limit, and comes here if that makes the arena too large.
    """
    if target.scratch_limit is not None:
        return target.scratch_limit
    live = _live_bytes(graph)
    widest = max(live)
    return widest + SLACK - live[_position(graph, op)]


def is_last_use(graph: Graph, op: Op, tensor: int) -> bool:
    """Whether nobody reads `tensor` after `op`, so that its memory may be written over."""
    later = graph.ops[_position(graph, op) + 1 :]
    return tensor not in graph.outputs and all(tensor not in other.inputs for other in later)


def _position(graph: Graph, op: Op) -> int:
    return next(n for n, other in enumerate(graph.ops) if other is op)


def _live_bytes(graph: Graph) -> list[int]:
    """Bytes of the tensors that are alive while each op runs: its inputs, its outputs, and what later ops read."""
    born = dict.fromkeys(graph.inputs, -1)
    dies: dict[int, int] = {}
    for n, op in enumerate(graph.ops):
        for i in op.outputs:
            born.setdefault(i, n)
        for i in (*op.inputs, *op.outputs):
            dies[i] = n
    dies |= {i: len(graph.ops) for i in graph.outputs}
    spans = [(born[i], dies.get(i, -1), graph.tensor(i).nbytes) for i in born]
    return [sum(size for first, last, size in spans if first <= n <= last) for n in range(len(graph.ops))]
