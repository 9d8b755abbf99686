"""LOGICAL_NOT: a table of 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops.base import Lowering, OpSpec, Target
from mcugen.ops.broadcasting import lut_call
from mcugen.ops.checks import not_empty, one_input, same_shape


def _bool(graph: Graph, op: Op) -> str | None:
    """Input and output are bool."""
    for i in (*op.inputs, *op.outputs):
        if graph.tensor(i).dtype is not DType.BOOL:
            return f'tensor "{graph.tensor(i).name}" is {graph.tensor(i).dtype.value}, not bool'
    return None


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    return Lowering((lut_call(graph, op, (np.arange(256) == 0).astype(np.uint8)),))


def _evaluate(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    data = graph.tensor(op.inputs[0]).data
    assert data is not None
    return (~data,)


SPEC = OpSpec(
    kind="LOGICAL_NOT",
    lower=_lower,
    constraints=(one_input, _bool, not_empty, same_shape),
    evaluate=_evaluate,
    types=("bool",),
)
