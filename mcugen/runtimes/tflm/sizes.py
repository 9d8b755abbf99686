"""How much code a firmware with TensorFlow Lite Micro needs: estimated before the build from what its parts need.

Measured by tools/tflm_sizes.py with TFLM of August 2026, CMSIS-NN, BUILD_TYPE=release, GCC 12.2 for Cortex-M4F: the
code that each registration adds to a program that has FULLY_CONNECTED for int8, and what both have in common. Ops share
some of it with each other as well, so sums are a little high.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcugen.runtimes.tflm.resolver import Registration

BASE_BYTES = 11_072
"""The interpreter and the emitted `mcg_model_*` functions."""

DOUBLES_BYTES = 8_450
"""Less for Cortex-M55, whose FPU computes in double precision, as others do in software."""

RESOURCE_BYTES = 700
"""Resource variables."""

REPLACE_BYTES = 15_700
"""All that replacing the model takes: the flatbuffer verifier, SHA-256, checks."""

UNKNOWN_BYTES = 2_000
"""A custom op of the user's own."""

CODE_BYTES: Mapping[str, int] = {
    "ABS": 984,
    "ADD": 10720,
    "ADD*": 5184,
    "ADD**": 4256,
    "ADD_N": 1688,
    "ARG_MAX": 1368,
    "ARG_MIN": 1368,
    "ASSIGN_VARIABLE": 536,
    "AVERAGE_POOL_2D": 4072,
    "AVERAGE_POOL_2D*": 3496,
    "AVERAGE_POOL_2D**": 3440,
    "BATCH_MATMUL": 7180,
    "BATCH_MATMUL*": 4684,
    "BATCH_TO_SPACE_ND": 1176,
    "BROADCAST_ARGS": 888,
    "BROADCAST_TO": 1328,
    "CALL_ONCE": 280,
    "CAST": 1720,
    "CEIL": 536,
    "CIRCULAR_BUFFER": 952,
    "CONCATENATION": 3192,
    "CONV_2D": 24948,
    "CONV_2D*": 7988,
    "CONV_2D**": 6780,
    "COS": 4456,
    "CUMSUM": 2008,
    "DEPTHWISE_CONV_2D": 17252,
    "DEPTHWISE_CONV_2D*": 8644,
    "DEPTHWISE_CONV_2D**": 4300,
    "DEPTH_TO_SPACE": 1464,
    "DEQUANTIZE": 824,
    "DIV": 6584,
    "DYNAMIC_UPDATE_SLICE": 2328,
    "ELU": 2136,
    "EMBEDDING_LOOKUP": 2136,
    "EQUAL": 7672,
    "EXP": 1176,
    "EXPAND_DIMS": 568,
    "FILL": 728,
    "FLOOR": 376,
    "FLOOR_DIV": 2264,
    "FLOOR_MOD": 2376,
    "FULLY_CONNECTED": 3988,
    "FULLY_CONNECTED*": 0,
    "FULLY_CONNECTED**": 1280,
    "GATHER": 1784,
    "GATHER_ND": 1368,
    "GREATER": 9208,
    "GREATER_EQUAL": 6552,
    "HARD_SWISH": 1280,
    "IF": 888,
    "L2_NORMALIZATION": 1888,
    "L2_POOL_2D": 3112,
    "LEAKY_RELU": 1184,
    "LESS": 6552,
    "LESS_EQUAL": 6552,
    "LOG": 1057,
    "LOGICAL_AND": 1464,
    "LOGICAL_NOT": 344,
    "LOGICAL_OR": 1464,
    "LOGISTIC": 4964,
    "LOG_SOFTMAX": 5884,
    "MAXIMUM": 6744,
    "MAXIMUM*": 1464,
    "MAX_POOL_2D": 4296,
    "MAX_POOL_2D*": 3688,
    "MAX_POOL_2D**": 3632,
    "MEAN": 5120,
    "MINIMUM": 6744,
    "MINIMUM*": 1464,
    "MIRROR_PAD": 952,
    "MUL": 8772,
    "MUL*": 5348,
    "NEG": 248,
    "NOT_EQUAL": 7608,
    "PACK": 1304,
    "PAD": 3864,
    "PAD*": 1560,
    "PADV2": 3864,
    "PRELU": 3864,
    "QUANTIZE": 1976,
    "READ_VARIABLE": 312,
    "REDUCE_ALL": 1208,
    "REDUCE_MAX": 1912,
    "REDUCE_MIN": 1912,
    "RELU": 1024,
    "RELU6": 896,
    "RESHAPE": 952,
    "RESIZE_BILINEAR": 2680,
    "RESIZE_NEAREST_NEIGHBOR": 2520,
    "REVERSE_V2": 4440,
    "ROUND": 600,
    "RSQRT": 1920,
    "SELECT_V2": 6168,
    "SHAPE": 312,
    "SIN": 4488,
    "SLICE": 2360,
    "SOFTMAX": 7672,
    "SOFTMAX*": 6648,
    "SOFTMAX**": 3360,
    "SPACE_TO_BATCH_ND": 1336,
    "SPACE_TO_DEPTH": 1464,
    "SPLIT": 1528,
    "SPLIT_V": 1592,
    "SQRT": 544,
    "SQUARE": 312,
    "SQUARED_DIFFERENCE": 6264,
    "SQUEEZE": 632,
    "STRIDED_SLICE": 10808,
    "SUB": 8836,
    "SUM": 4448,
    "SVDF": 7600,
    "SVDF*": 4848,
    "SignalDelay": 1192,
    "SignalEnergy": 556,
    "SignalFftAutoScale": 492,
    "SignalFilterBank": 1072,
    "SignalFilterBankLog": 980,
    "SignalFilterBankSpectralSubtraction": 1024,
    "SignalFilterBankSquareRoot": 724,
    "SignalFramer": 1516,
    "SignalIrfft": 21177,
    "SignalOverlapAdd": 4421,
    "SignalPCAN": 904,
    "SignalRfft": 21209,
    "SignalStacker": 1228,
    "SignalWindow": 748,
    "TANH": 5313,
    "TFLM_DECODE": 18640,
    "TFLite_Detection_PostProcess": 10321,
    "TRANSPOSE": 1944,
    "TRANSPOSE*": 1048,
    "TRANSPOSE_CONV": 12768,
    "TRANSPOSE_CONV*": 10432,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 14836,
    "UNIDIRECTIONAL_SEQUENCE_LSTM*": 9081,
    "UNIDIRECTIONAL_SEQUENCE_LSTM**": 9185,
    "UNPACK": 1112,
    "VAR_HANDLE": 440,
    "WHILE": 1208,
    "ZEROS_LIKE": 440,
}
"""Op → bytes of its registration; with a star, of the one for int8 only, with two, of that for int16 only."""


