"""BATCH_MATMUL, float32: either operand may be transposed, and batches broadcast."""

from __future__ import annotations

from dataclasses import replace

from mcugen.graph.types import Graph, Op
from mcugen.ops import float32
from mcugen.ops.base import KernelCall, Lowering, Target
from mcugen.ops.checks import not_empty, two_inputs
from mcugen.ops.weighted import batch_matmul


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    call = KernelCall(
        kernel="mcg_batch_matmul_f32",
        params=batch_matmul.loop_params(graph, op),
        inputs=op.inputs,
        outputs=op.outputs,
    )
    return Lowering((call,))


SPEC = replace(
    batch_matmul.SPEC,
    lower=_lower,
    constraints=(two_inputs, not_empty, float32.all_float, batch_matmul.shapes_fit),
    types=float32.TYPES,
)
