"""What ops with weights share: constraints, the folded bias, and the way to the output's scale.

TFLM computes acc = Σ (x − zx)(w − zw) + bias, then requantizes with double rounding. The part of it that does not
depend on x is folded into the bias here:

    acc = Σ x·w − zw·Σ x + bias',   bias' = bias − zx·Σ w + depth·zx·zw
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.numerics.quantized import activation_range, quantize_multiplier
from mcugen.ops import checks
from mcugen.ops.base import Constant, ParamValue
from mcugen.ops.common import describe

ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")

_INT32_MAX = (1 << 31) - 1
_SCHEMA_INT32 = 2
_SCALE_DOWN_LIMIT = (1 << 30) - 1


@dataclass(frozen=True, eq=False)
class OutputStage:
    """How accumulators become int8 outputs (`mcg_output_stage` in mcg_filter_s8.h).

    `params` are the last fields of a kernel's parameter struct; `constants` are the bias, multiplier and shift
    arrays that kernels take after the weights.
    """

    params: tuple[tuple[str, ParamValue], ...]
    constants: tuple[Constant, ...]


def weights_of(graph: Graph, op: Op) -> NDArray[np.int8]:
    """The filter's values, in its own layout."""
    data = graph.tensor(op.inputs[1]).data
    assert data is not None, op.where
    return data


def bias_of(graph: Graph, op: Op, channels: int) -> NDArray[np.int64]:
    """The bias as [channels]; zeros if the op has none."""
    bias = graph.input_of(op, 2)
    if bias is None:
        return np.zeros(channels, np.int64)
    assert bias.data is not None, op.where
    return bias.data.reshape(-1).astype(np.int64)


def asks_for_int32_sums(raw: Any) -> bool:
    """Whether a schema options object wants the bias of int16 activations to be int32 (also where there is none)."""
    return getattr(raw, "quantizedBiasType", 0) == _SCHEMA_INT32


def effective_scales(graph: Graph, op: Op) -> list[float]:
    """input scale · filter scale / output scale, per channel or once, in doubles.

    That is `PopulateConvolutionQuantizationParams` for convolutions and for fully connected layers with weights
    per channel. Per tensor, older TFLM sources round the product of the two scales of a fully connected layer to
    float32 first (`GetQuantizedConvolutionMultipler`); the oracle does not, as its outputs at ties show.
    """
    image, weights, output = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1]), graph.output_of(op)
    assert weights.quant is not None, op.where
    return [image.scale * scale / output.scale for scale in weights.quant.scale]


def accumulator_bound(rows: NDArray[np.int8], bias: NDArray[np.int64], weights_zero: int = 0) -> int:
    """No accumulator, at any time and in whatever order it is summed up, exceeds this in magnitude.

    `rows` is [channels, depth]. An input and its zero point are at most 128 each.
    """
    weights = np.abs(rows.astype(np.int64)).sum(axis=1) + abs(weights_zero) * rows.shape[1]
    return int((np.abs(bias) + 256 * weights).max())


def output_stage(
    graph: Graph,
    op: Op,
    rows: NDArray[np.int8],
    scales: Sequence[float],
    activation: str,
    weights_zero: int = 0,
) -> OutputStage:
    """Fold the bias and compute multipliers, shifts and clamps.

    Args:
        rows: weights as [channels, depth].
        scales: effective scales, one per channel or one for all.
        activation: fused activation.
        weights_zero: the weights' zero point.
    """
    image, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    assert output.quant is not None, op.where
    bias = bias_of(graph, op, rows.shape[0])
    folded = bias - image.zero_point * (rows.astype(np.int64).sum(axis=1) - rows.shape[1] * weights_zero)
    multipliers, shifts = _multipliers(scales)
    scale_down = max(shifts) < 0 and accumulator_bound(rows, bias, weights_zero) <= _SCALE_DOWN_LIMIT
    low, high = activation_range(activation, output.quant)
    return OutputStage(
        params=(
            ("per_channel", int(len(scales) > 1)),
            ("scale_down", int(scale_down)),
            ("output_zero_point", output.zero_point),
            ("output_min", low),
            ("output_max", high),
        ),
        constants=(
            Constant("bias", folded.astype(np.int32), f"[{len(folded)}], the input's zero point folded in"),
            Constant("multiplier", np.array(multipliers, np.int32), f"[{len(scales)}], Q31"),
            Constant("shift", np.array(shifts, np.int8), f"[{len(scales)}], negative to the right"),
        ),
    )


