"""Constant folding: an op whose inputs are all constants becomes a constant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen import ops
from mcugen.graph.types import Graph, Op


def fold_constants(graph: Graph) -> Graph:
    """Evaluate constant subgraphs on the host.

    Only ops with an exact `evaluate` are folded, and never one that writes a model output (outputs live in the
    arena).
    """
    tensors = dict(graph.tensors)
    kept = []
    for op in graph.ops:
        current = graph.with_(tensors=tensors)
        evaluate = _evaluation(current, op)
        if evaluate is None:
            kept.append(op)
            continue
        for i, computed in zip(op.outputs, evaluate(current, op), strict=True):
            values = np.asarray(computed)  # of scalars, NumPy makes no arrays
            if values.shape != tensors[i].shape or values.dtype != tensors[i].dtype.numpy:
                raise AssertionError(f"{op.where}: evaluate gave {values.dtype}{list(values.shape)}")
            values.flags.writeable = False
            tensors[i] = replace(tensors[i], data=values)
    return graph.with_(ops=tuple(kept), tensors=tensors)


def _evaluation(graph: Graph, op: Op) -> Callable[[Graph, Op], tuple[NDArray[Any], ...]] | None:
    """How to compute what an op gives; None if it cannot be computed here, or must not."""
    spec = ops.spec_of(graph, op)
    if spec is None or not op.inputs or not set(op.outputs).isdisjoint(graph.outputs):
        return None
    if spec.reads_values and not all(i < 0 or graph.tensor(i).is_const for i in op.inputs):
        return None
    if any(constraint(graph, op) for constraint in spec.constraints):
        return None
    return spec.evaluate
