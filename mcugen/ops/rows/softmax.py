"""SOFTMAX over the last dimension, int8 to int8 or int16: a table of exponentials, the reciprocal on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.numerics.tables import softmax_exp_table
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, one_input, quantization_problem, same_shape
from mcugen.ops.variants import fastest

_MAX_DEPTH = 4095
_KERNELS = {DType.INT8: "mcg_softmax_s8", DType.INT16: "mcg_softmax_s8_s16"}


@dataclass(frozen=True)
class SoftmaxOptions:
    """`beta` multiplies the logits; a float32."""

    beta: float


def _parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> SoftmaxOptions:
    return SoftmaxOptions(0.0 if raw is None else float(raw.beta))


def _types(graph: Graph, op: Op) -> str | None:
    """The input is int8, the output int8 or int16, with one scale above zero and one zero point each."""
    return quantization_problem(graph.tensor(op.inputs[0])) or quantization_problem(graph.output_of(op), _KERNELS)


def _fixed_output(graph: Graph, op: Op) -> str | None:
    """The output's scale is 1/256 and its zero point −128 (int16: 1/65536 within a thousandth, −32768), as the
    reference computes it."""
    output = graph.output_of(op)
    steps, tolerance = (256, 0.0) if output.dtype is DType.INT8 else (65536, 0.001)
    if abs(output.scale * steps - 1.0) > tolerance or output.zero_point != -steps // 2:
        return f"the output's scale is {output.scale:g} and its zero point {output.zero_point}"
    return None


def row_length(graph: Graph, op: Op) -> str | None:
    """The last dimension is at most 4095, so that the reference's 32-bit sum cannot overflow."""
    shape = graph.tensor(op.inputs[0]).shape
    if not shape:
        return "the input is a scalar"
    return None if shape[-1] <= _MAX_DEPTH else f"the last dimension is {shape[-1]}"


def _slope(graph: Graph, op: Op) -> str | None:
    """beta times the input scale is above 2^-26."""
    try:
        softmax_exp_table(op.options.beta, graph.tensor(op.inputs[0]).scale)
    except OverflowError as error:
        return str(error)
    return None


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    source = graph.tensor(op.inputs[0])
    table = softmax_exp_table(op.options.beta, source.scale)
    depth = source.shape[-1]
    call = KernelCall(
        kernel=_KERNELS[graph.output_of(op).dtype],
        params=(("rows", source.elements // depth), ("depth", depth), ("entries", len(table))),
        inputs=op.inputs,
        constants=(Constant("exp", table, "exp(-beta * scale * distance to the maximum) in Q0.31"),),
        outputs=op.outputs,
        inplace=(0,),
    )
    return Lowering(calls=(fastest(target, call),))


SPEC = OpSpec(
    kind="SOFTMAX",
    lower=_lower,
    constraints=(one_input, not_empty, _types, same_shape, _fixed_output, row_length, _slope),
    parse=_parse,
)
