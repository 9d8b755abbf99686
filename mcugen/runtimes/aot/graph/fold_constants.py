"""Constant folding: an op whose inputs are all constants becomes a constant."""

from __future__ import annotations

from dataclasses import replace

from mcugen import ops
from mcugen.graph.types import Graph


def fold_constants(graph: Graph) -> Graph:
    """Evaluate constant subgraphs on the host.

    Only ops with an exact `evaluate` are folded, and never one that writes a model output (outputs live in the
    arena).
    """
    tensors = dict(graph.tensors)
    kept = []
    for op in graph.ops:
        spec = ops.spec_of(graph, op)
        foldable = (
            spec is not None
            and spec.evaluate is not None
            and op.inputs
            and (not spec.reads_values or all(i < 0 or tensors[i].is_const for i in op.inputs))
            and not set(op.outputs) & set(graph.outputs)
        )
        current = graph.with_(tensors=tensors)
        if not foldable or spec is None or spec.evaluate is None or any(c(current, op) for c in spec.constraints):
            kept.append(op)
            continue
        for i, values in zip(op.outputs, spec.evaluate(current, op), strict=True):
            if values.shape != tensors[i].shape or values.dtype != tensors[i].dtype.numpy:
                raise AssertionError(f"{op.where}: evaluate gave {values.dtype}{list(values.shape)}")
            values.flags.writeable = False
            tensors[i] = replace(tensors[i], data=values)
    return graph.with_(ops=tuple(kept), tensors=tensors)
