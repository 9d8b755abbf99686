"""PAD and PADV2 of int16 activations and of plain int32 numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops import symmetric
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import keeps_quantization, not_empty, same_type
from mcugen.ops.movement import Loop, copy_call
from mcugen.ops.moving import pad


def _plain_or_symmetric(graph: Graph, op: Op) -> str | None:
    """Input and output are int16 with zero point 0 and one scale above zero each, or int32 without quantization."""
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if source.dtype is not DType.INT32:
        return symmetric.in_and_out(graph, op)
    if source.quant is not None or output.quant is not None:
        return "an int32 tensor is quantized, and the reference pads with the bare number 0"
    return None


def _value(graph: Graph, op: Op) -> str | None:
    """The value to pad with, if given, is one constant of the output's type, scale and zero point."""
    value, output = graph.input_of(op, 2), graph.output_of(op)
    if value is None:
        return None
    if value.data is None or value.elements != 1 or value.dtype is not output.dtype:
        return f"the value to pad with is not one constant {output.dtype.value}"
    if value.quant is not None and value.quant != output.quant:
        return "the value to pad with and the output are quantized differently"
    return None


def _pad_value(graph: Graph, op: Op) -> NDArray[Any]:
    value = graph.input_of(op, 2)
    if value is None:
        return np.zeros(1, graph.output_of(op).dtype.numpy)
    assert value.data is not None
    return value.data.reshape(1)


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    output, value = graph.output_of(op), _pad_value(graph, op)
    if value[0] == 0:
        around = KernelCall(
            kernel="mcg_fill_s8",
            params=(("count", output.nbytes), ("value", 0)),
            inputs=(),
            outputs=(output.id,),
        )
    else:
        around = copy_call(Constant("value", value), output, (Loop(output.elements, 0, 1),))
    return Lowering((around, pad.copy_inside(graph, op)))


def _evaluate(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    data = graph.tensor(op.inputs[0]).data
    assert data is not None
    return (np.pad(data, pad.pairs_of(graph, op), constant_values=_pad_value(graph, op)[0]),)


PAD = OpSpec(
    kind="PAD",
    lower=_lower,
    constraints=(
        pad.operands,
        not_empty,
        same_type,
        _plain_or_symmetric,
        keeps_quantization,
        pad.rank_fits,
        pad.paddings_fit,
        _value,
    ),
    evaluate=_evaluate,
    types=("int16", "int32"),
)
SPECS = (PAD, replace(PAD, kind="PADV2"))
