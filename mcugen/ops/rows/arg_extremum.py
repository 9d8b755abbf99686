"""ARG_MAX and ARG_MIN: the index of the first largest or smallest value along an axis, int32."""

from __future__ import annotations

import math

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops.base import KernelCall, Lowering, OpSpec, ParamValue, Target
from mcugen.ops.checks import not_empty, two_inputs
from mcugen.ops.movement import constant_integers, constant_values, shape_problem


def _types(graph: Graph, op: Op) -> str | None:
    """The input is int8, the output int32."""
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if (source.dtype, output.dtype) != (DType.INT8, DType.INT32):
        return f"the input is {source.dtype.value}, the output {output.dtype.value}"
    return None


def axis_exists(graph: Graph, op: Op) -> str | None:
    """The axis is one constant int32, and exists; the output has the input's other dimensions."""
    problem = constant_integers(graph, op, 1, "axis", 1)
    if problem:
        return problem
    shape = graph.tensor(op.inputs[0]).shape
    (axis,) = constant_values(graph, op, 1)
    if not -len(shape) <= axis < len(shape):
        return f"axis {axis} does not exist in {len(shape)} dimensions"
    axis %= len(shape)
    return shape_problem(graph.output_of(op), (*shape[:axis], *shape[axis + 1 :]))


def axis_params(graph: Graph, op: Op) -> tuple[tuple[str, ParamValue], ...]:
    """The parameters of the kernels."""
    shape = graph.tensor(op.inputs[0]).shape
    axis = constant_values(graph, op, 1)[0] % len(shape)
    return (
        ("outer", math.prod(shape[:axis])),
        ("size", shape[axis]),
        ("inner", math.prod(shape[axis + 1 :])),
        ("largest", int(op.kind == "ARG_MAX")),
    )


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    call = KernelCall(
        kernel="mcg_arg_extremum_s8",
        params=axis_params(graph, op),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
    )
    return Lowering((call,))


SPECS = tuple(
    OpSpec(kind=kind, lower=_lower, constraints=(two_inputs, not_empty, _types, axis_exists))
    for kind in ("ARG_MAX", "ARG_MIN")
)
