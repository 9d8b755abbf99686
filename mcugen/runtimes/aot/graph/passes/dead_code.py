"""Dead ops and tensors: what no model output depends on."""

from __future__ import annotations

from mcugen.graph.types import Graph


def remove_dead_code(graph: Graph) -> Graph:
    """Drop ops whose results nobody reads, and tensors that no op and no model input or output names.

    Whatever is assigned to a state may be read in the next inference.
    """
    needed = {*graph.outputs, *(state.id for state in graph.states)}
    kept = []
    for op in reversed(graph.ops):
        if needed.isdisjoint(op.outputs):
            continue
        needed.update(op.inputs)
        kept.append(op)
    ops = tuple(reversed(kept))
    named = {i for op in ops for i in (*op.inputs, *op.outputs)} | set(graph.inputs) | set(graph.outputs)
    return graph.with_(ops=ops, tensors={i: t for i, t in graph.tensors.items() if i in named})
