"""ADD, SUB, MUL, DIV, MAXIMUM, MINIMUM and SQUARED_DIFFERENCE of int32 numbers as they are: indices and shapes.

Sums, differences and products are modulo 2^32, as the reference's come out on every processor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op
from mcugen.numerics.quantized import INT32_MAX, INT32_MIN
from mcugen.ops import broadcasting
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target, no_options
from mcugen.ops.checks import not_empty, two_inputs

_OPERATIONS = {"ADD": 0, "SUB": 1, "MUL": 2, "DIV": 3, "MAXIMUM": 4, "MINIMUM": 5, "SQUARED_DIFFERENCE": 6}
"""As mcg_arithmetic_s32.h numbers them."""

_LIMITS = {
    "NONE": (INT32_MIN, INT32_MAX),
    "RELU": (0, INT32_MAX),
    "RELU6": (0, 6),
    "RELU_N1_TO_1": (-1, 1),
}

_WITH_ACTIVATION = ("SUB", "MUL", "DIV")


def _plain_numbers(graph: Graph, op: Op) -> str | None:
    """Both inputs and the output are int32, without quantization."""
    for i in (*op.inputs, *op.outputs):
        tensor = graph.tensor(i)
        if tensor.dtype is not DType.INT32:
            return f'tensor "{tensor.name}" is {tensor.dtype.value}, not int32'
        if tensor.quant is not None:
            return f'tensor "{tensor.name}" is quantized, and the reference computes with its bare numbers'
    return None


def _activation(op: Op) -> str:
    return "NONE" if op.options is None else str(op.options.activation)


def _known_activation(_graph: Graph, op: Op) -> str | None:
    """The fused activation is none, or RELU, RELU6 or RELU_N1_TO_1 of SUB, MUL and DIV."""
    activation = _activation(op)
    if activation not in _LIMITS:
        return f"the fused activation is {activation}"
    if activation != "NONE" and op.kind not in _WITH_ACTIVATION:
        return f"the fused activation is {activation}, which the reference leaves out"
    return None


def _divisor(graph: Graph, op: Op) -> str | None:
    """A constant divisor is not 0."""
    divisor = graph.tensor(op.inputs[1]).data
    return "it divides by 0" if divisor is not None and not divisor.all() else None


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    low, high = _LIMITS[_activation(op)]
    call = KernelCall(
        kernel="mcg_arithmetic_s32",
        params=(
            *broadcasting.loop_params(graph, op),
            ("operation", _OPERATIONS[op.kind]),
            ("min", low),
            ("max", high),
        ),
        inputs=op.inputs,
        outputs=op.outputs,
        inplace=broadcasting.inplace_operands(graph, op),
    )
    return Lowering((call,))


def _evaluate(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    first, second = (graph.tensor(i).data for i in op.inputs)
    assert first is not None
    assert second is not None
    a, b = first.astype(np.int64), second.astype(np.int64)
    if op.kind == "DIV":
        made = np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))
    else:
        functions = {"ADD": a + b, "SUB": a - b, "MUL": a * b, "SQUARED_DIFFERENCE": (a - b).astype(np.int32) ** 2}
        made = functions.get(op.kind, np.maximum(a, b) if op.kind == "MAXIMUM" else np.minimum(a, b))
    low, high = _LIMITS[_activation(op)]
    # The conversion is modulo 2^32.
    return (made.astype(np.int32).clip(low, high).reshape(graph.output_of(op).shape),)


SPECS = tuple(
    OpSpec(
        kind=kind,
        lower=_lower,
        constraints=(
            two_inputs,
            not_empty,
            _plain_numbers,
            broadcasting.broadcastable,
            *((_known_activation,) if kind in ("ADD", *_WITH_ACTIVATION) else ()),
            *((_divisor,) if kind == "DIV" else ()),
        ),
        parse=broadcasting.parse_arithmetic if kind in ("ADD", *_WITH_ACTIVATION) else no_options,
        evaluate=_evaluate,
        types=("int32",),
    )
    for kind in _OPERATIONS
)
