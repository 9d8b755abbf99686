"""LOGISTIC: fixed-point arithmetic of the reference, done at generation time into a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.numerics.tables import logistic_table
from mcugen.ops.base import OpSpec
from mcugen.ops.broadcasting import table_constraint, table_lowering
from mcugen.ops.checks import int8_in_and_out, not_empty, one_input, same_shape


def _table(source: Tensor, _output: Tensor) -> NDArray[np.uint8]:
    return logistic_table(source.scale, source.zero_point)


def _fixed_output(graph: Graph, op: Op) -> str | None:
    """The output's scale is 1/256 and its zero point −128, the only ones that the reference computes for."""
    output = graph.output_of(op)
    if (output.scale, output.zero_point) != (1.0 / 256.0, -128):
        return f"the output's scale is {output.scale:g} and its zero point {output.zero_point}"
    return None


SPEC = OpSpec(
    kind="LOGISTIC",
    lower=table_lowering(_table),
    constraints=(
        one_input,
        not_empty,
        int8_in_and_out,
        same_shape,
        _fixed_output,
        table_constraint(_table),
    ),
)
