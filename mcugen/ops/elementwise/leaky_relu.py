"""LEAKY_RELU: two slopes, as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.numerics.function_tables import leaky_relu_table
from mcugen.ops.base import Lowering, OpSpec, Target
from mcugen.ops.broadcasting import lut_call
from mcugen.ops.checks import int8_in_and_out, not_empty, one_input, same_shape


@dataclass(frozen=True)
class LeakyReluOptions:
    """`alpha` is the slope for negative inputs; a float32."""

    alpha: float


def _parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> LeakyReluOptions:
    return LeakyReluOptions(0.0 if raw is None else float(raw.alpha))


def _table(graph: Graph, op: Op) -> NDArray[np.uint8]:
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    zero_points = (source.zero_point, output.zero_point)
    return leaky_relu_table(op.options.alpha, (source.scale, output.scale), zero_points)


def _scales_in_range(graph: Graph, op: Op) -> str | None:
    """The scales and alpha are such that the reference's 32-bit arithmetic does not overflow."""
    if not math.isfinite(op.options.alpha):
        return f"alpha is {op.options.alpha}"
    try:
        _table(graph, op)
    except OverflowError as error:
        return f"the scales are out of range: {error}"
    return None


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    return Lowering((lut_call(graph, op, _table(graph, op)),))


SPEC = OpSpec(
    kind="LEAKY_RELU",
    lower=_lower,
    constraints=(one_input, not_empty, int8_in_and_out, same_shape, _scales_in_range),
    parse=_parse,
)
