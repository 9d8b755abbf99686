"""Float32 operators of one operand, element by element."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Graph, Op
from mcugen.ops import float32
from mcugen.ops.base import Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, one_input, same_shape
from mcugen.ops.elementwise import leaky_relu

_CONSTRAINTS = (one_input, not_empty, float32.in_and_out, same_shape)

_KERNELS = {
    "ABS": "mcg_abs_f32",
    "CEIL": "mcg_ceil_f32",
    "COS": "mcg_cos_f32",
    "ELU": "mcg_elu_f32",
    "EXP": "mcg_exp_f32",
    "FLOOR": "mcg_floor_f32",
    "HARD_SWISH": "mcg_hard_swish_f32",
    "LOG": "mcg_log_f32",
    "LOGISTIC": "mcg_logistic_f32",
    "NEG": "mcg_neg_f32",
    "RELU": "mcg_relu_f32",
    "RELU6": "mcg_relu6_f32",
    "ROUND": "mcg_round_f32",
    "RSQRT": "mcg_rsqrt_f32",
    "SIN": "mcg_sin_f32",
    "SQRT": "mcg_sqrt_f32",
    "SQUARE": "mcg_square_f32",
    "TANH": "mcg_tanh_f32",
}

_EXACT: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "ABS": np.abs,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "NEG": np.negative,
    "RSQRT": lambda x: np.float32(1.0) / np.sqrt(x),
    "SQRT": np.sqrt,
    "SQUARE": np.square,
}
"""What IEEE arithmetic rounds correctly, so that it may be computed here."""


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    return float32.lower_unary(graph, op, _KERNELS[op.kind])


def _evaluate(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    data = graph.tensor(op.inputs[0]).data
    assert data is not None
    with np.errstate(all="ignore"):  # infinities and NaN are results like others
        return (_EXACT[op.kind](data).astype(np.float32),)


def _lower_leaky(graph: Graph, op: Op, _target: Target) -> Lowering:
    return float32.lower_unary(graph, op, "mcg_leaky_relu_f32", (("alpha", op.options.alpha),))


_PLAIN = tuple(
    OpSpec(
        kind=kind,
        lower=_lower,
        constraints=_CONSTRAINTS,
        evaluate=_evaluate if kind in _EXACT else None,
        types=float32.TYPES,
    )
    for kind in _KERNELS
)
SPECS = (
    *_PLAIN,
    replace(leaky_relu.SPEC, lower=_lower_leaky, constraints=(*_CONSTRAINTS,), types=float32.TYPES),
)
