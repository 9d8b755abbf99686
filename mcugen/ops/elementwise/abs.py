"""ABS: the magnitude, requantized, as a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Tensor
from mcugen.numerics.function_tables import abs_table
from mcugen.ops.base import OpSpec
from mcugen.ops.broadcasting import table_constraint, table_lowering
from mcugen.ops.checks import int8_in_and_out, not_empty, one_input, same_shape


def _table(source: Tensor, output: Tensor) -> NDArray[np.uint8]:
    return abs_table((source.scale, output.scale), (source.zero_point, output.zero_point))


SPEC = OpSpec(
    kind="ABS",
    lower=table_lowering(_table),
    constraints=(one_input, not_empty, int8_in_and_out, same_shape, table_constraint(_table)),
)
