"""CAST: numbers as they are stored, in another type; what a quantized tensor stands for does not count."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops.base import KernelCall, Lowering, OpSpec, ParamValue, Target
from mcugen.ops.checks import not_empty, one_input, same_shape
from mcugen.ops.movement import Loop, Move, lower_moves

_KERNELS: dict[tuple[DType, DType], tuple[str, tuple[tuple[str, ParamValue], ...]]] = {
    (DType.INT8, DType.INT32): ("mcg_cast_s8_s32", ()),
    (DType.BOOL, DType.INT32): ("mcg_cast_u8_s32", ()),
    (DType.INT32, DType.FLOAT32): ("mcg_cast_s32_f32", ()),
    (DType.INT16, DType.FLOAT32): ("mcg_dequantize_s16_f32", (("zero_point", 0), ("scale", 1.0))),
    (DType.INT8, DType.FLOAT32): ("mcg_dequantize_s8_f32", (("zero_point", 0), ("scale", 1.0))),
    (DType.BOOL, DType.FLOAT32): ("mcg_dequantize_u8_f32", (("zero_point", 0), ("scale", 1.0))),
}

_INTEGERS = (DType.INT8, DType.INT16, DType.INT32, DType.BOOL)


def _known_types(graph: Graph, op: Op) -> str | None:
    """It casts int8, int16, int32 or bool to another of these but bool, or to float32."""
    types = graph.tensor(op.inputs[0]).dtype, graph.output_of(op).dtype
    if types in _KERNELS or (types[0] in _INTEGERS and types[1] in _INTEGERS and types[1] is not DType.BOOL):
        return None
    return f"it casts {types[0].value} to {types[1].value}"


def plain_bytes(graph: Graph, op: Op) -> str | None:
    """An int8 or int16 input or output stands for its own number: no quantization, or scale 1 and zero point 0."""
    for tensor in (graph.tensor(op.inputs[0]), graph.output_of(op)):
        quant = tensor.quant if tensor.dtype in (DType.INT8, DType.INT16) else None
        if quant is not None and (quant.scale, quant.zero_point) != ((1.0,), (0,)):
            return f'tensor "{tensor.name}" is quantized, and the reference casts its bytes, not what they stand for'
    return None


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    if output.dtype is source.dtype or (source.dtype, output.dtype) == (DType.BOOL, DType.INT8):
        # A bool is a byte of 0 or 1 already.
        return lower_moves(graph, [Move(source.id, output.id, (Loop(output.elements, 1, 1),))])
    sizes: tuple[tuple[str, ParamValue], ...] = (
        ("input_bytes", source.dtype.itemsize),
        ("output_bytes", output.dtype.itemsize),
    )
    kernel, params = _KERNELS.get((source.dtype, output.dtype), ("mcg_cast_int", sizes))
    call = KernelCall(kernel=kernel, params=(("count", output.elements), *params), inputs=op.inputs, outputs=op.outputs)
    return Lowering((call,))


def _evaluate(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    data = graph.tensor(op.inputs[0]).data
    assert data is not None
    return (data.astype(graph.output_of(op).dtype.numpy),)


SPEC = OpSpec(
    kind="CAST",
    lower=_lower,
    constraints=(one_input, not_empty, _known_types, same_shape, plain_bytes),
    evaluate=_evaluate,
    types=("int8", "int16", "int32", "bool"),
)
