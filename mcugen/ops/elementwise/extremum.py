"""MAXIMUM and MINIMUM of two operands, which are quantized alike: bytes are compared as they are."""

from __future__ import annotations

from mcugen.graph.types import Graph, Op
from mcugen.ops import broadcasting
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, same_quantization, two_inputs
from mcugen.ops.variants import fastest


def quantized_alike(graph: Graph, op: Op) -> str | None:
    """All tensors have the same scale and zero point: the reference compares bytes and does not convert."""
    output = graph.output_of(op).quant
    assert output is not None
    for i in op.inputs:
        quant = graph.tensor(i).quant
        assert quant is not None
        if not same_quantization(quant, output):
            return f'tensor "{graph.tensor(i).name}" is quantized differently from the output'
    return None


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    call = KernelCall(
        kernel="mcg_extremum_s8",
        params=(*broadcasting.loop_params(graph, op), ("largest", int(op.kind == "MAXIMUM"))),
        inputs=op.inputs,
        outputs=op.outputs,
        inplace=broadcasting.inplace_operands(graph, op),
    )
    return Lowering((fastest(target, call),))


SPECS = tuple(
    OpSpec(
        kind=kind,
        lower=_lower,
        constraints=(
            two_inputs,
            not_empty,
            broadcasting.int8_operands,
            quantized_alike,
            broadcasting.broadcastable,
        ),
    )
    for kind in ("MAXIMUM", "MINIMUM")
)
