"""UNIDIRECTIONAL_SEQUENCE_LSTM: int8 inputs and hidden state, int16 cell state, no peepholes or projection."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.numerics.quantized import quantize_multiplier
from mcugen.numerics.sigmoid_table import sigmoid_table
from mcugen.ops.base import Constant, Constraint, KernelCall, Lowering, OpSpec, ParamValue, Target
from mcugen.ops.checks import not_empty, quantization_problem
from mcugen.ops.common import describe, fused_activation_name
from mcugen.ops.keeping.recurrent import PRODUCTS_BOUND
from mcugen.ops.variants import fastest
from mcugen.tflite import lstm_operands
from mcugen.tflite.lstm_operands import ABSENT, CELL, HIDDEN, LSTM, OPERANDS, TO_BIAS, TO_RECURRENT

GATES = tuple(lstm_operands.GATES[name] for name in ("forget", "input", "cell", "output"))
"""Positions of the gates' input weights, in the order in which kernels have them."""

GATE_SCALE = 2.0**-12
"""Of the sums that go into sigmoid and tanh."""
_FRACTION_SCALE = 2.0**-15
"""Of what comes out of them."""


@dataclass(frozen=True)
class LstmOptions:
    activation: str
    cell_clip: float
    time_major: bool


@dataclass(frozen=True)
class _Sizes:
    batches: int
    steps: int
    inputs: int
    units: int


def parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> LstmOptions:
    if raw is None:
        raise ValueError("it has no options")
    return LstmOptions(
        fused_activation_name(raw.fusedActivationFunction), float(np.float32(raw.cellClip)), bool(raw.timeMajor)
    )


def operands(_graph: Graph, op: Op) -> str | None:
    """24 inputs, of which those of peepholes, projection and layer normalization are absent; one output."""
    if len(op.inputs) != OPERANDS or len(op.outputs) != 1:
        return f"it has {len(op.inputs)} inputs and {len(op.outputs)} outputs"
    for position, i in enumerate(op.inputs):
        if (i >= 0) == (position in ABSENT):
            return f"its input {position} is {'given' if i >= 0 else 'absent'}"
    return None


def quantized_types(activations: DType, biases: DType) -> Constraint:
    """The constraint on the types of a quantized LSTM's tensors."""

    def types(graph: Graph, op: Op) -> str | None:
        wanted = [(i, activations) for i in (op.inputs[0], op.outputs[0], op.inputs[HIDDEN])]
        wanted += [*((i, DType.INT8) for i in weights_ids(op)), (op.inputs[CELL], DType.INT16)]
        for i, dtype in wanted:
            problem = quantization_problem(graph.tensor(i), (dtype,))
            if problem:
                return problem
        for i in bias_ids(op):
            if graph.tensor(i).dtype is not biases:
                return f'the bias "{graph.tensor(i).name}" is {graph.tensor(i).dtype.value}, not {biases.value}'
        return None

    types.__doc__ = (
        f"Input, hidden state and output are {activations.value}, weights int8, biases {biases.value}, the cell state "
        "int16; quantized per tensor, with scales above zero."
    )
    return types


def weights_ids(op: Op) -> list[int]:
    """The gates' weights of the input, then those of the hidden state."""
    return [op.inputs[p] for p in GATES] + [op.inputs[p + TO_RECURRENT] for p in GATES]


def bias_ids(op: Op) -> list[int]:
    return [op.inputs[p + TO_BIAS] for p in GATES]


def weights_and_states(graph: Graph, op: Op) -> str | None:
    """Weights and biases are constants, both states are variable tensors."""
    for i in (*weights_ids(op), *bias_ids(op)):
        if not graph.tensor(i).is_const:
            return f'"{graph.tensor(i).name}" is computed by the model'
    for state in (graph.tensor(op.inputs[HIDDEN]), graph.tensor(op.inputs[CELL])):
        if not state.is_state:
            return f'the state "{state.name}" is no variable tensor'
    return None


def zero_points(graph: Graph, op: Op) -> str | None:
    """Weights and the cell state have zero point 0; the output is quantized as the hidden state."""
    hidden, output = graph.tensor(op.inputs[HIDDEN]), graph.output_of(op)
    for tensor in (*(graph.tensor(i) for i in weights_ids(op)), graph.tensor(op.inputs[CELL])):
        if tensor.zero_point != 0:
            return f'"{tensor.name}" has a zero point of {tensor.zero_point}, which the reference takes for 0'
    if (hidden.scale, hidden.zero_point) != (output.scale, output.zero_point):
        return "output and hidden state are quantized differently, and the reference copies without converting"
    return None


