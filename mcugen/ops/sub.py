"""SUB: the kernel of ADD, with factors that the reference computes in float32."""

from __future__ import annotations

import numpy as np

from mcugen.graph.types import Graph, Op
from mcugen.ops import elementwise
from mcugen.ops.add import LEFT_SHIFT, lower_sum, output_factor_problem
from mcugen.ops.base import Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, two_inputs


def _scales(graph: Graph, op: Op) -> tuple[float, float, float]:
    """Factors of the two operands and of their difference, in float32 (TFLM `CalculateOpDataSub`)."""
    scale1, scale2 = (np.float32(graph.tensor(i).scale) for i in op.inputs)
    with np.errstate(all="ignore"):
        twice_largest = np.float32(2.0) * max(scale1, scale2)
        output = twice_largest / (np.float32(1 << LEFT_SHIFT) * np.float32(graph.output_of(op).scale))
        return float(scale1 / twice_largest), float(scale2 / twice_largest), float(output)


def _scales_in_range(graph: Graph, op: Op) -> str | None:
    """The output's scale is larger than the larger input scale divided by 2^19, and no ratio of scales underflows."""
    factor1, factor2, output = _scales(graph, op)
    if not (0.0 < factor1 < 1.0 and 0.0 < factor2 < 1.0):
        return "the ratio of the input scales is outside the range of float32"
    return output_factor_problem(output)


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    return lower_sum(graph, op, _scales(graph, op), subtract=True)


SPEC = OpSpec(
    kind="SUB",
    lower=_lower,
    constraints=(
        two_inputs,
        not_empty,
        elementwise.int8_operands,
        elementwise.known_activation,
        elementwise.broadcastable,
        _scales_in_range,
    ),
    parse=elementwise.parse_arithmetic,
)
