"""Indices that a model computes from an input: Keras counts negative ones from the end before it picks rows.

Their values are known by computing them for every number that the input may be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op

MOST_VALUES = 1 << 16
"""Of an input, from 0 on, that are looked at."""

Values = NDArray[np.int64]
_COMPUTED: Mapping[str, Callable[..., Values]] = {
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "LESS": np.less,
    "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal,
    "CAST": np.copy,
    "SELECT": np.where,
    "SELECT_V2": np.where,
}
_TYPES = (DType.INT32, DType.BOOL)


def derived(graph: Graph, tensor_id: int) -> dict[int, Values]:
    """What the tensors that depend on an int32 tensor alone, value by value, are where that is 0, 1, 2, ….

    Args:
        tensor_id: of that tensor, which is among the result.
    """
    if graph.tensor(tensor_id).dtype is not DType.INT32:
        return {}
    known: dict[int, Values] = {tensor_id: np.arange(MOST_VALUES, dtype=np.int64)}
    for op in graph.ops:
        values = [_value(graph, i, known) for i in op.inputs]
        if op.kind not in _COMPUTED or not any(i in known for i in op.inputs) or any(v is None for v in values):
            continue
        if graph.output_of(op).dtype in _TYPES and not _fuses(op):
            known[op.outputs[0]] = np.asarray(_COMPUTED[op.kind](*values), np.int64)
    return known


def _value(graph: Graph, tensor_id: int, known: Mapping[int, Values]) -> Values | None:
    """Of a tensor that is derived, or one constant number; None of another."""
    if tensor_id in known:
        return known[tensor_id]
    data = graph.tensor(tensor_id).data if tensor_id >= 0 else None
    if data is None or data.size == 0 or data.min() != data.max() or graph.tensor(tensor_id).dtype not in _TYPES:
        return None
    return np.asarray(data.reshape(-1)[0], np.int64)


def _fuses(op: Op) -> bool:
    """Whether an activation would change the result."""
    return getattr(op.options, "activation", "NONE") not in ("NONE", None)
