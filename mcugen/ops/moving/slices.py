"""SLICE and STRIDED_SLICE: part of a tensor; along the outermost dimension it costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.ops.base import OpSpec
from mcugen.ops.checks import not_empty
from mcugen.ops.movement import (
    Loop,
    Move,
    constant_integers,
    constant_values,
    counts,
    evaluation,
    kernel_suffices,
    lowering,
    most_dimensions,
    moved_types,
    shape_problem,
    strides,
    type_names,
)

_TYPES = (DType.INT8, DType.INT16, DType.INT32, DType.FLOAT32, DType.BOOL)


@dataclass(frozen=True)
class StridedSliceOptions:
    """Bit n of a mask speaks of dimension n."""

    begin_mask: int
    end_mask: int
    shrink_axis_mask: int
    ellipsis_mask: int
    new_axis_mask: int
    offset: bool


@dataclass(frozen=True)
class _Range:
    """`count` indices along one dimension, from `start` on, `step` apart."""

    start: int
    count: int
    step: int


def _parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> StridedSliceOptions:
    if raw is None:
        return StridedSliceOptions(0, 0, 0, 0, 0, False)
    return StridedSliceOptions(
        raw.beginMask, raw.endMask, raw.shrinkAxisMask, raw.ellipsisMask, raw.newAxisMask, bool(raw.offset)
    )


def _plain_masks(_graph: Graph, op: Op) -> str | None:
    """No ellipsis, new axis or relative end, which the reference leaves out."""
    options: StridedSliceOptions = op.options
    return (
        "it has an ellipsis, a new axis or a relative end"
        if (options.ellipsis_mask or options.new_axis_mask or options.offset)
        else None
    )


def _strided_ranges(graph: Graph, op: Op) -> list[_Range]:
    options: StridedSliceOptions = op.options
    begins, ends, steps = (constant_values(graph, op, position) for position in (1, 2, 3))
    ranges = []
    for n, size in enumerate(graph.tensor(op.inputs[0]).shape):
        step = steps[n]
        low, high = (0, size) if step > 0 else (-1, size - 1)

        def limit(index: int, masked: bool, default: int, size: int = size, low: int = low, high: int = high) -> int:
            return default if masked else min(max(index + size if index < 0 else index, low), high)

        start = limit(begins[n], bool(options.begin_mask >> n & 1), 0 if step > 0 else size - 1)
        stop = limit(ends[n], bool(options.end_mask >> n & 1), size if step > 0 else -1)
        if options.shrink_axis_mask >> n & 1:
            ranges.append(_Range(start, 1 if 0 <= start < size else 0, 1))
        else:
            ranges.append(_Range(start, max(-((start - stop) // step), 0), step))
    return ranges


def _strided_constants(graph: Graph, op: Op) -> str | None:
    """Begin, end and strides are constant, one number per dimension; no stride is 0."""
    rank = len(graph.tensor(op.inputs[0]).shape)
    for position, what in ((1, "begin"), (2, "end"), (3, "strides")):
        problem = constant_integers(graph, op, position, what, rank)
        if problem:
            return problem
    return "a stride is 0" if 0 in constant_values(graph, op, 3) else None


def _strided_shape(graph: Graph, op: Op) -> str | None:
    """The output has the selected indices, without the dimensions of which one is picked."""
    ranges = _strided_ranges(graph, op)
    shrunk = op.options.shrink_axis_mask
    if any(r.count == 0 for r in ranges):
        return "it selects nothing"
    return shape_problem(graph.output_of(op), [r.count for n, r in enumerate(ranges) if not shrunk >> n & 1])


def _slice_ranges(graph: Graph, op: Op) -> list[_Range]:
    begins, sizes = constant_values(graph, op, 1), constant_values(graph, op, 2)
    shape = graph.tensor(op.inputs[0]).shape
    return [
        _Range(begin, total - begin if size == -1 else size, 1)
        for begin, size, total in zip(begins, sizes, shape, strict=True)
    ]


def _slice_constants(graph: Graph, op: Op) -> str | None:
    """Begin and size are constant, one number per dimension, and within the input; a size of −1 means all the rest."""
    shape = graph.tensor(op.inputs[0]).shape
    problem = constant_integers(graph, op, 1, "begin", len(shape)) or constant_integers(
        graph, op, 2, "size", len(shape)
    )
    if problem:
        return problem
    for r, total in zip(_slice_ranges(graph, op), shape, strict=True):
        if r.start < 0 or r.count < 1 or r.start + r.count > total:
            return f"it takes {r.count} from {r.start} on where there are {total}"
    return None


def _slice_shape(graph: Graph, op: Op) -> str | None:
    """The output's shape is the size."""
    return shape_problem(graph.output_of(op), [r.count for r in _slice_ranges(graph, op)])


def _moves(graph: Graph, op: Op, ranges: Sequence[_Range]) -> list[Move]:
    steps = strides(graph.tensor(op.inputs[0]).shape)
    written = strides([r.count for r in ranges])
    loops = tuple(Loop(r.count, r.step * step, output) for r, step, output in zip(ranges, steps, written, strict=True))
    start = sum(r.start * step for r, step in zip(ranges, steps, strict=True))
    return [Move(op.inputs[0], op.outputs[0], loops, start)]


def _slice_moves(graph: Graph, op: Op) -> list[Move]:
    return _moves(graph, op, _slice_ranges(graph, op))


def _strided_moves(graph: Graph, op: Op) -> list[Move]:
    return _moves(graph, op, _strided_ranges(graph, op))


SPECS = (
    OpSpec(
        kind="SLICE",
        lower=lowering(_slice_moves),
        constraints=(
            counts(3),
            not_empty,
            moved_types(_TYPES),
            most_dimensions(5),
            _slice_constants,
            _slice_shape,
        ),
        evaluate=evaluation(_slice_moves),
        types=type_names(_TYPES),
    ),
    OpSpec(
        kind="STRIDED_SLICE",
        lower=lowering(_strided_moves),
        constraints=(
            counts(4),
            not_empty,
            moved_types(_TYPES),
            most_dimensions(4),
            _plain_masks,
            _strided_constants,
            _strided_shape,
            kernel_suffices(_strided_moves),
        ),
        parse=_parse,
        evaluate=evaluation(_strided_moves),
        types=type_names(_TYPES),
    ),
)