def shapes(graph: Graph, op: Op) -> str | None:
    """Input is [batches, steps, inputs], or [steps, batches, inputs] where time is major, the output likewise with the
    units; weights are [units, inputs] and [units, units], biases [units], states hold batches · units."""
    source, hidden = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[HIDDEN])
    if len(source.shape) != 3 or len(hidden.shape) != 2:
        return f"the input is {describe(source)}, the hidden state {describe(hidden)}"
    sizes = sizes_of(graph, op)
    units = sizes.units
    expected = [
        *((op.inputs[p], (units, sizes.inputs)) for p in GATES),
        *((op.inputs[p + TO_RECURRENT], (units, units)) for p in GATES),
        *((i, (units,)) for i in bias_ids(op)),
        (op.outputs[0], (*source.shape[:2], units)),
    ]
    for i, shape in expected:
        if graph.tensor(i).shape != shape:
            return f'"{graph.tensor(i).name}" is {describe(graph.tensor(i))}, not of shape {list(shape)}'
    for i in (op.inputs[HIDDEN], op.inputs[CELL]):
        if graph.tensor(i).elements != sizes.batches * units:
            return f"a state is {describe(graph.tensor(i))}, not of {sizes.batches} batches of {units} units"
    return None


def tanh_activation(_graph: Graph, op: Op) -> str | None:
    """The activation is TANH."""
    return None if op.options.activation == "TANH" else f"the activation is {op.options.activation}"


def state_scales(graph: Graph, op: Op) -> str | None:
    """The hidden state's scale is at least 2^-30, the cell state's between 2^-27 and 1 and not above a cell clip."""
    hidden, cell = graph.tensor(op.inputs[HIDDEN]).scale, graph.tensor(op.inputs[CELL]).scale
    clip = op.options.cell_clip
    if 0 < clip < cell:
        return f"cells are clipped to {clip:.6g}, less than their scale of {cell:.6g}"
    if hidden < 2.0**-30 or not 2.0**-27 <= cell <= 1.0:
        return f"the hidden state's scale is {hidden:.6g}, the cell state's {cell:.6g}"
    return None


def _accumulators_fit(graph: Graph, op: Op) -> str | None:
    """No sum of products and bias exceeds 31 bits."""
    biases = [*(np.abs(data_of(graph, i).astype(np.int64)) for i in bias_ids(op)), *([np.int64(0)] * len(GATES))]
    for i, bias in zip(weights_ids(op), biases, strict=True):
        sums = 256 * np.abs(data_of(graph, i).astype(np.int64)).sum(axis=1) + bias
        if int(sums.max()) > PRODUCTS_BOUND:
            return f'the sums of "{graph.tensor(i).name}" can exceed 31 bits'
    return None


def data_of(graph: Graph, tensor: int) -> NDArray[Any]:
    data = graph.tensor(tensor).data
    assert data is not None, graph.tensor(tensor).name
    return data


def sizes_of(graph: Graph, op: Op) -> _Sizes:
    first, second, inputs = graph.tensor(op.inputs[0]).shape
    batches, steps = (second, first) if op.options.time_major else (first, second)
    return _Sizes(batches, steps, inputs, graph.tensor(op.inputs[HIDDEN]).shape[1])


def _strides(sizes: _Sizes, depth: int, time_major: bool) -> tuple[int, int]:
    """Elements from one batch to the next, and from one step to the next."""
    return (depth, sizes.batches * depth) if time_major else (sizes.steps * depth, depth)


