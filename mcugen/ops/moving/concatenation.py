"""CONCATENATION along any axis: one strided copy per input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, quantization_problem, same_quantization
from mcugen.ops.common import fused_activation_name
from mcugen.ops.movement import Loop, rows_moved

_MAX_INPUTS = 10
_TYPES = (DType.INT8, DType.INT16, DType.INT32, DType.FLOAT32, DType.BOOL)


@dataclass(frozen=True)
class ConcatenationOptions:
    """`axis` may be negative."""

    axis: int
    activation: str


def _parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> ConcatenationOptions:
    if raw is None:
        return ConcatenationOptions(0, "NONE")
    return ConcatenationOptions(int(raw.axis), fused_activation_name(raw.fusedActivationFunction))


def _operands(_graph: Graph, op: Op) -> str | None:
    """One to ten inputs, one output, no fused activation."""
    if not 1 <= len(op.inputs) <= _MAX_INPUTS or len(op.outputs) != 1 or min(op.inputs) < 0:
        return f"it has {sum(i >= 0 for i in op.inputs)} inputs and {len(op.outputs)} outputs"
    activation: str = op.options.activation
    return None if activation == "NONE" else f"the fused activation is {activation}"


def _one_type(graph: Graph, op: Op) -> str | None:
    """All tensors are int8, or all int16, int32, float32 or bool."""
    output = graph.output_of(op)
    if output.dtype not in _TYPES:
        return f"the output is {output.dtype.value}"
    for i in op.inputs:
        if graph.tensor(i).dtype is not output.dtype:
            return f'tensor "{graph.tensor(i).name}" is {graph.tensor(i).dtype.value}, the output {output.dtype.value}'
    return None


def _one_quantization(graph: Graph, op: Op) -> str | None:
    """All int8 and int16 tensors have the same scale and zero point: the reference copies and does not convert."""
    output = graph.output_of(op)
    if output.dtype not in (DType.INT8, DType.INT16):
        return None
    for i in (*op.outputs, *op.inputs):
        tensor = graph.tensor(i)
        problem = quantization_problem(tensor, (output.dtype,))
        if problem:
            return problem
        assert tensor.quant is not None
        assert output.quant is not None
        if not same_quantization(tensor.quant, output.quant):
            return f'tensor "{tensor.name}" is quantized differently from the output'
    return None


def _shapes(graph: Graph, op: Op) -> str | None:
    """All tensors have the same shape but along the axis, where the output's size is the sum of the inputs'."""
    output = graph.output_of(op).shape
    rank = len(output)
    if not -rank <= op.options.axis < rank:
        return f"axis {op.options.axis} does not exist in {rank} dimensions"
    axis = op.options.axis % rank
    shapes = [graph.tensor(i).shape for i in op.inputs]
    fits = all(len(s) == rank and all(s[d] == output[d] for d in range(rank) if d != axis) for s in shapes)
    if not fits or sum(s[axis] for s in shapes) != output[axis]:
        return f"shapes {', '.join(str(list(s)) for s in shapes)} do not make {list(output)} along axis {axis}"
    return None


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    output = graph.output_of(op)
    axis = op.options.axis % len(output.shape)
    rows = math.prod(output.shape[:axis])
    inner = math.prod(output.shape[axis + 1 :]) * output.dtype.itemsize
    calls: list[KernelCall] = []
    offset = 0
    for i in op.inputs:
        size = graph.tensor(i).shape[axis] * inner
        kernel, params = rows_moved([Loop(rows, size, output.shape[axis] * inner)], size)
        calls.append(KernelCall(kernel, params, inputs=(i,), outputs=(output.id,), output_offset=offset))
        offset += size
    return Lowering(calls=tuple(calls))


def _evaluate(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    arrays = [data for i in op.inputs if (data := graph.tensor(i).data) is not None]
    return (np.concatenate(arrays, axis=op.options.axis),)


SPEC = OpSpec(
    kind="CONCATENATION",
    lower=_lower,
    constraints=(_operands, not_empty, _one_type, _one_quantization, _shapes),
    parse=_parse,
    evaluate=_evaluate,
    types=("int8", "int16", "int32", "float32", "bool"),
)
