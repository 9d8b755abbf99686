"""Constraints that several operators share. Each returns None, or what is wrong in one clause."""

from __future__ import annotations

from collections.abc import Collection

from mcugen.graph.types import DType, Graph, Op, Quantization, Tensor


def quantization_problem(tensor: Tensor, dtypes: Collection[DType] = (DType.INT8,)) -> str | None:
    """What keeps a tensor from being one of `dtypes` with one scale above zero and one zero point."""
    if tensor.dtype not in dtypes:
        wanted = " or ".join(t.value for t in dtypes)
        return f'tensor "{tensor.name}" is {tensor.dtype.value}, not {wanted}'
    if tensor.quant is None:
        return f'tensor "{tensor.name}" has no quantization'
    if tensor.quant.per_channel:
        return f'tensor "{tensor.name}" is quantized per channel'
    if not tensor.scale > 0.0:
        return f'tensor "{tensor.name}" has a scale of zero'
    return None


def same_quantization(a: Quantization, b: Quantization) -> bool:
    """Equal scales and zero points (the axis means nothing per tensor)."""
    return a.scale == b.scale and a.zero_point == b.zero_point


def _count_problem(op: Op, inputs: int) -> str | None:
    if len(op.inputs) != inputs or len(op.outputs) != 1:
        return f"it has {len(op.inputs)} inputs and {len(op.outputs)} outputs, not {inputs} and 1"
    if min(op.inputs) < 0:
        return "one of its inputs is absent"
    return None


def one_input(_graph: Graph, op: Op) -> str | None:
    """One input and one output."""
    return _count_problem(op, 1)


def two_inputs(_graph: Graph, op: Op) -> str | None:
    """Two inputs and one output."""
    return _count_problem(op, 2)


def not_empty(graph: Graph, op: Op) -> str | None:
    """No tensor is empty."""
    for i in (*op.inputs, *op.outputs):
        if i >= 0 and graph.tensor(i).elements == 0:
            return f'tensor "{graph.tensor(i).name}" has no elements'
    return None


def int8_in_and_out(graph: Graph, op: Op) -> str | None:
    """The first input and the output are int8, with one scale above zero and one zero point each."""
    return quantization_problem(graph.tensor(op.inputs[0])) or quantization_problem(graph.output_of(op))


def same_shape(graph: Graph, op: Op) -> str | None:
    """Input and output have the same shape."""
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if source.shape != output.shape:
        return f"the input's shape is {list(source.shape)}, the output's {list(output.shape)}"
    return None


def same_type(graph: Graph, op: Op) -> str | None:
    """The first input and the output have the same type."""
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if source.dtype is not output.dtype:
        return f"the input is {source.dtype.value}, the output {output.dtype.value}"
    return None


def keeps_quantization(graph: Graph, op: Op) -> str | None:
    """The first input and the output have the same scale and zero point: the reference moves the values as they are."""
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if source.quant is None or output.quant is None:
        return None
    if not same_quantization(source.quant, output.quant):
        return "input and output are quantized differently, and the reference kernel does not convert"
    return None


def constant_int32(graph: Graph, op: Op, position: int, what: str) -> str | None:
    """What keeps the input at `position` from being a constant int32 tensor. Not a constraint of its own."""
    tensor = graph.input_of(op, position)
    if tensor is None:
        return f"the {what} are absent"
    if tensor.dtype is not DType.INT32:
        return f"the {what} are {tensor.dtype.value}, not int32"
    if tensor.data is None:
        return f"the {what} are computed by the model, not constant"
    return None
