"""FULLY_CONNECTED, float32: inputs of any rank; weights may be computed by the model."""

from __future__ import annotations

from dataclasses import replace

from mcugen.graph.types import Graph, Op
from mcugen.ops import float32
from mcugen.ops.base import KernelCall, Lowering, Target
from mcugen.ops.weighted import fully_connected


def _constant_bias(graph: Graph, op: Op) -> str | None:
    """The bias is a constant."""
    bias = graph.input_of(op, 2)
    return None if bias is None or bias.is_const else f'the bias "{bias.name}" is computed by the model'


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    source, weights = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1])
    channels, depth = weights.shape
    bias = float32.bias_constant(graph, op, channels)
    call = KernelCall(
        kernel="mcg_fully_connected_f32",
        params=(
            ("rows", source.elements // depth),
            ("depth", depth),
            ("channels", channels),
            *float32.clamp_params(op.options.activation),
        ),
        inputs=(source.id,) if weights.is_const else (source.id, weights.id),
        outputs=op.outputs,
        constants=(float32.weights_constant(graph, op), bias) if weights.is_const else (bias,),
    )
    return Lowering((call,))


SPEC = replace(
    fully_connected.SPEC,
    lower=_lower,
    constraints=(
        float32.weights_and_bias,
        _constant_bias,
        fully_connected.plain_weights,
        fully_connected.shapes_fit,
        float32.known_activation,
    ),
    types=float32.TYPES,
)
