"""PAD and PADV2, float32."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops import float32
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty
from mcugen.ops.moving import pad


def _value(graph: Graph, op: Op) -> str | None:
    """The value to pad with, if given, is one constant float32."""
    value = graph.input_of(op, 2)
    if value is None or (value.dtype is DType.FLOAT32 and value.data is not None and value.elements == 1):
        return None
    return "the value to pad with is not one constant float32"


def _pad_value(graph: Graph, op: Op) -> float:
    value = graph.input_of(op, 2)
    if value is None:
        return 0.0
    assert value.data is not None
    return float(value.data.reshape(-1)[0])


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    output = graph.output_of(op)
    around = KernelCall(
        kernel="mcg_fill_f32",
        params=(("count", output.elements), ("value", _pad_value(graph, op))),
        inputs=(),
        outputs=(output.id,),
    )
    return Lowering((around, pad.copy_inside(graph, op)))


def _evaluate(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    data = graph.tensor(op.inputs[0]).data
    assert data is not None
    return (np.pad(data, pad.pairs_of(graph, op), constant_values=np.float32(_pad_value(graph, op))),)


PAD = OpSpec(
    kind="PAD",
    lower=_lower,
    constraints=(pad.operands, not_empty, float32.in_and_out, pad.rank_fits, pad.paddings_fit, _value),
    evaluate=_evaluate,
    types=float32.TYPES,
)
SPECS = (PAD, replace(PAD, kind="PADV2"))
