"""Explicit PAD into the padding of the convolution that reads it."""

from __future__ import annotations

from dataclasses import replace

from mcugen.graph.types import Graph, Op
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
        if not all(c.kind in _CONVOLUTIONS and c.inputs[0] == op.outputs[0] for c in consumers):
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
    if op.kind not in ("PAD", "PADV2") or len(op.inputs) < 2:
        return None
    source, amounts, output = graph.input_of(op, 0), graph.input_of(op, 1), graph.output_of(op)
    if source is None or amounts is None or amounts.data is None or amounts.shape != (4, 2):
        return None
    if source.is_const or source.quant is None or source.quant != output.quant:
        return None
    value = graph.input_of(op, 2)
    if value is not None and (
        value.data is None
        or value.quant != output.quant
        or int(value.data.reshape(-1)[0]) != output.zero_point
    ):
        return None
    rows = [[int(v) for v in row] for row in amounts.data]
    if rows[0] != [0, 0] or rows[3] != [0, 0] or min(min(row) for row in rows) < 0:
        return None
    return Pads(rows[1][0], rows[1][1], rows[2][0], rows[2][1])
