"""SVDF: int8, with a state and weights over time of int8 or int16.

Every filter's dot product with the input, its newest feature, is appended to the filter's memory; the memory times
the weights over time, summed up over a unit's filters (`rank` of them), is the unit's output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.numerics.quantized import quantize_multiplier
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty, quantization_problem
from mcugen.ops.common import describe, fused_activation_name
from mcugen.ops.keeping.recurrent import PRODUCTS_BOUND, rows_in_fours
from mcugen.ops.variants import fastest

INPUT, FEATURE_WEIGHTS, TIME_WEIGHTS, BIAS, STATE = range(5)
_SCALE_TOLERANCE = 1e-5


@dataclass(frozen=True)
class SvdfOptions:
    rank: int
    activation: str


def parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> SvdfOptions:
    if raw is None or raw.rank < 1:
        raise ValueError("it has no rank")
    return SvdfOptions(int(raw.rank), fused_activation_name(raw.fusedActivationFunction))


def operands(_graph: Graph, op: Op) -> str | None:
    """Input, weights of features and of time, bias and state, none absent, and one output."""
    if len(op.inputs) != 5 or len(op.outputs) != 1:
        return f"it has {len(op.inputs)} inputs and {len(op.outputs)} outputs"
    return "one of its inputs is absent" if min(op.inputs) < 0 else None


def _types(graph: Graph, op: Op) -> str | None:
    """Input, output and feature weights are int8, the bias int32; time weights and state both int8 or both int16. All
    are quantized per tensor, with scales above zero."""
    times = graph.tensor(op.inputs[TIME_WEIGHTS])
    kinds = (DType.INT8, DType.INT8, DType.INT16 if times.dtype is DType.INT16 else DType.INT8, DType.INT32)
    for i, dtype in zip((*op.inputs, op.outputs[0]), (*kinds, kinds[TIME_WEIGHTS], DType.INT8), strict=True):
        problem = quantization_problem(graph.tensor(i), (dtype,))
        if problem:
            return problem
    return None


def weights_and_state(graph: Graph, op: Op) -> str | None:
    """Weights and bias are constants, the state is a variable tensor."""
    for position in (FEATURE_WEIGHTS, TIME_WEIGHTS, BIAS):
        tensor = graph.tensor(op.inputs[position])
        if not tensor.is_const:
            return f'"{tensor.name}" is computed by the model'
    state = graph.tensor(op.inputs[STATE])
    return None if state.is_state else f'the state "{state.name}" is no variable tensor'


def _zero_points(graph: Graph, op: Op) -> str | None:
    """Weights and bias have zero point 0."""
    for position in (FEATURE_WEIGHTS, TIME_WEIGHTS, BIAS):
        tensor = graph.tensor(op.inputs[position])
        if tensor.zero_point != 0:
            return f'"{tensor.name}" has a zero point of {tensor.zero_point}, which the reference ignores'
    return None


def shapes(graph: Graph, op: Op) -> str | None:
    """Input is [batches, inputs], feature weights [filters, inputs], time weights [filters, memory], bias [units],
    state [batches, memory · filters], output [batches, units], with filters = units · rank."""
    tensors = [graph.tensor(i) for i in (*op.inputs, op.outputs[0])]
    ranks = [len(t.shape) for t in tensors]
    if ranks != [2, 2, 2, 1, 2, 2]:
        return f"its tensors are {', '.join(describe(t) for t in tensors)}"
    source, features, times, bias, state, output = (t.shape for t in tensors)
    filters, memory = times
    units, left = divmod(filters, op.options.rank)
    expected = [(source[0], source[1]), (filters, source[1]), times, (units,), (source[0], memory * filters)]
    if left or [source, features, times, bias, state] != expected or output != (source[0], units):
        return f"rank {op.options.rank} and {', '.join(describe(t) for t in tensors)} do not fit together"
    return None


def _scales(graph: Graph, op: Op) -> str | None:
    """The bias's scale is the state's times that of the time weights (within 1e-5, as the reference demands)."""
    times, bias, state = (graph.tensor(op.inputs[n]) for n in (TIME_WEIGHTS, BIAS, STATE))
    due = state.scale * times.scale
    return None if abs(bias.scale - due) < _SCALE_TOLERANCE else f"the bias has scale {bias.scale:.6g}, not {due:.6g}"


def _activation(graph: Graph, op: Op) -> str | None:
    """The fused activation is none, or RELU to an output with zero point −128: the reference clamps to int8 only."""
    activation, zero = op.options.activation, graph.output_of(op).zero_point
    if activation == "NONE" or (activation == "RELU" and zero == -128):
        return None
    return f"the fused activation is {activation}, the output's zero point {zero}"


def _accumulators_fit(graph: Graph, op: Op) -> str | None:
    """No sum of products exceeds 31 bits (with an int16 state those over time may, and go round like the reference)."""
    features = constant(graph, op, FEATURE_WEIGHTS)
    bound = 256 * int(np.abs(features.astype(np.int64)).sum(axis=1).max())
    times = constant(graph, op, TIME_WEIGHTS)
    if times.dtype == np.int8:
        unit = np.abs(times.astype(np.int64)).reshape(-1, op.options.rank * times.shape[1]).sum(axis=1)
        bias = np.abs(constant(graph, op, BIAS).astype(np.int64))
        bound = max(bound, int((256 * unit + bias).max()))
    return None if bound <= PRODUCTS_BOUND else "its accumulators can exceed 31 bits"


def constant(graph: Graph, op: Op, position: int) -> NDArray[Any]:
    data = graph.tensor(op.inputs[position]).data
    assert data is not None, op.where
    return data


def _multipliers(graph: Graph, op: Op) -> tuple[tuple[int, int], tuple[int, int]]:
    """From feature sums to the state, from sums over time to the output (`PrepareSvdf`)."""
    source, features, times, _, state = (graph.tensor(i) for i in op.inputs)
    first = source.scale * features.scale / state.scale
    second = state.scale * times.scale / graph.output_of(op).scale
    return quantize_multiplier(first), quantize_multiplier(second)


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    source, state = graph.tensor(op.inputs[INPUT]), graph.tensor(op.inputs[STATE])
    features, times = constant(graph, op, FEATURE_WEIGHTS), constant(graph, op, TIME_WEIGHTS)
    filters, memory = times.shape
    rank = op.options.rank
    rows = rows_in_fours(features)
    feature_bias = -source.zero_point * rows.astype(np.int64).sum(axis=1)
    over_time = times.astype(np.int64).reshape(-1, rank * memory).sum(axis=1)
    bias = constant(graph, op, BIAS).astype(np.int64) - state.zero_point * over_time
    (feature_multiplier, feature_shift), (output_multiplier, output_shift) = _multipliers(graph, op)
    call = KernelCall(
        kernel="mcg_svdf_s16" if times.dtype == np.int16 else "mcg_svdf_s8",
        params=(
            ("batches", source.shape[0]),
            ("inputs", source.shape[1]),
            ("feature_row", source.shape[1]),
            ("filters", filters),
            ("rank", rank),
            ("memory", memory),
            ("feature_multiplier", feature_multiplier),
            ("feature_shift", feature_shift),
            ("state_zero_point", state.zero_point),
            ("output_multiplier", output_multiplier),
            ("output_shift", output_shift),
            ("output_zero_point", graph.output_of(op).zero_point),
        ),
        inputs=(op.inputs[INPUT],),
        constants=(
            Constant("feature_weights", rows, f"[{filters},{source.shape[1]}], and zeros up to whole fours"),
            Constant("feature_bias", feature_bias.astype(np.int32), "the input's zero point"),
            Constant("time_weights", times, f"[{filters},{memory}]"),
            Constant("bias", bias.astype(np.int32), f"[{len(bias)}], the state's zero point folded in"),
        ),
        outputs=(op.outputs[0], op.inputs[STATE]),
    )
    return Lowering((fastest(target, call),))


def macs(graph: Graph, op: Op) -> int:
    features, times = graph.tensor(op.inputs[FEATURE_WEIGHTS]), graph.tensor(op.inputs[TIME_WEIGHTS])
    return graph.tensor(op.inputs[INPUT]).shape[0] * (features.elements + times.elements)


SPEC = OpSpec(
    kind="SVDF",
    lower=_lower,
    constraints=(
        operands,
        not_empty,
        _types,
        weights_and_state,
        _zero_points,
        shapes,
        _scales,
        _activation,
        _accumulators_fit,
    ),
    parse=parse,
    macs=macs,
)
