"""Room in the arena for the scratch of a front end, which works between two inferences.

Then only the input is alive, which rows may fill bit by bit, and what the model keeps. Outputs are read before.
"""

from __future__ import annotations

from dataclasses import replace

from mcugen.runtimes.aot.plan.types import FRONT_ALIGNMENT, FrontRoom, Plan


def with_front_room(plan: Plan, size: int) -> Plan | None:
    """The plan with `size` bytes for a front end, at the lowest address that is free; None where there is none.

    The arena does not grow: an arena with less room is better left as it is.
    """
    if plan.memories:
        return None  # a block would have to keep to one of several arenas
    graph = plan.graph
    tensors = [*map(graph.tensor, graph.inputs), *graph.states]
    taken = sorted((plan.addresses[t.id], plan.addresses[t.id] + t.nbytes) for t in tensors if t.id in plan.addresses)
    at = 0
    for begin, end in taken:
        if at + size <= begin:
            break
        at = max(at, -(-end // FRONT_ALIGNMENT) * FRONT_ALIGNMENT)
    return replace(plan, front=FrontRoom(at, size)) if at + size <= plan.arena_bytes else None
