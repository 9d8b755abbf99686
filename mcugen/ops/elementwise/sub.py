"""SUB: the kernel of ADD, subtracting.

Older TFLM sources compute the factors in float32 (`CalculateOpDataSub`), the oracle in double like those of ADD,
as its outputs at ties show.
"""

from __future__ import annotations

from mcugen.graph.types import Graph, Op
from mcugen.ops import broadcasting
from mcugen.ops.base import Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, two_inputs
from mcugen.ops.elementwise.add import lower_sum, output_scale_in_range
from mcugen.ops.with_weights import known_activation


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    return lower_sum(graph, op, target, subtract=True)


SPEC = OpSpec(
    kind="SUB",
    lower=_lower,
    constraints=(
        two_inputs,
        not_empty,
        broadcasting.int8_operands,
        known_activation,
        broadcasting.broadcastable,
        output_scale_in_range,
    ),
    parse=broadcasting.parse_arithmetic,
)
