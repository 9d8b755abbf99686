"""Float32 operators of two operands, element by element, with broadcasting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Graph, Op
from mcugen.ops import broadcasting, float32
from mcugen.ops.base import Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, two_inputs

_CLAMPED = {
    "ADD": "mcg_add_f32",
    "DIV": "mcg_div_f32",
    "MUL": "mcg_mul_f32",
    "SUB": "mcg_sub_f32",
}
"""Operators with a fused activation."""

_PLAIN = {
    "FLOOR_DIV": "mcg_floor_div_f32",
    "FLOOR_MOD": "mcg_floor_mod_f32",
    "MAXIMUM": "mcg_maximum_f32",
    "MINIMUM": "mcg_minimum_f32",
    "PRELU": "mcg_prelu_f32",
    "SQUARED_DIFFERENCE": "mcg_squared_difference_f32",
}

_EXACT: dict[str, Callable[[Any, Any], Any]] = {
    "ADD": np.add,
    "DIV": np.divide,
    "MUL": np.multiply,
    "SUB": np.subtract,
}
"""What IEEE arithmetic rounds correctly, so that it may be computed here."""

_CONSTRAINTS = (two_inputs, not_empty, float32.all_float, broadcasting.broadcastable)


def _lower_clamped(graph: Graph, op: Op, _target: Target) -> Lowering:
    return float32.lower_binary(graph, op, _CLAMPED[op.kind], float32.clamp_params(op.options.activation, ""))


def _lower_plain(graph: Graph, op: Op, _target: Target) -> Lowering:
    return float32.lower_binary(graph, op, _PLAIN[op.kind])


def _evaluate(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    first, second = (graph.tensor(i).data for i in op.inputs)
    low, high = map(np.float32, float32.activation_limits(op.options.activation))
    with np.errstate(all="ignore"):  # infinities and NaN are results like others
        values = np.clip(_EXACT[op.kind](first, second), low, high)
    return (values.astype(np.float32).reshape(graph.output_of(op).shape),)


SPECS = (
    *(
        OpSpec(
            kind=kind,
            lower=_lower_clamped,
            constraints=(*_CONSTRAINTS, float32.known_activation),
            parse=broadcasting.parse_arithmetic,
            evaluate=_evaluate,
            types=float32.TYPES,
        )
        for kind in _CLAMPED
    ),
    *(
        OpSpec(
            kind=kind,
            lower=_lower_plain,
            constraints=(*_CONSTRAINTS, float32.most_dimensions(4)) if kind == "PRELU" else _CONSTRAINTS,
            types=float32.TYPES,
        )
        for kind in _PLAIN
    ),
)
