"""How each operator is quantized: the TFLite int8 quantization specification as a table.

An op that is not in the table cannot be quantized here; the table holds what the reference kernels of
TensorFlow Lite Micro run on int8.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcugen.tflite import detections
from mcugen.tflite.lstm_operands import CELL, GATES, HIDDEN, LSTM, TO_BIAS, TO_RECURRENT

FixedParams = tuple[float, int]


@dataclass(frozen=True)
class Product:
    """Positions of constant weights with one scale, of their int32 bias (None: they have none), and of what they
    are multiplied with."""

    weights: int
    bias: int | None
    data: int


@dataclass(frozen=True)
class Rule:
    """Demands of one operator on its tensors.

    Attributes:
        version: op version that first took int8; written into the operator code.
        same_scale: inputs and outputs share one scale and zero point.
        output: scale and zero point that the kernel demands of its output.
        data: position of the activation that scales the bias.
        weights: position of constant weights, symmetric in [-127, 127].
        axis: the weights' channel axis for one scale per channel; None for one scale in all.
        bias: position of the int32 bias, scale = activation scale · weight scale.
        real: float32 inputs and outputs stay float32, since the kernel does not look at scales; DEQUANTIZE comes
            before, QUANTIZE after.
        final: with `real`, what it gives are results, and constants that it reads no activations: both stay float32.
        products: of ops with several weights.
        tied: positions of inputs that share scale and zero point with the output.
        cell: position of an int16 state with a power of two as its scale and zero point 0.
    """

    version: int = 1
    same_scale: bool = False
    output: FixedParams | None = None
    data: int = 0
    weights: int | None = None
    axis: int | None = None
    bias: int | None = None
    real: bool = False
    final: bool = False
    products: tuple[Product, ...] = ()
    tied: tuple[int, ...] = ()
    cell: int | None = None


_SAME = Rule(version=2, same_scale=True)
_SAME_V1 = Rule(version=1, same_scale=True)
_FREE = Rule(version=2)
_FREE_V1 = Rule(version=1)

RULES: dict[str, Rule] = {
    "CONV_2D": Rule(version=3, weights=1, axis=0, bias=2),
    "DEPTHWISE_CONV_2D": Rule(version=3, weights=1, axis=3, bias=2),
    "TRANSPOSE_CONV": Rule(version=3, data=2, weights=1, axis=0, bias=3),
    # One scale for the whole matrix: per-channel dense weights run wrongly in older runtimes.
    "FULLY_CONNECTED": Rule(version=4, weights=1, bias=2),
    "BATCH_MATMUL": _FREE,
    "ADD": _FREE,
    "SUB": _FREE,
    "MUL": _FREE,
    "DIV": _FREE,
    "SQUARED_DIFFERENCE": _FREE,
    "MEAN": _FREE,
    "SUM": _FREE,
    "RELU": _FREE,
    # The int8 kernel clamps and does not rescale.
    "RELU6": _SAME,
    "LEAKY_RELU": _FREE,
    "PRELU": _FREE_V1,
    "ELU": _FREE_V1,
    "HARD_SWISH": _FREE_V1,
    "ABS": _FREE,
    "RSQRT": _FREE,
    "SOFTMAX": Rule(version=2, output=(1 / 256, -128)),
    "LOGISTIC": Rule(version=2, output=(1 / 256, -128)),
    "TANH": Rule(version=2, output=(1 / 128, 0)),
    "L2_NORMALIZATION": Rule(version=2, output=(1 / 128, 0)),
    "LOG_SOFTMAX": Rule(version=2, output=(16 / 256, 127)),
    "AVERAGE_POOL_2D": _SAME,
    "MAX_POOL_2D": _SAME,
    "REDUCE_MAX": _SAME,
    "REDUCE_MIN": _SAME,
    "MAXIMUM": _SAME,
    "MINIMUM": _SAME,
    "CONCATENATION": _SAME,
    "PAD": _SAME,
    "PADV2": _SAME,
    "MIRROR_PAD": _SAME,
    "VAR_HANDLE": _FREE_V1,
    "READ_VARIABLE": _FREE_V1,
    "ASSIGN_VARIABLE": _FREE_V1,
    "RESHAPE": _SAME_V1,
    "SQUEEZE": _SAME_V1,
    "EXPAND_DIMS": _SAME_V1,
    "TRANSPOSE": _SAME,
    "SLICE": _SAME,
    "STRIDED_SLICE": _SAME,
    "SPLIT": _SAME,
    "SPLIT_V": _SAME,
    "PACK": _SAME,
    "UNPACK": _SAME,
    "GATHER": _SAME,
    "GATHER_ND": _SAME,
    "EMBEDDING_LOOKUP": _SAME_V1,
    "FILL": _SAME_V1,
    "REVERSE_V2": _SAME,
    "BROADCAST_TO": _SAME,
    "SELECT_V2": _SAME_V1,
    "RESIZE_BILINEAR": _SAME,
    "RESIZE_NEAREST_NEIGHBOR": _SAME,
    "SPACE_TO_DEPTH": _SAME,
    "DEPTH_TO_SPACE": _SAME,
    "SPACE_TO_BATCH_ND": _SAME,
    "BATCH_TO_SPACE_ND": _SAME,
    # Outputs of these are no activations (indices, booleans); only their inputs are quantized.
    "ARG_MAX": _FREE,
    "ARG_MIN": _FREE,
    "EQUAL": _FREE,
    "NOT_EQUAL": _FREE,
    "GREATER": _FREE,
    "GREATER_EQUAL": _FREE,
    "LESS": _FREE,
    "LESS_EQUAL": _FREE,
    "SHAPE": _FREE_V1,
    # Numbers that are no activations: booleans, shapes, indices.
    "BROADCAST_ARGS": _FREE_V1,
    "LOGICAL_AND": _FREE_V1,
    "LOGICAL_NOT": _FREE_V1,
    "LOGICAL_OR": _FREE_V1,
    "CAST": Rule(real=True),
    # TensorFlow Lite Micro computes these in float32 alone; each is one number from one.
    **dict.fromkeys(("CEIL", "COS", "EXP", "FLOOR", "LOG", "ROUND", "SIN", "SQRT"), Rule(real=True)),
    detections.KIND: Rule(real=True, final=True),
    "DYNAMIC_UPDATE_SLICE": _SAME_V1,
    "WHILE": _FREE_V1,
    LSTM: Rule(
        version=3,
        products=(
            *(Product(weights, weights + TO_BIAS, 0) for weights in GATES.values()),
            *(Product(weights + TO_RECURRENT, None, HIDDEN) for weights in GATES.values()),
        ),
        tied=(HIDDEN,),
        cell=CELL,
    ),
}

PER_CHANNEL_DENSE: dict[str, Rule] = {**RULES, "FULLY_CONNECTED": Rule(version=12, weights=1, axis=0, bias=2)}
"""The same with one scale per output of a fully connected layer, which the specification has had since version 12."""

WIDE_KINDS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
"""Ops that may have int16 activations while the rest of the model has int8 ones: those that add up products."""
