"""MEAN, SUM, REDUCE_MAX and REDUCE_MIN over any axes. MEAN is the sum, requantized with 1/n in the multiplier."""

from __future__ import annotations

import math
from dataclasses import replace

from mcugen.graph.types import Graph, Op
from mcugen.numerics.quantized import integer_limits, integer_magnitude, quantize_multiplier
from mcugen.ops.base import KernelCall, Lowering, OpSpec, ParamValue, Target
from mcugen.ops.checks import constant_int32, int8_in_and_out, keeps_quantization, not_empty, two_inputs
from mcugen.ops.variants import fastest

_LOOPS = 3  # loops of the kernels over what is kept, and over what is reduced


def _axes_constant(graph: Graph, op: Op) -> str | None:
    """The axes are constant int32, within the input's rank."""
    problem = constant_int32(graph, op, 1, "axes")
    if problem:
        return problem
    rank = len(graph.tensor(op.inputs[0]).shape)
    wrong = [a for a in _raw_axes(graph, op) if not -rank <= a < rank]
    return f"axis {wrong[0]} does not exist in {rank} dimensions" if wrong else None


def _output_shape(graph: Graph, op: Op) -> str | None:
    """The output's shape is the input's without the axes, which may stay as 1."""
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    axes = _axes(graph, op)
    kept = [d for n, d in enumerate(source.shape) if n not in axes and d != 1]
    if [d for d in output.shape if d != 1] != kept:
        return f"the output's shape is {list(output.shape)} for axes {sorted(axes)} of {list(source.shape)}"
    return None


def _loops_suffice(graph: Graph, op: Op) -> str | None:
    """Kept and reduced dimensions take turns at most three times."""
    kept, reduced = _loops(graph, op)
    return None if max(len(kept), len(reduced)) <= _LOOPS else "its axes need more nested loops than the kernel has"


def sum_fits(graph: Graph, op: Op) -> str | None:
    """The sum over the axes, scaled to the output, fits 32 bits."""
    source = graph.tensor(op.inputs[0])
    _, shift = multiplier_and_shift(graph, op)
    largest = max(integer_magnitude(source), -integer_limits(source.dtype)[0]) * reduced_count(graph, op)
    if (largest << max(shift, 0)) + 256 >= 1 << 31:
        return "the reference's 32-bit arithmetic overflows: too many elements, or too small an output scale"
    return None


def _raw_axes(graph: Graph, op: Op) -> list[int]:
    data = graph.tensor(op.inputs[1]).data
    assert data is not None
    return [int(a) for a in data.reshape(-1)]


def _axes(graph: Graph, op: Op) -> set[int]:
    rank = len(graph.tensor(op.inputs[0]).shape)
    return {a % rank for a in _raw_axes(graph, op)} if rank else set()


def reduced_count(graph: Graph, op: Op) -> int:
    shape = graph.tensor(op.inputs[0]).shape
    return math.prod(shape[a] for a in _axes(graph, op))


def multiplier_and_shift(graph: Graph, op: Op) -> tuple[int, int]:
    """The quotient of the scales, divided by the number of elements (TFLite's `QuantizedMeanOrSum`).

    As many bits as the count has are put before the division, as far as the shift stays above −32. SUM does not
    divide.
    """
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    count = reduced_count(graph, op)
    multiplier, shift = quantize_multiplier(source.scale / output.scale)
    if op.kind == "SUM":
        return multiplier, shift
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << bits) // count, shift - bits


def _loops(graph: Graph, op: Op) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(count, stride in elements) of the loops over kept and over reduced dimensions, outermost first."""
    axes = _axes(graph, op)
    shape = graph.tensor(op.inputs[0]).shape
    loops: dict[bool, list[tuple[int, int]]] = {False: [], True: []}
    inner: bool | None = None  # kind of the loop just inside
    stride = 1
    for n in reversed(range(len(shape))):
        if shape[n] == 1:
            continue
        reduced = n in axes
        if reduced is inner:
            count, step = loops[reduced][0]
            loops[reduced][0] = (count * shape[n], step)
        else:
            loops[reduced].insert(0, (shape[n], stride))
        inner = reduced
        stride *= shape[n]
    return loops[False], loops[True]


def loop_params(graph: Graph, op: Op) -> tuple[tuple[str, ParamValue], ...]:
    """The loops as the kernels' first fields."""
    kept, reduced = ([(1, 0)] * (_LOOPS - len(loops)) + loops for loops in _loops(graph, op))
    return (
        ("kept", tuple(count for count, _ in kept)),
        ("kept_stride", tuple(stride for _, stride in kept)),
        ("reduced", tuple(count for count, _ in reduced)),
        ("reduced_stride", tuple(stride for _, stride in reduced)),
    )


def _lower_sum(graph: Graph, op: Op, target: Target) -> Lowering:
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    multiplier, shift = multiplier_and_shift(graph, op)
    call = KernelCall(
        kernel="mcg_mean_s8",
        params=(
            *loop_params(graph, op),
            ("bias", -source.zero_point * reduced_count(graph, op)),
            ("multiplier", multiplier),
            ("shift", shift),
            ("zero_point", output.zero_point),
        ),
        inputs=(source.id,),
        outputs=(output.id,),
    )
    return Lowering(calls=(fastest(target, call),))


def _lower_extremum(graph: Graph, op: Op, _target: Target) -> Lowering:
    call = KernelCall(
        kernel="mcg_reduce_extremum_s8",
        params=(*loop_params(graph, op), ("largest", int(op.kind == "REDUCE_MAX"))),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
    )
    return Lowering(calls=(call,))


AXES = (_axes_constant, _output_shape, _loops_suffice)
_SHAPES = (two_inputs, not_empty, int8_in_and_out, *AXES)

MEAN = OpSpec(kind="MEAN", lower=_lower_sum, constraints=(*_SHAPES, sum_fits))
REDUCE_MAX = OpSpec(kind="REDUCE_MAX", lower=_lower_extremum, constraints=(*_SHAPES, keeps_quantization))
SPECS = (MEAN, replace(MEAN, kind="SUM"), REDUCE_MAX, replace(REDUCE_MAX, kind="REDUCE_MIN"))
