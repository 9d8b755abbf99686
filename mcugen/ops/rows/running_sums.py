"""ADD_N and CUMSUM, int8: sums of many numbers of one scale, requantized once."""

from __future__ import annotations

from mcugen.graph.types import Graph, Op
from mcugen.numerics.quantized import quantize_multiplier
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import int8_in_and_out, not_empty, quantization_problem, same_shape, two_inputs
from mcugen.ops.movement import constant_values
from mcugen.ops.rows import cumsum_f32

_MOST_INPUTS = 8  # of mcg_add_n_s8
_LEFT_SHIFT = 20
_LONGEST = (1 << 31 - (_LEFT_SHIFT - 1)) // 128 - 1
"""More numbers of −128 leave the reference's 32 bits, of which 19 are a fraction."""


def _factor(graph: Graph, op: Op) -> float:
    """From twice the input's scale with 20 more bits to the output's, in double (`CalculateOpData`)."""
    return 2.0 * graph.tensor(op.inputs[0]).scale / ((1 << _LEFT_SHIFT) * graph.output_of(op).scale)


def _scaled_fit(graph: Graph, op: Op) -> str | None:
    """The output's scale is larger than the input's divided by 2^19."""
    factor = _factor(graph, op)
    if factor >= 1.0 or quantize_multiplier(factor)[1] > 0:
        return "the output's scale is more than 2^19 times smaller than the input's"
    return None


def _zero_means_zero(graph: Graph, op: Op) -> str | None:
    """The inputs' zero point is 0: the reference starts the sum with it, and so is wrong by it where it is not."""
    zero_point = graph.tensor(op.inputs[0]).zero_point
    return f"the zero point is {zero_point}, which the reference adds to the sum" if zero_point else None


def _operands(graph: Graph, op: Op) -> str | None:
    """Two to eight inputs and one output, all int8 and of one shape; the inputs with one scale and zero point."""
    if not 2 <= len(op.inputs) <= _MOST_INPUTS or len(op.outputs) != 1 or min(op.inputs) < 0:
        return f"it has {len(op.inputs)} inputs and {len(op.outputs)} outputs"
    first, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    for tensor in (*(graph.tensor(i) for i in op.inputs), output):
        problem = quantization_problem(tensor)
        if problem:
            return problem
        if tensor.shape != first.shape:
            return f"shapes {list(first.shape)} and {list(tensor.shape)} differ"
        if tensor is not output and (tensor.scale, tensor.zero_point) != (first.scale, first.zero_point):
            return f'tensors "{first.name}" and "{tensor.name}" are quantized differently'
    return None


def _lower_add_n(graph: Graph, op: Op, _target: Target) -> Lowering:
    output = graph.output_of(op)
    multiplier, shift = quantize_multiplier(_factor(graph, op))
    read = (*op.inputs, *(op.inputs[0],) * (_MOST_INPUTS - len(op.inputs)))
    call = KernelCall(
        kernel="mcg_add_n_s8",
        params=(
            ("count", output.elements),
            ("inputs", len(op.inputs)),
            ("multiplier", multiplier),
            ("shift", shift),
            ("zero_point", output.zero_point),
        ),
        inputs=read,
        outputs=op.outputs,
        inplace=tuple(position for position, i in enumerate(op.inputs) if read.count(i) == 1),
    )
    return Lowering((call,))


def _sums_fit(graph: Graph, op: Op) -> str | None:
    """The axis has at most 31 elements: the reference's 32-bit sum overflows beyond."""
    shape = graph.tensor(op.inputs[0]).shape
    size = shape[constant_values(graph, op, 1)[0]]
    return None if size <= _LONGEST else f"the axis has {size} elements"


def _lower_cumsum(graph: Graph, op: Op, _target: Target) -> Lowering:
    multiplier, shift = quantize_multiplier(_factor(graph, op))
    call = KernelCall(
        kernel="mcg_cumsum_s8",
        params=(
            *cumsum_f32.axis_params(graph, op),
            ("multiplier", multiplier),
            ("shift", shift),
            ("zero_point", graph.output_of(op).zero_point),
        ),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
        inplace=(0,),
    )
    return Lowering((call,))


SPECS = (
    OpSpec(
        kind="ADD_N",
        lower=_lower_add_n,
        constraints=(not_empty, _operands, _zero_means_zero, _scaled_fit),
    ),
    OpSpec(
        kind="CUMSUM",
        lower=_lower_cumsum,
        constraints=(
            two_inputs,
            not_empty,
            int8_in_and_out,
            same_shape,
            cumsum_f32.axis_exists,
            _zero_means_zero,
            _sums_fit,
            _scaled_fit,
        ),
        parse=cumsum_f32.SPEC.parse,
    ),
)
