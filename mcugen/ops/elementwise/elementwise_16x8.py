"""ADD, SUB, MUL, SQUARED_DIFFERENCE, MAXIMUM, MINIMUM and PRELU of int16 activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops import broadcasting, symmetric
from mcugen.ops.base import Constraint, KernelCall, Lowering, OpSpec, ParamValue, Target, no_options
from mcugen.ops.broadcasting import broadcastable
from mcugen.ops.checks import not_empty, quantization_problem, two_inputs
from mcugen.ops.elementwise import add, extremum, mul, prelu, squared_difference
from mcugen.ops.variants import fastest
from mcugen.ops.with_weights import known_activation

_Params = Sequence[tuple[str, ParamValue]]


def _lowering(kernel: str, params_of: Callable[[Graph, Op], _Params]) -> Callable[[Graph, Op, Target], Lowering]:
    def lower(graph: Graph, op: Op, target: Target) -> Lowering:
        call = KernelCall(
            kernel=kernel,
            params=tuple(params_of(graph, op)),
            inputs=op.inputs,
            outputs=op.outputs,
            inplace=broadcasting.inplace_operands(graph, op),
        )
        return Lowering((fastest(target, call),))

    return lower


def _sum_params(graph: Graph, op: Op) -> _Params:
    return symmetric.without_zero_points(add.sum_params(graph, op, subtract=op.kind == "SUB"))


def _product_params(graph: Graph, op: Op) -> _Params:
    return symmetric.without_zero_points(mul.product_params(graph, op))


def _difference_params(graph: Graph, op: Op) -> _Params:
    return symmetric.without_zero_points(squared_difference.difference_params(graph, op))


def _extremum_params(graph: Graph, op: Op) -> _Params:
    return (*broadcasting.loop_params(graph, op), ("largest", int(op.kind == "MAXIMUM")))


def _slope_params(graph: Graph, op: Op) -> _Params:
    dropped = ("zero_point1", "zero_point")
    return [(name, value) for name, value in prelu.slope_params(graph, op) if name not in dropped]


def _int8_slopes(graph: Graph, op: Op) -> str | None:
    """Input and output are int16 with zero point 0, the slopes int8, with one scale above zero each."""
    return symmetric.in_and_out(graph, op) or quantization_problem(graph.tensor(op.inputs[1]), (DType.INT8,))


def _spec(
    kind: str,
    kernel: str,
    params_of: Callable[[Graph, Op], _Params],
    *constraints: Constraint,
    types: Constraint = symmetric.operands,
) -> OpSpec:
    return OpSpec(
        kind=kind,
        lower=_lowering(kernel, params_of),
        constraints=(two_inputs, not_empty, types, broadcastable, *constraints),
        parse=broadcasting.parse_arithmetic if kind in ("ADD", "SUB", "MUL") else no_options,
        types=("int16",),
    )


SPECS = (
    _spec("ADD", "mcg_add_s16", _sum_params, known_activation, add.output_scale_in_range),
    _spec("SUB", "mcg_add_s16", _sum_params, known_activation, add.output_scale_in_range),
    _spec("MUL", "mcg_mul_s16", _product_params, known_activation, mul.product_fits),
    _spec("SQUARED_DIFFERENCE", "mcg_squared_difference_s16", _difference_params, squared_difference.square_fits),
    _spec("MAXIMUM", "mcg_extremum_s16", _extremum_params, extremum.quantized_alike),
    _spec("MINIMUM", "mcg_extremum_s16", _extremum_params, extremum.quantized_alike),
    _spec("PRELU", "mcg_prelu_s16", _slope_params, prelu.products_fit, types=_int8_slopes),
)
