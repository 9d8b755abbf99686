"""RELU and RELU6 into the clamp of the op before them."""

from __future__ import annotations

from dataclasses import replace

from mcugen.graph.types import DType, Graph, Op

_CLAMPING = {
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "ADD",
    "SUB",
    "MUL",
    "DIV",
    "AVERAGE_POOL_2D",
    "MAX_POOL_2D",
    "L2_POOL_2D",
}
_ACTIVATIONS = {"RELU", "RELU6"}


def fuse_activations(graph: Graph) -> Graph:
    """Turn a separate RELU or RELU6 into the fused activation of its producer.

    Exact only where the activation does not requantize (equal scale and zero point before and after), so only
    there. Float32 is not quantized, and its clamps are the same as the activations.
    """
    for activation in graph.ops:
        producer = _fusable_producer(graph, activation)
        if producer is None:
            continue
        merged = replace(
            producer,
            outputs=activation.outputs,
            options=replace(producer.options, activation=activation.kind),
        )
        graph = graph.with_(
            ops=tuple(merged if op.index == producer.index else op for op in graph.ops if op is not activation)
        )
    return graph


def _fusable_producer(graph: Graph, activation: Op) -> Op | None:
    if activation.kind not in _ACTIVATIONS:
        return None
    source, output = graph.tensor(activation.inputs[0]), graph.output_of(activation)
    producer = graph.producer(source.id)
    if producer is None or producer.kind not in _CLAMPING or producer.options.activation != "NONE":
        return None
    if source.dtype is not output.dtype or source.quant != output.quant or source.id in graph.outputs:
        return None
    if source.quant is None and source.dtype is not DType.FLOAT32:
        return None
    return producer if len(graph.consumers(source.id)) == 1 else None
