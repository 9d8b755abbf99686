"""CUMSUM, float32: running sums along one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops import float32
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, same_shape, two_inputs
from mcugen.ops.movement import constant_integers, constant_values


@dataclass(frozen=True)
class CumsumOptions:
    """`exclusive` leaves the element itself out of its sum; `reverse` starts from the end."""

    exclusive: bool
    reverse: bool


def _parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> CumsumOptions:
    return CumsumOptions(False, False) if raw is None else CumsumOptions(bool(raw.exclusive), bool(raw.reverse))


def axis_exists(graph: Graph, op: Op) -> str | None:
    """The axis is one constant int32, and exists."""
    problem = constant_integers(graph, op, 1, "axis", 1)
    if problem:
        return problem
    (axis,) = constant_values(graph, op, 1)
    rank = len(graph.tensor(op.inputs[0]).shape)
    return None if -rank <= axis < rank else f"axis {axis} does not exist in {rank} dimensions"


def axis_params(graph: Graph, op: Op) -> tuple[tuple[str, int], ...]:
    """The parameters of mcg_cumsum_f32, with which those of other types begin."""
    shape = graph.tensor(op.inputs[0]).shape
    axis = constant_values(graph, op, 1)[0] % len(shape)
    return (
        ("outer", math.prod(shape[:axis])),
        ("size", shape[axis]),
        ("inner", math.prod(shape[axis + 1 :])),
        ("exclusive", int(op.options.exclusive)),
        ("reverse", int(op.options.reverse)),
    )


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    call = KernelCall(
        kernel="mcg_cumsum_f32",
        params=axis_params(graph, op),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
        inplace=(0,),
    )
    return Lowering((call,))


SPEC = OpSpec(
    kind="CUMSUM",
    lower=_lower,
    constraints=(two_inputs, not_empty, float32.in_and_out, same_shape, axis_exists),
    parse=_parse,
    types=float32.TYPES,
)