def _multipliers(scales: Sequence[float]) -> tuple[list[int], list[int]]:
    pairs = [quantize_multiplier(scale) for scale in scales]
    # A multiplier of 0 gives 0 with any shift; to the right keeps the short requantization possible.
    return [m for m, _ in pairs], [shift if m else -1 for m, shift in pairs]


def int8_with_int32_bias(graph: Graph, op: Op) -> str | None:
    """Input and output are int8, with one scale each, above zero; the filter is int8, the bias (if any) int32.

    Filters of CONV_2D and FULLY_CONNECTED may be int4.
    """
    if len(op.inputs) not in (2, 3) or len(op.outputs) != 1 or min(op.inputs[:2]) < 0:
        return f"it has {len(op.inputs)} inputs and {len(op.outputs)} outputs"
    problem = checks.int8_in_and_out(graph, op)
    if problem:
        return problem
    weights, bias = graph.tensor(op.inputs[1]), graph.input_of(op, 2)
    # int4 was unpacked when the model was read. The reference takes it in no other op without failing.
    wanted = (DType.INT8, DType.INT4) if op.kind in ("CONV_2D", "FULLY_CONNECTED") else (DType.INT8,)
    if weights.dtype not in wanted:
        return f'the filter "{weights.name}" is {weights.dtype.value}, not {" or ".join(t.value for t in wanted)}'
    if weights.quant is None:
        return f'the filter "{weights.name}" has no quantization'
    if bias is not None and bias.dtype is not DType.INT32:
        return f'the bias "{bias.name}" is {bias.dtype.value}, not int32'
    return None


def constant_weights(graph: Graph, op: Op) -> str | None:
    """Filter and bias are constants."""
    for role, tensor in (("filter", graph.input_of(op, 1)), ("bias", graph.input_of(op, 2))):
        if tensor is not None and tensor.data is None:
            return f'the {role} "{tensor.name}" is computed by the model'
    return None


def known_activation(graph: Graph, op: Op) -> str | None:
    """The fused activation is none, RELU, RELU6 or RELU_N1_TO_1, and the output's scale can express its limits."""
    activation, scale = op.options.activation, graph.output_of(op).scale
    if activation not in ACTIVATIONS:
        return f"the fused activation is {activation}"
    if activation in ("RELU6", "RELU_N1_TO_1") and 6.0 / scale > _INT32_MAX:
        return f"the output's scale {scale} is too small for {activation}"
    return None


def bias_size_problem(graph: Graph, op: Op, channels: int) -> str | None:
    """What is wrong with the bias's shape, or None."""
    bias = graph.input_of(op, 2)
    if bias is not None and bias.elements != channels:
        return f"the bias {describe(bias)} does not have one entry for each of {channels} output channels"
    return None


def channel_scales_problem(weights: Tensor, axis: int, *, zero_point_allowed: bool = False) -> str | None:
    """What is wrong with the filter's quantization, output channels lying along `axis`, or None."""
    assert weights.quant is not None, weights.name
    quant = weights.quant
    if quant.per_channel and quant.axis != axis:
        return f"the filter is quantized along axis {quant.axis}, its output channels lie along axis {axis}"
    if quant.per_channel and len(quant.scale) != weights.shape[axis]:
        return f"the filter has {len(quant.scale)} scales for {weights.shape[axis]} output channels"
    if any(quant.zero_point) and (quant.per_channel or not zero_point_allowed):
        # TFLM would ignore it, and so compute something else than the model says.
        return f"the filter has a zero point of {next(z for z in quant.zero_point if z)}, not 0"
    return None


def overflow_problem(graph: Graph, op: Op, rows: NDArray[np.int8], weights_zero: int = 0) -> str | None:
    """Whether an accumulator could overflow (which is undefined in the reference), or None."""
    bound = accumulator_bound(rows, bias_of(graph, op, rows.shape[0]), weights_zero)
    if bound > _INT32_MAX:
        return f"its accumulator can reach 2^{math.log2(bound):.1f}, more than 32 bits hold"
    return None
