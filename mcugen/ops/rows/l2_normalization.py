"""L2_NORMALIZATION over the last dimension: rows divided by their length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import int8_in_and_out, not_empty, one_input, same_shape
from mcugen.ops.common import fused_activation_name


@dataclass(frozen=True)
class L2NormOptions:
    activation: str


def _parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> L2NormOptions:
    return L2NormOptions("NONE" if raw is None else fused_activation_name(raw.fusedActivationFunction))


def no_activation(_graph: Graph, op: Op) -> str | None:
    """No fused activation."""
    activation: str = op.options.activation
    return None if activation == "NONE" else f"the fused activation is {activation}"


def _fixed_output(graph: Graph, op: Op) -> str | None:
    """The output's scale is 1/128 and its zero point 0, the only ones that the reference computes for."""
    output = graph.output_of(op)
    if (output.scale, output.zero_point) != (1.0 / 128.0, 0):
        return f"the output's scale is {output.scale:g} and its zero point {output.zero_point}"
    return None


def _row_length(graph: Graph, op: Op) -> str | None:
    """At most 4 dimensions; the sum of the squares along the last one fits 32 bits."""
    source = graph.tensor(op.inputs[0])
    if not 1 <= len(source.shape) <= 4:
        return f"the input has {len(source.shape)} dimensions"
    largest = max(source.zero_point + 128, 127 - source.zero_point)
    return None if source.shape[-1] * largest**2 < 1 << 31 else f"the last dimension is {source.shape[-1]}"


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    source = graph.tensor(op.inputs[0])
    depth = source.shape[-1]
    call = KernelCall(
        kernel="mcg_l2_normalization_s8",
        params=(("rows", source.elements // depth), ("depth", depth), ("zero_point", source.zero_point)),
        inputs=op.inputs,
        outputs=op.outputs,
        inplace=(0,),
    )
    return Lowering((call,))


SPEC = OpSpec(
    kind="L2_NORMALIZATION",
    lower=_lower,
    constraints=(one_input, not_empty, int8_in_and_out, same_shape, no_activation, _fixed_output, _row_length),
    parse=_parse,
)
