"""Which kernels the conformance suite's uses of an op are planned with, on every kind of core that a board has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from mcugen import ops
from mcugen.boards.shipped import load_boards
from mcugen.graph import Graph
from mcugen.ops.base import KernelCall, OpSpec, Target
from mcugen.runtimes.aot.graph import read_graph
from tests.conformance.suite import GENERATORS, claimed, draw_sequences, drawn

CASES = 12
"""Of each op and type, whatever the suite itself is told to run: docs/SUPPORTED_OPS.md depends on it."""


@dataclass(frozen=True)
class Planned:
    """A kernel that a use of an op was planned with."""

    spec: OpSpec
    kernel: str
    variant: str


@cache
def targets() -> tuple[Target, ...]:
    """One core of each kind that boards have, by the instructions that kernels make use of."""
    found = [board.target() for board in load_boards().values()]
    return tuple({target.kernels: target for target in found}.values())


@cache
def planned() -> frozenset[Planned]:
    """What all cases of all ops are planned with, on all kinds of cores."""
    return frozenset(
        Planned(spec, call.kernel, call.variant)
        for kind, types in claimed().items()
        for dtype in types
        for graph in _graphs(kind, dtype)
        for spec, call in _calls(graph, kind)
    )


def _graphs(kind: str, dtype: str) -> Iterator[Graph]:
    if kind not in GENERATORS:
        yield from (read_graph(sequence.model) for sequence in draw_sequences(kind, dtype, CASES))
        return
    yield from (drawn(kind, dtype, number)[1] for number in range(CASES))


def _calls(graph: Graph, kind: str) -> Iterator[tuple[OpSpec, KernelCall]]:
    for op in graph.ops:
        if op.kind == kind:
            spec = ops.supported_spec(graph, op)
            for target in targets():
                for call in spec.lower(graph, op, target).calls:
                    yield from ((spec, each) for each in (call, *call.roomier))
