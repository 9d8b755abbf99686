"""Explicit PAD into the padding of the convolution that reads it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops.common import Pads

_CONVOLUTIONS = {"CONV_2D", "DEPTHWISE_CONV_2D"}


def fuse_pads(graph: Graph) -> Graph:
    """Let convolutions do the padding of a PAD before them.

    Exact, because both pad with the input's zero point, which stands for 0.0. Pools are left alone: their
    padding does not take part in the average or maximum.
    """
    for op in graph.ops:
        pads = _spatial_pads(graph, op)
        if pads is None or op.outputs[0] in graph.outputs:
            continue
        consumers = graph.consumers(op.outputs[0])
        if not all(_takes_padding(graph, c, op.outputs[0]) for c in consumers):
            continue
        fused = {c.index: _with_pads(c, pads, op.inputs[0]) for c in consumers}
        graph = graph.with_(ops=tuple(fused.get(o.index, o) for o in graph.ops if o is not op))
    return graph


def _with_pads(conv: Op, pads: Pads, source: int) -> Op:
    own: Pads = conv.options.pads
    total = Pads(own.top + pads.top, own.bottom + pads.bottom, own.left + pads.left, own.right + pads.right)
    return replace(conv, inputs=(source, *conv.inputs[1:]), options=replace(conv.options, pads=total))


def _spatial_pads(graph: Graph, op: Op) -> Pads | None:
    """The rows and columns that a PAD adds, or None if it is no such op or does more than that."""
    if op.kind not in ("PAD", "PADV2"):
        return None
    source, amounts, output = graph.input_of(op, 0), graph.input_of(op, 1), graph.output_of(op)
    if source is None or amounts is None or amounts.data is None or amounts.shape != (4, 2):
        return None
    if source.is_const or source.dtype is not output.dtype or source.quant != output.quant:
        return None
    if source.quant is None and source.dtype is not DType.FLOAT32:
        return None
    if not _pads_with_zero(graph, op):
        return None
    rows = [[int(v) for v in row] for row in amounts.data]
    if rows[0] != [0, 0] or rows[3] != [0, 0] or min(min(row) for row in rows) < 0:
        return None
    return Pads(rows[1][0], rows[1][1], rows[2][0], rows[2][1])


def _pads_with_zero(graph: Graph, op: Op) -> bool:
    """Whether the value to pad with stands for 0.0."""
    value, output = graph.input_of(op, 2), graph.output_of(op)
    if value is None:
        return True
    if value.data is None or value.dtype is not output.dtype or value.quant != output.quant:
        return False
    zero = 0 if output.quant is None else output.zero_point
    return bool(value.data.flat[0] == zero)


def _takes_padding(graph: Graph, consumer: Op, padded: int) -> bool:
    """Whether an op is a convolution of the padded image, for which taps in the padding count nothing."""
    if consumer.kind not in _CONVOLUTIONS or consumer.inputs[0] != padded:
        return False
    weights = graph.tensor(consumer.inputs[1])
    # Infinity times 0.0 is not 0.0.
    return weights.dtype is not DType.FLOAT32 or (weights.data is not None and bool(np.isfinite(weights.data).all()))