SHARED_BYTES: Mapping[str, int] = {
    "ADD": 4096,
    "ADD*": 3808,
    "ADD**": 3840,
    "ARG_MAX": 832,
    "ARG_MIN": 832,
    "ASSIGN_VARIABLE": 544,
    "AVERAGE_POOL_2D": 2496,
    "AVERAGE_POOL_2D*": 2496,
    "AVERAGE_POOL_2D**": 2496,
    "CALL_ONCE": 128,
    "CAST": 928,
    "CIRCULAR_BUFFER": 800,
    "CONCATENATION": 928,
    "CONV_2D": 6752,
    "CONV_2D*": 6432,
    "CONV_2D**": 4256,
    "DEPTHWISE_CONV_2D": 4320,
    "DEPTHWISE_CONV_2D*": 4320,
    "DEPTHWISE_CONV_2D**": 4320,
    "DEQUANTIZE": 2848,
    "DIV": 4096,
    "FULLY_CONNECTED": 16336,
    "FULLY_CONNECTED*": 16528,
    "FULLY_CONNECTED**": 5616,
    "HARD_SWISH": 3712,
    "LEAKY_RELU": 3712,
    "LOGISTIC": 3456,
    "MAXIMUM": 832,
    "MAXIMUM*": 832,
    "MAX_POOL_2D": 2432,
    "MAX_POOL_2D*": 2464,
    "MAX_POOL_2D**": 2464,
    "MEAN": 3424,
    "MINIMUM": 832,
    "MINIMUM*": 832,
    "MUL": 4096,
    "MUL*": 3840,
    "PAD": 960,
    "PAD*": 672,
    "PADV2": 928,
    "PRELU": 3712,
    "QUANTIZE": 3776,
    "READ_VARIABLE": 544,
    "REDUCE_ALL": 3072,
    "REDUCE_MAX": 3072,
    "REDUCE_MIN": 3072,
    "RELU": 3808,
    "RELU6": 1888,
    "RESHAPE": 608,
    "SOFTMAX": 3840,
    "SOFTMAX*": 3520,
    "SOFTMAX**": 3488,
    "SPLIT_V": 544,
    "STRIDED_SLICE": 928,
    "SUB": 4128,
    "SUM": 3104,
    "SVDF": 7552,
    "SVDF*": 7520,
    "TRANSPOSE": 928,
    "TRANSPOSE*": 640,
    "TRANSPOSE_CONV": 4352,
    "TRANSPOSE_CONV*": 4032,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 4672,
    "UNIDIRECTIONAL_SEQUENCE_LSTM*": 4640,
    "UNIDIRECTIONAL_SEQUENCE_LSTM**": 4640,
    "VAR_HANDLE": 128,
}
"""What a registration has in common with FULLY_CONNECTED for int8: it comes along once, whichever of them is there."""

TYPICAL_SHARED_BYTES = 2_500
"""The same of ops that were not measured."""


def code_bytes(found: Sequence[Registration], *, optimised: bool, m55: bool, resources: bool, replaceable: bool) -> int:
    """Estimate of the code of a model and its interpreter, in bytes.

    Args:
        optimised: with CMSIS-NN; without it the registrations for int8 only are the general ones.
        m55: for Cortex-M55 with its FPU.
        resources: the model has resource variables.
        replaceable: the model can be replaced.
    """
    total = BASE_BYTES + RESOURCE_BYTES * resources + REPLACE_BYTES * replaceable
    shared = 0
    for registration in found:
        name = registration.custom_name or registration.kind
        typed = name + _mark(registration, optimised)
        total += CODE_BYTES.get(typed, CODE_BYTES.get(name, UNKNOWN_BYTES))
        shared = max(shared, SHARED_BYTES.get(typed, SHARED_BYTES.get(name, TYPICAL_SHARED_BYTES)))
    return total + shared - (min(DOUBLES_BYTES, shared) if m55 else 0)


def _mark(registration: Registration, optimised: bool) -> str:
    """What follows the op's name in CODE_BYTES."""
    if registration.only is None or not optimised:
        return ""
    return "*" if registration.int8 is not None else "**"
