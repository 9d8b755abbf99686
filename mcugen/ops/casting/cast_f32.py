"""CAST from float32 to integers."""

from __future__ import annotations

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops import float32
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.casting import cast
from mcugen.ops.checks import not_empty, one_input, same_shape

_INTEGERS = (DType.INT8, DType.INT16, DType.INT32)


def _known_types(graph: Graph, op: Op) -> str | None:
    """It casts float32 to int8, int16 or int32; what does not fit saturates, NaN becomes 0."""
    types = graph.tensor(op.inputs[0]).dtype, graph.output_of(op).dtype
    if types[0] is DType.FLOAT32 and types[1] in _INTEGERS:
        return None
    return f"it casts {types[0].value} to {types[1].value}"


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    output = graph.output_of(op)
    call = KernelCall(
        kernel="mcg_cast_f32_int",
        params=(("count", output.elements), ("output_bytes", output.dtype.itemsize)),
        inputs=op.inputs,
        outputs=op.outputs,
    )
    return Lowering((call,))


SPEC = OpSpec(
    kind="CAST",
    lower=_lower,
    constraints=(one_input, not_empty, _known_types, same_shape, cast.plain_bytes),
    types=float32.TYPES,
)
