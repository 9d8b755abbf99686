"""UNIDIRECTIONAL_SEQUENCE_LSTM: int16 activations with int8 weights, no peepholes or projection."""

from __future__ import annotations

import numpy as np

from mcugen.graph.types import DType, Graph, Op
from mcugen.numerics.quantized import INT16_MIN, quantize_multiplier, short_multiplier
from mcugen.ops import symmetric
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty
from mcugen.ops.keeping import unidirectional_sequence_lstm as lstm
from mcugen.ops.variants import fastest
from mcugen.ops.weighted import weighted_16x8
from mcugen.tflite.lstm_operands import CELL, HIDDEN, LSTM


def _symmetric(graph: Graph, op: Op) -> str | None:
    """Input, hidden state and output have zero point 0."""
    return symmetric.symmetric_problem(graph, (op.inputs[0], op.inputs[HIDDEN], op.outputs[0]))


def _accumulators_fit(graph: Graph, op: Op) -> str | None:
    """No sum of products and bias exceeds 47 bits, and none 31 when it is scaled to a gate."""
    scales = [graph.tensor(op.inputs[p]).scale for p in (0, HIDDEN) for _ in lstm.GATES]
    biases = [lstm.data_of(graph, i) for i in lstm.bias_ids(op)]
    biases += [np.zeros_like(bias) for bias in biases]
    for i, scale, bias in zip(lstm.weights_ids(op), scales, biases, strict=True):
        weights = graph.tensor(i)
        products = -INT16_MIN * np.abs(lstm.data_of(graph, i).astype(np.int64)).sum(axis=1)
        # Of any size: a file may hold biases whose sums leave 64 bits.
        bound = max(abs(int(b)) + int(p) for b, p in zip(bias, products, strict=True))
        factor = quantize_multiplier(scale * weights.scale / lstm.GATE_SCALE)
        problem = weighted_16x8.wide_scaling_problem(bound, *factor)
        if problem:
            return f'"{weights.name}": {problem}'
    return None


def _short_factor(scale: float) -> tuple[int, int]:
    multiplier, shift = quantize_multiplier(scale)
    return short_multiplier(multiplier), shift if multiplier else -1


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    input_weights, recurrent_weights = lstm.weights_constants(graph, op)
    bias = lstm.side_by_side([lstm.data_of(graph, i) for i in lstm.bias_ids(op)])
    call = KernelCall(
        kernel="mcg_lstm_s16",
        params=lstm.quantized_params(graph, op, _short_factor),
        inputs=(op.inputs[0],),
        constants=(
            input_weights,
            Constant("bias", bias, f"[{len(bias)},4]"),
            recurrent_weights,
            lstm.table_constant(),
        ),
        outputs=(op.outputs[0], op.inputs[HIDDEN], op.inputs[CELL]),
    )
    return Lowering((fastest(target, call),))


SPEC = OpSpec(
    kind=LSTM,
    lower=_lower,
    constraints=(
        lstm.operands,
        not_empty,
        lstm.quantized_types(DType.INT16, DType.INT64),
        lstm.weights_and_states,
        lstm.zero_points,
        _symmetric,
        lstm.shapes,
        lstm.tanh_activation,
        lstm.state_scales,
        _accumulators_fit,
    ),
    parse=lstm.parse,
    macs=lstm.macs,
    types=("int16",),
)
