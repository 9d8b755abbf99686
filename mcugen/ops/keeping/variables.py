"""READ_VARIABLE and ASSIGN_VARIABLE, of variables that were resolved to state tensors when the model was read.

Each is a copy, which the planner leaves out where nothing changes the state before the value's last reader, and where
the assigned value can be computed right into the state's memory (:mod:`mcugen.runtimes.aot.plan.state`).
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from mcugen.graph.types import Graph, Op
from mcugen.ops.base import Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty
from mcugen.ops.common import describe
from mcugen.ops.movement import Loop, copy_call


def _operands(graph: Graph, op: Op) -> str | None:
    """A variable that the model's own VAR_HANDLE names, and one value."""
    if len(op.inputs) != 1 or len(op.outputs) != 1 or op.inputs[0] < 0:
        return f"it has {len(op.inputs)} inputs and {len(op.outputs)} outputs, or its variable is not known"
    variable = graph.output_of(op) if op.kind == "ASSIGN_VARIABLE" else graph.tensor(op.inputs[0])
    return None if variable.is_state or variable.is_const else "its variable is not known"


def _same_size(graph: Graph, op: Op) -> str | None:
    """Variable and value have the same type and number of elements: values move as they are."""
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if (source.dtype, source.elements) != (output.dtype, output.elements):
        return f"{describe(source)} cannot become {describe(output)}"
    return None


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    return Lowering(calls=(copy_call(source, output, [Loop(source.elements, 1, 1)]),))


def _evaluate(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    data = graph.tensor(op.inputs[0]).data
    assert data is not None
    return (data.reshape(graph.output_of(op).shape),)


_TYPES = ("int8", "uint8", "int16", "int32", "float32", "bool")

SPECS = (
    OpSpec(
        kind="READ_VARIABLE",
        lower=_lower,
        constraints=(_operands, not_empty, _same_size),
        evaluate=_evaluate,
        types=_TYPES,
    ),
    OpSpec(kind="ASSIGN_VARIABLE", lower=_lower, constraints=(_operands, not_empty, _same_size), types=_TYPES),
)