def side_by_side(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """[gates][units, …] → [units, gates, …]."""
    return np.ascontiguousarray(np.stack(arrays, axis=1))


def _folded(rows: NDArray[Any], zero_point: int, bias: NDArray[Any] | int) -> NDArray[np.int32]:
    """The biases of one gate with what the zero point of the vector contributes."""
    return np.asarray(bias - zero_point * rows.astype(np.int64).sum(axis=1)).astype(np.int32)


def _tanh_input(cell_scale: float) -> tuple[int, int]:
    """How a cell becomes tanh's argument: times 3 · 2^n, or times 3 and 2^n to the right (`lstm_internal::Tanh`)."""
    shift = 12 + math.floor(math.log2(cell_scale) + 0.5)
    return (3 << shift, 0) if shift >= 0 else (3, -shift)


def _cell_clip(clip: float, cell_scale: float) -> int:
    """The limit in units of the cell, 0 for none (`CreateLstmCellStateInfo`)."""
    return int(min(max(clip / cell_scale, -32768.0), 32767.0)) if clip > 0 else 0


Factor = Callable[[float], tuple[int, int]]
"""A real factor as multiplier and shift."""


def _gate_factors(scale: float, weights: Sequence[Tensor], factor: Factor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of the gates' sums: from `scale` times the weights' scale to that of a gate."""
    pairs = [factor(scale * tensor.scale / GATE_SCALE) for tensor in weights]
    return tuple(multiplier for multiplier, _ in pairs), tuple(shift for _, shift in pairs)


def size_params(graph: Graph, op: Op) -> tuple[tuple[str, ParamValue], ...]:
    """The first fields of every LSTM kernel's parameter struct."""
    sizes = sizes_of(graph, op)
    return ("batches", sizes.batches), ("steps", sizes.steps), ("inputs", sizes.inputs), ("units", sizes.units)


def stride_params(graph: Graph, op: Op) -> tuple[tuple[str, ParamValue], ...]:
    """The fields that tell how batches and steps lie in input and output."""
    sizes, time_major = sizes_of(graph, op), op.options.time_major
    return (
        ("input_strides", _strides(sizes, sizes.inputs, time_major)),
        ("output_strides", _strides(sizes, sizes.units, time_major)),
    )


def quantized_params(graph: Graph, op: Op, factor: Factor) -> tuple[tuple[str, ParamValue], ...]:
    """The fields of the quantized LSTM kernels' parameter struct; `factor` is how sums become gates."""
    source, hidden = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[HIDDEN])
    cell_scale = graph.tensor(op.inputs[CELL]).scale
    sizes = sizes_of(graph, op)
    weights = [graph.tensor(i) for i in weights_ids(op)]
    input_multiplier, input_shift = _gate_factors(source.scale, weights[: len(GATES)], factor)
    recurrent_multiplier, recurrent_shift = _gate_factors(hidden.scale, weights[len(GATES) :], factor)
    forget = quantize_multiplier(_FRACTION_SCALE * cell_scale / cell_scale)
    update = quantize_multiplier(_FRACTION_SCALE * _FRACTION_SCALE / cell_scale)
    output = quantize_multiplier(_FRACTION_SCALE * _FRACTION_SCALE / hidden.scale)
    tanh_multiplier, tanh_right = _tanh_input(cell_scale)
    return (
        *size_params(graph, op),
        ("input_row", sizes.inputs),
        ("recurrent_row", sizes.units),
        *stride_params(graph, op),
        ("input_multiplier", input_multiplier),
        ("input_shift", input_shift),
        ("recurrent_multiplier", recurrent_multiplier),
        ("recurrent_shift", recurrent_shift),
        ("cell_multiplier", (forget[0], update[0])),
        ("cell_shift", (forget[1], update[1])),
        ("cell_clip", _cell_clip(op.options.cell_clip, cell_scale)),
        ("tanh_multiplier", tanh_multiplier),
        ("tanh_right", tanh_right),
        ("hidden_multiplier", output[0]),
        ("hidden_shift", output[1]),
        ("hidden_zero_point", hidden.zero_point),
    )


def weights_constants(graph: Graph, op: Op) -> tuple[Constant, Constant]:
    """The weights of the input and of the hidden state, those of a unit's four gates side by side."""
    sizes = sizes_of(graph, op)
    weights = [data_of(graph, i) for i in weights_ids(op)]
    return (
        Constant("input_weights", side_by_side(weights[: len(GATES)]), f"[{sizes.units},4,{sizes.inputs}]"),
        Constant("recurrent_weights", side_by_side(weights[len(GATES) :]), f"[{sizes.units},4,{sizes.units}]"),
    )


def table_constant() -> Constant:
    """What sigmoid and tanh interpolate."""
    return Constant("table", sigmoid_table().view(np.int16), "sigmoid, uint16")


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    source, hidden = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[HIDDEN])
    weights = [data_of(graph, i) for i in weights_ids(op)]
    biases = [data_of(graph, i).astype(np.int64) for i in bias_ids(op)]
    from_input = [_folded(w, source.zero_point, b) for w, b in zip(weights[: len(GATES)], biases, strict=True)]
    from_hidden = [_folded(w, hidden.zero_point, 0) for w in weights[len(GATES) :]]
    input_weights, recurrent_weights = weights_constants(graph, op)
    units = sizes_of(graph, op).units
    call = KernelCall(
        kernel="mcg_lstm_s8",
        params=quantized_params(graph, op, quantize_multiplier),
        inputs=(op.inputs[0],),
        constants=(
            input_weights,
            Constant("input_bias", side_by_side(from_input), f"[{units},4], the input's zero point folded in"),
            recurrent_weights,
            Constant("recurrent_bias", side_by_side(from_hidden), f"[{units},4], the hidden state's zero point"),
            table_constant(),
        ),
        outputs=(op.outputs[0], op.inputs[HIDDEN], op.inputs[CELL]),
    )
    return Lowering((fastest(target, call),))


def macs(graph: Graph, op: Op) -> int:
    sizes = sizes_of(graph, op)
    return 4 * sizes.batches * sizes.steps * sizes.units * (sizes.inputs + sizes.units)


SPEC = OpSpec(
    kind=LSTM,
    lower=_lower,
    constraints=(
        operands,
        not_empty,
        quantized_types(DType.INT8, DType.INT32),
        weights_and_states,
        zero_points,
        shapes,
        tanh_activation,
        state_scales,
        _accumulators_fit,
    ),
    parse=parse,
    macs=macs,
)
