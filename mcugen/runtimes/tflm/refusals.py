"""What CMSIS-NN's kernels refuse, or compute wrongly, and the reference takes: the host's check would not notice it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mcugen.errors import UnsupportedOpError
from mcugen.graph.types import DType, Graph, Op
from mcugen.runtimes.tflm.view import View


@dataclass(frozen=True)
class Refusal:
    """A use of an op that only the reference's kernel runs.

    Attributes:
        kind: TFLite's name of the op.
        what: what CMSIS-NN's kernel does not take, as part of a sentence.
        concerns: whether a use is such a one.
        instead: what to do.
    """

    kind: str
    what: str
    concerns: Callable[[Graph, Op], bool]
    instead: str


def _type(graph: Graph, op: Op, position: int = 0) -> DType | None:
    tensor = graph.input_of(op, position)
    return tensor.dtype if tensor is not None else None


def _rank(graph: Graph, op: Op, position: int = 0) -> int:
    tensor = graph.input_of(op, position)
    return len(tensor.shape) if tensor is not None else 0


def _dense_per_channel(graph: Graph, op: Op) -> bool:
    weights = graph.input_of(op, 1)
    if weights is None or weights.quant is None or not weights.quant.per_channel:
        return False
    return _type(graph, op) is DType.INT16 or weights.dtype is DType.INT4


def _int16_with_zero_point(graph: Graph, op: Op) -> bool:
    if _type(graph, op) is not DType.INT16:
        return False
    operands = [graph.input_of(op, 0), graph.input_of(op, 1), graph.output_of(op)]
    return any(t is not None and t.quant is not None and not t.quant.per_channel and t.zero_point for t in operands)


def _pads_five_dimensions(graph: Graph, op: Op) -> bool:
    source, padded = graph.input_of(op, 0), graph.output_of(op)
    return _type(graph, op) is DType.INT8 and _rank(graph, op) > 4 and (source is None or padded.shape[0] != 1)


REFUSALS: tuple[Refusal, ...] = (
    Refusal(
        "FULLY_CONNECTED",
        "weights with a scale per output channel, unless activations and weights are int8",
        _dense_per_channel,
        "use int8 activations, or quantize the layer's weights per tensor, as this runtime does with a float model",
    ),
    Refusal("ADD", "int16 with zero points", _int16_with_zero_point, "quantize int16 tensors symmetrically"),
    Refusal(
        "BATCH_MATMUL",
        "more than four dimensions",
        lambda graph, op: max(_rank(graph, op), _rank(graph, op, 1)) > 4,
        "reshape its operands to four dimensions",
    ),
    Refusal(
        "TRANSPOSE",
        "more than four dimensions",
        lambda graph, op: _type(graph, op) is DType.INT8 and _rank(graph, op) > 4,
        "reshape its input to four dimensions",
    ),
    Refusal(
        "PAD",
        "a fifth dimension, which it leaves out of account",
        _pads_five_dimensions,
        "reshape its input to four dimensions",
    ),
    Refusal(
        "SVDF",
        "weights that are no constants",
        lambda graph, op: _type(graph, op) is DType.INT8 and not _is_constant(graph, op, 1),
        "make its weights constants",
    ),
)


def _is_constant(graph: Graph, op: Op, position: int) -> bool:
    tensor = graph.input_of(op, position)
    return tensor is not None and tensor.is_const


def refused(view: View) -> Iterator[tuple[Op, Refusal]]:
    """The uses of ops in a model that CMSIS-NN does not run, with the reason."""
    for graph, op in view.ops():
        for refusal in REFUSALS:
            if op.kind == refusal.kind and refusal.concerns(graph, op):
                yield op, refusal


def wrapping(view: View) -> Iterator[Op]:
    """The SVDFs whose int8 state may go round: CMSIS-NN limits it to int16, where the reference stops at int8's ends.

    Those whose weights are too small for that are left out.
    """
    for graph, op in view.ops():
        if op.kind == "SVDF" and _state_may_leave_int8(graph, op):
            yield op


def _state_may_leave_int8(graph: Graph, op: Op) -> bool:
    source, weights, state = (graph.input_of(op, position) for position in (0, 1, 4))
    if source is None or weights is None or state is None or state.dtype is not DType.INT8:
        return False
    if weights.data is None:
        return True
    values = np.asarray(weights.data, np.int64).reshape(weights.shape)
    lowest, highest = values * (-128 - source.zero_point), values * (127 - source.zero_point)
    scale = source.scale * weights.scale / state.scale
    least = float(np.minimum(lowest, highest).sum(axis=1).min()) * scale
    most = float(np.maximum(lowest, highest).sum(axis=1).max()) * scale
    # CMSIS-NN leaves the state's zero point out, on both sides: the reference's goes round by it.
    return min(least, least + state.zero_point) < -128 or max(most, most + state.zero_point) > 127


def check_cmsis_nn(view: View) -> None:
    """Refuse a model that TFLM runs with its own kernels and not with CMSIS-NN's.

    Raises:
        UnsupportedOpError: names every such op with its layer.
    """
    found = list(refused(view))
    if not found:
        return
    listed = "; ".join(f"{op.where}: no {refusal.what}" for op, refusal in found[:4])
    ways = ", ".join(dict.fromkeys(refusal.instead for _, refusal in found))
    raise UnsupportedOpError(
        f"CMSIS-NN's kernels in TensorFlow Lite Micro do not run this model, though the reference does ({listed})",
        hint=f"To run it, {ways}; or build TensorFlow Lite Micro without OPTIMIZED_KERNEL_DIR=cmsis_nn; or omit "
        '`runtime="tflm"`',
    )
