"""EQUAL, NOT_EQUAL, GREATER, GREATER_EQUAL, LESS and LESS_EQUAL: int8 by their reals, int32 as they are."""

from __future__ import annotations

from mcugen.graph.types import DType, Graph, Op
from mcugen.numerics.quantized import quantize_multiplier
from mcugen.ops import broadcasting
from mcugen.ops.base import KernelCall, Lowering, OpSpec, ParamValue, Target
from mcugen.ops.checks import not_empty, quantization_problem, two_inputs

RESULTS = {
    "EQUAL": (0, 1, 0),
    "NOT_EQUAL": (1, 0, 1),
    "GREATER": (0, 0, 1),
    "GREATER_EQUAL": (0, 1, 1),
    "LESS": (1, 0, 0),
    "LESS_EQUAL": (1, 1, 0),
}
"""What comes out where the first operand is less, equal, greater."""

_KERNELS = {DType.INT32: "mcg_compare_s32", DType.BOOL: "mcg_compare_u8"}
"""Of numbers as they are."""

_OF_BOOLS = ("EQUAL", "NOT_EQUAL")


def _types(graph: Graph, op: Op) -> str | None:
    """Both inputs are int8 with one scale below 1 and one zero point each, both int32, or bool for EQUAL and NOT_EQUAL.

    The output is bool. TFLM takes int16 for GREATER alone, and does not set the scales that it then compares by.
    """
    first, second = (graph.tensor(i) for i in op.inputs)
    if graph.output_of(op).dtype is not DType.BOOL:
        return f"the output is {graph.output_of(op).dtype.value}, not bool"
    plain = first.dtype in _KERNELS and second.dtype is first.dtype
    if plain and (first.dtype is not DType.BOOL or op.kind in _OF_BOOLS):
        return None
    problem = quantization_problem(first) or quantization_problem(second)
    if problem:
        return problem
    if any(quantize_multiplier(t.scale)[1] > 0 or t.scale >= 1.0 for t in (first, second)):
        return "a scale is 1 or more, which the reference refuses"
    return None


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    tensors = [graph.tensor(i) for i in op.inputs]
    less, equal, greater = RESULTS[op.kind]
    results: tuple[tuple[str, ParamValue], ...] = (("less", less), ("equal", equal), ("greater", greater))
    if tensors[0].dtype is DType.INT8:
        for n, tensor in enumerate(tensors, start=1):
            multiplier, shift = quantize_multiplier(tensor.scale)
            results += ((f"zero_point{n}", tensor.zero_point), (f"multiplier{n}", multiplier), (f"shift{n}", shift))
    call = KernelCall(
        kernel=_KERNELS.get(tensors[0].dtype, "mcg_compare_s8"),
        params=(*broadcasting.loop_params(graph, op), *results),
        inputs=op.inputs,
        outputs=op.outputs,
    )
    return Lowering((call,))


SPECS = tuple(
    OpSpec(
        kind=kind,
        lower=_lower,
        constraints=(two_inputs, not_empty, _types, broadcasting.broadcastable),
        types=("int8", "int32", "bool") if kind in _OF_BOOLS else ("int8", "int32"),
    )
    for kind in RESULTS
)
