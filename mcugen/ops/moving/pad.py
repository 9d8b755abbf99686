"""PAD and PADV2: fill the output, then copy the input into it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Graph, Op
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import (
    constant_int32,
    int8_in_and_out,
    keeps_quantization,
    not_empty,
    quantization_problem,
    same_quantization,
)
from mcugen.ops.movement import Loop, rows_moved

_MAX_RANK = 5


def operands(_graph: Graph, op: Op) -> str | None:
    """An input, paddings, for PADV2 a value (which PAD may have too), and one output."""
    if len(op.inputs) not in (2, 3) or len(op.outputs) != 1 or min(op.inputs) < 0:
        return f"it has {sum(i >= 0 for i in op.inputs)} inputs and {len(op.outputs)} outputs"
    return None


def rank_fits(graph: Graph, op: Op) -> str | None:
    """The input has at most 5 dimensions."""
    rank = len(graph.tensor(op.inputs[0]).shape)
    return None if rank <= _MAX_RANK else f"the input has {rank} dimensions"


def paddings_fit(graph: Graph, op: Op) -> str | None:
    """The paddings are constant int32, none is negative, and they lead from the input's to the output's shape."""
    problem = constant_int32(graph, op, 1, "paddings")
    if problem:
        return problem
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if graph.tensor(op.inputs[1]).elements != 2 * len(source.shape):
        return f"there are {graph.tensor(op.inputs[1]).elements} paddings for {len(source.shape)} dimensions"
    pairs = pairs_of(graph, op)
    if any(value < 0 for pair in pairs for value in pair):
        return "a padding is negative"
    padded = tuple(size + sum(pair) for size, pair in zip(source.shape, pairs, strict=True))
    if padded != output.shape:
        return f"the output's shape is {list(output.shape)} where {list(padded)} is expected"
    return None


def _value(graph: Graph, op: Op) -> str | None:
    """The value to pad with, if given, is one constant with the output's type, scale and zero point."""
    value = graph.input_of(op, 2)
    if value is None:
        return None
    if value.data is None or value.elements != 1:
        return "the value to pad with is not one constant"
    problem = quantization_problem(value)
    if problem:
        return problem
    output = graph.output_of(op)
    assert value.quant is not None
    assert output.quant is not None
    if not same_quantization(value.quant, output.quant):
        return "the value to pad with and the output are quantized differently"
    return None


def pairs_of(graph: Graph, op: Op) -> list[tuple[int, int]]:
    data = graph.tensor(op.inputs[1]).data
    assert data is not None
    return [(int(before), int(after)) for before, after in data.reshape(-1, 2)]


def _pad_value(graph: Graph, op: Op) -> int:
    value = graph.input_of(op, 2)
    if value is None:
        return graph.output_of(op).zero_point
    assert value.data is not None
    return int(value.data.reshape(-1)[0])


@dataclass(frozen=True)
class _Axis:
    """Elements of the input along an axis (or several joined ones), and what is added on both sides."""

    size: int
    before: int
    after: int

    @property
    def padded(self) -> int:
        return self.before + self.size + self.after


def _joined_axes(shape: tuple[int, ...], pairs: list[tuple[int, int]]) -> list[_Axis]:
    """The axes, outermost first. An axis whose inner neighbour is not padded is one with it."""
    axes = [_Axis(1, 0, 0)]  # innermost first
    for size, (before, after) in zip(reversed(shape), reversed(pairs), strict=True):
        inner = axes[-1]
        if inner.before == inner.after == 0:
            axes[-1] = _Axis(size * inner.size, before * inner.size, after * inner.size)
        else:
            axes.append(_Axis(size, before, after))
    return axes[::-1]


def copy_inside(graph: Graph, op: Op) -> KernelCall:
    """The call that copies the input to its place in the output, for elements of any size."""
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    size = source.dtype.itemsize
    *outer, row = _joined_axes(source.shape, pairs_of(graph, op))
    input_strides, output_strides = [row.size], [row.padded]
    for axis in reversed(outer):
        input_strides.insert(0, input_strides[0] * axis.size)
        output_strides.insert(0, output_strides[0] * axis.padded)
    start = sum(a.before * s for a, s in zip(outer, output_strides[1:], strict=True)) + row.before
    strides = zip(outer, input_strides[1:], output_strides[1:], strict=True)
    kernel, params = rows_moved([Loop(axis.size, size * i, size * o) for axis, i, o in strides], size * row.size)
    return KernelCall(
        kernel=kernel,
        params=params,
        inputs=(source.id,),
        outputs=(output.id,),
        output_offset=size * start,
    )


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    copy = copy_inside(graph, op)
    if source.elements == output.elements:
        return Lowering(calls=(copy,))
    around = KernelCall(
        kernel="mcg_fill_s8",
        params=(("count", output.elements), ("value", _pad_value(graph, op))),
        inputs=(),
        outputs=(output.id,),
    )
    return Lowering(calls=(around, copy))


def _evaluate(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    data = graph.tensor(op.inputs[0]).data
    assert data is not None
    return (np.pad(data, pairs_of(graph, op), constant_values=np.int8(_pad_value(graph, op))),)


PAD = OpSpec(
    kind="PAD",
    lower=_lower,
    constraints=(operands, not_empty, int8_in_and_out, keeps_quantization, rank_fits, paddings_fit, _value),
    evaluate=_evaluate,
)
SPECS = (PAD, replace(PAD, kind="PADV2"))
