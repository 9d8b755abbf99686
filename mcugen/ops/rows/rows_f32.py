"""SOFTMAX, LOG_SOFTMAX and L2_NORMALIZATION of float32: over the last dimension, row by row."""

from __future__ import annotations

from dataclasses import replace

from mcugen.graph.types import Graph, Op
from mcugen.ops import float32
from mcugen.ops.base import KernelCall, Lowering, OpSpec, ParamValue, Target
from mcugen.ops.checks import not_empty, one_input, same_shape
from mcugen.ops.rows import l2_normalization, softmax

_KERNELS = {
    "SOFTMAX": "mcg_softmax_f32",
    "LOG_SOFTMAX": "mcg_log_softmax_f32",
    "L2_NORMALIZATION": "mcg_l2_normalization_f32",
}


def _has_rows(graph: Graph, op: Op) -> str | None:
    """The input has at least one dimension."""
    return None if graph.tensor(op.inputs[0]).shape else "the input is a scalar"


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    source = graph.tensor(op.inputs[0])
    depth = source.shape[-1]
    beta: tuple[tuple[str, ParamValue], ...] = (("beta", op.options.beta),) if op.kind == "SOFTMAX" else ()
    call = KernelCall(
        kernel=_KERNELS[op.kind],
        params=(("rows", source.elements // depth), ("depth", depth), *beta),
        inputs=op.inputs,
        outputs=op.outputs,
        inplace=(0,),
    )
    return Lowering((call,))


_CONSTRAINTS = (one_input, not_empty, float32.in_and_out, same_shape, _has_rows)

SPECS = (
    replace(softmax.SPEC, lower=_lower, constraints=_CONSTRAINTS, types=float32.TYPES),
    OpSpec(kind="LOG_SOFTMAX", lower=_lower, constraints=_CONSTRAINTS, types=float32.TYPES),
    replace(
        l2_normalization.SPEC,
        lower=_lower,
        constraints=(*_CONSTRAINTS, l2_normalization.no_activation),
        types=float32.TYPES,
    ),
)
