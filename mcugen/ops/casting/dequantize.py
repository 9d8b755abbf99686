"""DEQUANTIZE: int8, uint8 or int16 to float32."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op
from mcugen.numerics import affine
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, one_input, quantization_problem, same_shape

_KERNELS = {
    DType.INT8: "mcg_dequantize_s8_f32",
    DType.UINT8: "mcg_dequantize_u8_f32",
    DType.INT16: "mcg_dequantize_s16_f32",
}


def _types(graph: Graph, op: Op) -> str | None:
    """The input is int8, uint8 or int16 with one scale above zero and one zero point, the output float32."""
    output = graph.output_of(op)
    if output.dtype is not DType.FLOAT32:
        return f'tensor "{output.name}" is {output.dtype.value}, not float32'
    return quantization_problem(graph.tensor(op.inputs[0]), tuple(_KERNELS))


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    source = graph.tensor(op.inputs[0])
    call = KernelCall(
        kernel=_KERNELS[source.dtype],
        params=(
            ("count", source.elements),
            ("zero_point", source.zero_point),
            ("scale", source.scale),
        ),
        inputs=op.inputs,
        outputs=op.outputs,
    )
    return Lowering(calls=(call,))


def _evaluate(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    source = graph.tensor(op.inputs[0])
    assert source.data is not None
    return (affine.dequantize(source.data, source),)


SPEC = OpSpec(
    kind="DEQUANTIZE",
    lower=_lower,
    constraints=(one_input, not_empty, _types, same_shape),
    evaluate=_evaluate,
    types=("int8", "uint8", "int16"),
)
