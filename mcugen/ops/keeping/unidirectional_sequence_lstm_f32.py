"""UNIDIRECTIONAL_SEQUENCE_LSTM: float32, no peepholes or projection."""

from __future__ import annotations

from mcugen.graph.types import Graph, Op
from mcugen.ops import float32
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty
from mcugen.ops.keeping import unidirectional_sequence_lstm as lstm
from mcugen.tflite.lstm_operands import CELL, HIDDEN, LSTM


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    input_weights, recurrent_weights = lstm.weights_constants(graph, op)
    bias = lstm.side_by_side([lstm.data_of(graph, i) for i in lstm.bias_ids(op)])
    call = KernelCall(
        kernel="mcg_lstm_f32",
        params=(
            *lstm.size_params(graph, op),
            *lstm.stride_params(graph, op),
            ("cell_clip", max(op.options.cell_clip, 0.0)),
        ),
        inputs=(op.inputs[0],),
        constants=(input_weights, Constant("bias", bias, f"[{len(bias)},4]"), recurrent_weights),
        outputs=(op.outputs[0], op.inputs[HIDDEN], op.inputs[CELL]),
    )
    return Lowering((call,))


SPEC = OpSpec(
    kind=LSTM,
    lower=_lower,
    constraints=(
        lstm.operands,
        not_empty,
        float32.all_float,
        lstm.weights_and_states,
        lstm.shapes,
        lstm.tanh_activation,
    ),
    parse=lstm.parse,
    macs=lstm.macs,
    types=float32.TYPES,
)
