"""RELU6 on its own. The reference clamps with the input's quantization and never looks at the output's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Tensor
from mcugen.numerics.tables import relu6_table
from mcugen.ops.base import OpSpec
from mcugen.ops.broadcasting import table_constraint, table_lowering
from mcugen.ops.checks import int8_in_and_out, keeps_quantization, not_empty, one_input, same_shape


def _table(source: Tensor, _output: Tensor) -> NDArray[np.uint8]:
    return relu6_table(source.scale, source.zero_point)


SPEC = OpSpec(
    kind="RELU6",
    lower=table_lowering(_table),
    constraints=(
        one_input,
        not_empty,
        int8_in_and_out,
        same_shape,
        keeps_quantization,
        table_constraint(_table),
    ),
)
