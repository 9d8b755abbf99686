"""RESHAPE, SQUEEZE and EXPAND_DIMS: other shapes of the same memory, which cost nothing.

The output tensor's shape is what holds, as in TFLM; the shape operand or option (which may be absent, or hold
a −1) says nothing more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from mcugen.graph.types import Graph, Op
from mcugen.ops.base import Lowering, OpSpec, Target
from mcugen.ops.checks import keeps_quantization, not_empty, same_type


def _operands(graph: Graph, op: Op) -> str | None:
    """One input, one output, and perhaps a constant operand for the shape."""
    if len(op.inputs) not in (1, 2) or len(op.outputs) != 1 or op.inputs[0] < 0:
        return f"it has {len(op.inputs)} inputs and {len(op.outputs)} outputs"
    shape = graph.input_of(op, 1)
    return "its shape is computed by the model" if shape is not None and not shape.is_const else None


def _same_elements(graph: Graph, op: Op) -> str | None:
    """Input and output have the same number of elements."""
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if source.elements != output.elements:
        return f"shape {list(source.shape)} cannot become {list(output.shape)}"
    return None


def _lower(_graph: Graph, op: Op, _target: Target) -> Lowering:
    return Lowering(aliases=((op.outputs[0], op.inputs[0], 0),))


def _evaluate(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    data = graph.tensor(op.inputs[0]).data
    assert data is not None
    return (data.reshape(graph.output_of(op).shape),)


RESHAPE = OpSpec(
    kind="RESHAPE",
    lower=_lower,
    constraints=(_operands, not_empty, same_type, keeps_quantization, _same_elements),
    evaluate=_evaluate,
    types=("int8", "uint8", "int16", "int32", "float32"),
)
SPECS = (RESHAPE, replace(RESHAPE, kind="SQUEEZE"), replace(RESHAPE, kind="EXPAND_DIMS"))
