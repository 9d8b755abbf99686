"""Operands that only repeat the shape of an output become constants, so that nothing has to compute them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcugen.graph.types import DType, Graph, Op, Tensor

_SHAPE_OPERANDS = {"TRANSPOSE_CONV": 0, "RESHAPE": 1}
"""Which input says what shape the output has. (Of other ops the reference demands that it is constant.)"""


def know_shapes(graph: Graph) -> Graph:
    """Put constants in place of computed shapes.

    Converters compute the shape from the batch where they left it open. The shapes in the file hold, as they do for
    the reference, which plans its memory by them.
    """
    tensors = dict(graph.tensors)
    kept = []
    for op in graph.ops:
        position = _computed_shape(graph, op)
        if position is not None:
            made, output = max(tensors) + 1, graph.output_of(op)
            values = np.array(output.shape, np.int32)
            values.flags.writeable = False
            tensors[made] = Tensor(made, f"{op.name}_shape", values.shape, DType.INT32, None, values)
            op = replace(op, inputs=(*op.inputs[:position], made, *op.inputs[position + 1 :]))
        kept.append(op)
    return graph.with_(ops=tuple(kept), tensors=tensors)


def _computed_shape(graph: Graph, op: Op) -> int | None:
    position = _SHAPE_OPERANDS.get(op.kind)
    if position is None or len(op.outputs) != 1:
        return None
    operand = graph.input_of(op, position)
    if operand is None or operand.is_const or operand.dtype is not DType.INT32:
        return None
    return position if operand.shape == (len(graph.output_of(op).shape),) else None
