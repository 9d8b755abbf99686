"""Functions of one int16 tensor: RELU, RELU6, LEAKY_RELU, ABS, RSQRT, LOGISTIC and TANH."""

from __future__ import annotations

import math

import numpy as np

from mcugen.graph.types import Graph, Op
from mcugen.numerics import fixed_point as fx
from mcugen.numerics.function_tables import rsqrt_factor
from mcugen.numerics.int16_tables import binary_logarithm, sigmoid_factor
from mcugen.numerics.quantized import INT16_MAX, INT16_MIN, quantize_multiplier
from mcugen.numerics.sigmoid_table import sigmoid_table
from mcugen.ops import symmetric
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, ParamValue, Target
from mcugen.ops.checks import keeps_quantization, not_empty, one_input, same_shape
from mcugen.ops.elementwise import leaky_relu

_RSQRT_BITS = 20
_CONSTRAINTS = (one_input, not_empty, symmetric.in_and_out, same_shape)


def _call(
    graph: Graph, op: Op, kernel: str, *params: tuple[str, ParamValue], table: Constant | None = None
) -> Lowering:
    call = KernelCall(
        kernel=kernel,
        params=(("count", graph.output_of(op).elements), *params),
        inputs=op.inputs,
        outputs=op.outputs,
        constants=() if table is None else (table,),
        inplace=(0,),
    )
    return Lowering((call,))


def _quotient(graph: Graph, op: Op) -> float:
    """The input's scale by the output's, in double: see `relu_table` in mcugen.numerics.tables."""
    return graph.tensor(op.inputs[0]).scale / graph.output_of(op).scale


def _slopes(graph: Graph, op: Op) -> tuple[tuple[int, int], tuple[int, int]]:
    """Factors of inputs from zero upwards, and of negative ones without their sign."""
    positive = _quotient(graph, op)
    if op.kind != "LEAKY_RELU":
        return quantize_multiplier(positive), quantize_multiplier(positive)
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    return quantize_multiplier(positive), quantize_multiplier(source.scale * abs(op.options.alpha) / output.scale)


def _scaled_fit(graph: Graph, op: Op) -> str | None:
    """Inputs, scaled to the output, fit 32 bits."""
    if op.kind == "LEAKY_RELU" and not math.isfinite(op.options.alpha):
        return f"alpha is {op.options.alpha}"
    if any(-INT16_MIN << max(shift, 0) >= 1 << 31 for _, shift in _slopes(graph, op)):
        return "the output's scale is so small that the reference's 32-bit arithmetic overflows"
    return None


def _six(graph: Graph, op: Op) -> int:
    """6 in steps of the input's scale; a float32 division."""
    return math.floor(float(np.float32(6.0) / np.float32(graph.tensor(op.inputs[0]).scale)) + 0.5)


def _six_fits(graph: Graph, op: Op) -> str | None:
    """6 is within the input's int16 range: the reference refuses a scale that is too small for it."""
    return None if _six(graph, op) <= INT16_MAX else f"6 is {_six(graph, op)} steps of the input's scale"


def _lower_slopes(graph: Graph, op: Op, _target: Target) -> Lowering:
    (multiplier1, shift1), (multiplier2, shift2) = _slopes(graph, op)
    falls = op.kind == "LEAKY_RELU" and op.options.alpha < 0
    return _call(
        graph,
        op,
        "mcg_two_slopes_s16",
        ("multiplier1", multiplier1),
        ("shift1", shift1),
        ("multiplier2", multiplier2),
        ("shift2", shift2),
        ("sign2", -1 if falls else 1),
        ("min", INT16_MIN if op.kind == "LEAKY_RELU" else 0),
        ("max", _six(graph, op) if op.kind == "RELU6" else INT16_MAX),
    )


def _lower_abs(graph: Graph, op: Op, _target: Target) -> Lowering:
    multiplier, shift = quantize_multiplier(_quotient(graph, op))
    return _call(graph, op, "mcg_abs_s16", ("multiplier", multiplier), ("shift", shift))


def _rsqrt_factor(graph: Graph, op: Op) -> tuple[int, int]:
    multiplier, shift = rsqrt_factor(graph.tensor(op.inputs[0]).scale, graph.output_of(op).scale)
    return multiplier, shift - _RSQRT_BITS


def _rsqrt_fits(graph: Graph, op: Op) -> str | None:
    """The scales are such that the reference's 32-bit arithmetic does not overflow."""
    multiplier, shift = _rsqrt_factor(graph, op)
    try:
        if shift < -31:
            raise OverflowError("the output's is so large that the reference shifts by more than 31 bits")
        fx.requantize(1 << _RSQRT_BITS, multiplier, shift)
    except OverflowError as error:
        return f"the scales are out of range: {error}"
    return None


def _lower_rsqrt(graph: Graph, op: Op, _target: Target) -> Lowering:
    multiplier, shift = _rsqrt_factor(graph, op)
    return _call(graph, op, "mcg_rsqrt_s16", ("multiplier", multiplier), ("shift", shift))


def _sigmoid_factor(graph: Graph, op: Op) -> tuple[int, int]:
    return sigmoid_factor(graph.tensor(op.inputs[0]).scale, (0, 1) if op.kind == "TANH" else (0,))


def _input_scale(graph: Graph, op: Op) -> str | None:
    """The input's scale is at most 2.66, and not so small that nothing is left of it."""
    try:
        _sigmoid_factor(graph, op)
    except OverflowError as error:
        return str(error)
    return None


def _output_scale(graph: Graph, op: Op) -> str | None:
    """The output's scale is 2^-15, the only one that the reference computes for."""
    scale = graph.output_of(op).scale
    return None if binary_logarithm(scale) == (-15, True) else f"the output's scale is {scale:g}"


def _lower_sigmoid(graph: Graph, op: Op, _target: Target) -> Lowering:
    multiplier, right = _sigmoid_factor(graph, op)
    table = Constant("table", sigmoid_table().view(np.int16), "the logistic function of n / 24, uint16")
    tanh = int(op.kind == "TANH")
    return _call(
        graph, op, "mcg_sigmoid_s16", ("multiplier", multiplier), ("right", right), ("tanh", tanh), table=table
    )


SPECS = (
    OpSpec(kind="RELU", lower=_lower_slopes, constraints=(*_CONSTRAINTS, _scaled_fit), types=("int16",)),
    OpSpec(
        kind="RELU6",
        lower=_lower_slopes,
        constraints=(*_CONSTRAINTS, keeps_quantization, _six_fits),
        types=("int16",),
    ),
    OpSpec(
        kind="LEAKY_RELU",
        lower=_lower_slopes,
        constraints=(*_CONSTRAINTS, _scaled_fit),
        parse=leaky_relu.SPEC.parse,
        types=("int16",),
    ),
    OpSpec(kind="ABS", lower=_lower_abs, constraints=(*_CONSTRAINTS, _scaled_fit), types=("int16",)),
    OpSpec(kind="RSQRT", lower=_lower_rsqrt, constraints=(*_CONSTRAINTS, _rsqrt_fits), types=("int16",)),
    OpSpec(
        kind="LOGISTIC",
        lower=_lower_sigmoid,
        constraints=(*_CONSTRAINTS, _output_scale, _input_scale),
        types=("int16",),
    ),
    OpSpec(
        kind="TANH",
        lower=_lower_sigmoid,
        constraints=(*_CONSTRAINTS, _output_scale, _input_scale),
        types=("int16",),
    ),
)
