"""FULLY_CONNECTED: int8, inputs of any rank, weights quantized per tensor or per output channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops import with_weights
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.common import describe, fused_activation_name
from mcugen.ops.variants import fastest


@dataclass(frozen=True)
class FullyConnectedOptions:
    """`weights_format` is 0 for plain rows. Whether dimensions are kept shows in the output's shape.

    `int32_sums` says how int16 activations are summed up where there is no bias to say it.
    """

    activation: str
    weights_format: int
    int32_sums: bool = False


def parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> FullyConnectedOptions:
    if raw is None:
        raise ValueError("it has no options")
    activation = fused_activation_name(raw.fusedActivationFunction)
    return FullyConnectedOptions(activation, raw.weightsFormat, with_weights.asks_for_int32_sums(raw))


def plain_weights(_graph: Graph, op: Op) -> str | None:
    """Weights are stored in plain rows, not shuffled."""
    return None if op.options.weights_format == 0 else "its weights are stored in the shuffled 4x16 format"


def weights_scales(graph: Graph, op: Op) -> str | None:
    """Weights are quantized per tensor, or per output channel with zero point 0."""
    return with_weights.channel_scales_problem(graph.tensor(op.inputs[1]), axis=0, zero_point_allowed=True)


def shapes_fit(graph: Graph, op: Op) -> str | None:
    """Weights are [output channels, depth]; the input is rows of that depth, the output rows of channels."""
    source, weights, output = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1]), graph.output_of(op)
    if len(weights.shape) != 2 or min(weights.shape) < 1:
        return f"the weights are {describe(weights)}, not [output channels, depth]"
    channels, depth = weights.shape
    if source.elements == 0 or source.elements % depth:
        return f"the input {describe(source)} does not consist of rows of {depth}"
    if not output.shape or output.shape[-1] != channels or output.elements != source.elements // depth * channels:
        return f"input {describe(source)} and weights {describe(weights)} do not give {describe(output)}"
    return with_weights.bias_size_problem(graph, op, channels)


def accumulator_fits(graph: Graph, op: Op) -> str | None:
    """No sum of products and bias can exceed 32 bits."""
    weights = with_weights.weights_of(graph, op)
    return with_weights.overflow_problem(graph, op, weights, graph.tensor(op.inputs[1]).zero_point)


def lower(graph: Graph, op: Op, target: Target) -> Lowering:
    source = graph.tensor(op.inputs[0])
    weights = with_weights.weights_of(graph, op)
    weights_zero = graph.tensor(op.inputs[1]).zero_point
    channels, depth = weights.shape
    stage = with_weights.output_stage(
        graph, op, weights, with_weights.effective_scales(graph, op), op.options.activation, weights_zero
    )
    params = (
        ("rows", source.elements // depth),
        ("depth", depth),
        ("channels", channels),
        ("weights_offset", -weights_zero),
        *stage.params,
    )
    call = KernelCall(
        kernel="mcg_fully_connected_s8",
        params=params,
        inputs=(op.inputs[0],),
        outputs=op.outputs,
        constants=(Constant("weights", weights, f"[{channels},{depth}]"), *stage.constants),
    )
    return Lowering((fastest(target, call),))


def macs(graph: Graph, op: Op) -> int:
    return graph.output_of(op).elements * graph.tensor(op.inputs[1]).shape[1]


SPEC = OpSpec(
    kind="FULLY_CONNECTED",
    lower=lower,
    constraints=(
        with_weights.int8_with_int32_bias,
        with_weights.constant_weights,
        plain_weights,
        shapes_fit,
        weights_scales,
        with_weights.known_activation,
        accumulator_fits,
    ),
    parse=parse,
    macs=macs,
)
