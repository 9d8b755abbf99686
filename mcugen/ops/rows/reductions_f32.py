"""MEAN, SUM, REDUCE_MAX, REDUCE_MIN, ARG_MAX and ARG_MIN of float32."""

from __future__ import annotations

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops import float32
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, two_inputs
from mcugen.ops.rows import arg_extremum, mean


def _lower_sum(graph: Graph, op: Op, _target: Target) -> Lowering:
    divisor = float(mean.reduced_count(graph, op)) if op.kind == "MEAN" else 1.0
    call = KernelCall(
        kernel="mcg_mean_f32",
        params=(*mean.loop_params(graph, op), ("divisor", divisor)),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
    )
    return Lowering((call,))


def _lower_extremum(graph: Graph, op: Op, _target: Target) -> Lowering:
    call = KernelCall(
        kernel="mcg_reduce_extremum_f32",
        params=(*mean.loop_params(graph, op), ("largest", int(op.kind == "REDUCE_MAX"))),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
    )
    return Lowering((call,))


def _arg_types(graph: Graph, op: Op) -> str | None:
    """The input is float32, the output int32."""
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if (source.dtype, output.dtype) != (DType.FLOAT32, DType.INT32):
        return f"the input is {source.dtype.value}, the output {output.dtype.value}"
    return None


def _lower_arg(graph: Graph, op: Op, _target: Target) -> Lowering:
    call = KernelCall(
        kernel="mcg_arg_extremum_f32",
        params=arg_extremum.axis_params(graph, op),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
    )
    return Lowering((call,))


_CONSTRAINTS = (two_inputs, not_empty, float32.in_and_out, *mean.AXES)
_ARG_CONSTRAINTS = (two_inputs, not_empty, _arg_types, arg_extremum.axis_exists)

SPECS = (
    OpSpec(kind="MEAN", lower=_lower_sum, constraints=_CONSTRAINTS, types=float32.TYPES),
    OpSpec(kind="SUM", lower=_lower_sum, constraints=_CONSTRAINTS, types=float32.TYPES),
    OpSpec(kind="REDUCE_MAX", lower=_lower_extremum, constraints=_CONSTRAINTS, types=float32.TYPES),
    OpSpec(kind="REDUCE_MIN", lower=_lower_extremum, constraints=_CONSTRAINTS, types=float32.TYPES),
    OpSpec(kind="ARG_MAX", lower=_lower_arg, constraints=_ARG_CONSTRAINTS, types=float32.TYPES),
    OpSpec(kind="ARG_MIN", lower=_lower_arg, constraints=_ARG_CONSTRAINTS, types=float32.TYPES),
)
