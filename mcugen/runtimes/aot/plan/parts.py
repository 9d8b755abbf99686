"""Which concatenations cost nothing: their inputs are computed where they belong in the output.

That holds where the parts lie one after the other in the output (along the outermost axis that is not 1), every part is
computed by a kernel, and goes nowhere else for good. Whether it is worth it is another matter: the whole output then
takes its place as soon as the first part is computed. The planner compares both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mcugen.graph.types import Graph, Op
from mcugen.ops.base import KernelCall, Lowering
from mcugen.ops.movement import whole_copy

_ALIGNMENT = 4
"""Kernels read activations as 32-bit words, so a part begins at a whole word."""


@dataclass(frozen=True)
class Parts:
    """What can be computed in place.

    Attributes:
        places: tensor → the tensor whose memory it is computed in, and how many bytes after its start.
        outputs: positions of the ops that are left with nothing to do.
    """

    places: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    outputs: frozenset[int] = frozenset()


def place_parts(graph: Graph, lowerings: Sequence[Lowering], taken: Mapping[int, int]) -> Parts:
    """Find the concatenations that can be left out.

    Args:
        lowerings: those of the graph's ops, in their order.
        taken: tensors that have a place of their own already (see `mcugen.runtimes.aot.plan.state`).
    """
    states = {state.id for state in graph.states}
    fixed = {*graph.inputs, *graph.outputs, *states, *taken, *taken.values()}
    computed = {i for op, lowering in zip(graph.ops, lowerings, strict=True) if lowering.calls for i in op.outputs}
    renamed = {
        output: source
        for lowering in lowerings
        for output, source, offset in lowering.aliases
        if offset == 0 and graph.tensor(output).nbytes == graph.tensor(source).nbytes
    }
    places: dict[int, tuple[int, int]] = {}
    outputs: set[int] = set()
    for position, (op, lowering) in enumerate(zip(graph.ops, lowerings, strict=True)):
        found = _parts(graph, op, lowering, renamed)
        owners = {owner for owner, _ in places.values()}
        free = all(
            i in computed and i not in fixed and i not in places and i not in owners and offset % _ALIGNMENT == 0
            for i, offset in found.items()
        )
        # A state is no place for parts: it holds its old content, which may still be read (see `place_states`).
        if found and free and op.outputs[0] not in taken and op.outputs[0] not in states:
            places.update({i: (op.outputs[0], offset) for i, offset in found.items()})
            outputs.add(position)
    return Parts(places, frozenset(outputs))


def _parts(graph: Graph, op: Op, lowering: Lowering, renamed: Mapping[int, int]) -> dict[int, int]:
    """Tensor → offset in the output, where an op only puts whole tensors one after the other; else nothing.

    The tensors are those that were computed, whatever reshapes call them since.
    """
    offsets: dict[int, int] = {}
    end = 0
    for call in lowering.calls:
        if not _copies_whole(graph, call) or call.output_offset != end:
            return {}
        part = call.inputs[0]
        while part in renamed:
            part = renamed[part]
        if part in offsets:
            return {}
        offsets[part] = end
        end += graph.tensor(part).nbytes
    whole = len(op.outputs) == 1 and end == graph.tensor(op.outputs[0]).nbytes
    return offsets if whole else {}


def _copies_whole(graph: Graph, call: KernelCall) -> bool:
    """Whether a call copies one computed tensor, all of it and in its order."""
    if len(call.inputs) != 1 or call.input_offset:
        return False
    return whole_copy(call) == graph.tensor(call.inputs[0]).nbytes
