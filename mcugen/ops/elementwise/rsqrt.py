"""RSQRT: fixed-point arithmetic of the reference, done at generation time into a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.numerics.function_tables import rsqrt_table
from mcugen.ops.base import OpSpec
from mcugen.ops.broadcasting import table_constraint, table_lowering
from mcugen.ops.checks import int8_in_and_out, not_empty, one_input, same_shape


def _table(source: Tensor, output: Tensor) -> NDArray[np.uint8]:
    return rsqrt_table((source.scale, output.scale), (source.zero_point, output.zero_point))


def _never_negative(graph: Graph, op: Op) -> str | None:
    """The input's zero point is −128, so that no input is negative: the reference stops at negative ones."""
    zero_point = graph.tensor(op.inputs[0]).zero_point
    return None if zero_point == -128 else f"the input's zero point is {zero_point}"


SPEC = OpSpec(
    kind="RSQRT",
    lower=table_lowering(_table),
    constraints=(one_input, not_empty, int8_in_and_out, same_shape, _never_negative, table_constraint(_table)),
)
