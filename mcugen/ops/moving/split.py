"""SPLIT, SPLIT_V and UNPACK: one tensor into several; along the outermost dimension it costs nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    lowering,
    moved_types,
    type_names,
)

_TYPES = (DType.INT8, DType.INT16, DType.INT32, DType.FLOAT32)
_DATA = {"SPLIT": 1, "SPLIT_V": 0, "UNPACK": 0}
"""Position of what is split, by op."""
_AXIS = {"SPLIT": 0, "SPLIT_V": 2}
"""Position of the axis operand, by op."""


@dataclass(frozen=True)
class UnpackOptions:
    """`axis` may be negative; `number` of outputs."""

    axis: int
    number: int


def _parse_unpack(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> UnpackOptions:
    return UnpackOptions(0, 0) if raw is None else UnpackOptions(raw.axis, raw.num)


def _raw_axis(graph: Graph, op: Op) -> int:
    return int(op.options.axis) if op.kind == "UNPACK" else constant_values(graph, op, _AXIS[op.kind])[0]


def _axis_exists(graph: Graph, op: Op) -> str | None:
    """The axis is constant, and a dimension of the input."""
    if op.kind != "UNPACK":
        problem = constant_integers(graph, op, _AXIS[op.kind], "axis", 1)
        if problem:
            return problem
    rank, axis = len(graph.tensor(op.inputs[_DATA[op.kind]]).shape), _raw_axis(graph, op)
    return None if -rank <= axis < rank else f"axis {axis} does not exist in {rank} dimensions"


def _shapes(graph: Graph, op: Op) -> str | None:
    """The outputs are the input cut along the axis."""
    shape = graph.tensor(op.inputs[_DATA[op.kind]]).shape
    axis = _raw_axis(graph, op) % len(shape)
    made = [graph.tensor(i).shape for i in op.outputs]
    if op.kind == "UNPACK":
        fits = op.options.number == len(made) == shape[axis]
        fits = fits and all(s == (*shape[:axis], *shape[axis + 1 :]) for s in made)
    else:
        fits = all(len(s) == len(shape) for s in made)
        fits = fits and all((*s[:axis], *s[axis + 1 :]) == (*shape[:axis], *shape[axis + 1 :]) for s in made)
        fits = fits and sum(s[axis] for s in made) == shape[axis]
        if op.kind == "SPLIT":
            fits = fits and len({s[axis] for s in made}) == 1
    if not fits:
        return f"{list(shape)} along axis {axis} does not give {', '.join(str(list(s)) for s in made)}"
    return None


def _sizes(graph: Graph, op: Op) -> str | None:
    """The sizes of the parts are constant, and those of the outputs (the last may be −1)."""
    problem = constant_integers(graph, op, 1, "sizes", len(op.outputs))
    if problem:
        return problem
    shape = graph.tensor(op.inputs[0]).shape
    axis = _raw_axis(graph, op) % len(shape)
    for size, i in zip(constant_values(graph, op, 1), op.outputs, strict=True):
        if size not in (-1, graph.tensor(i).shape[axis]):
            return f'a size is {size}, but output "{graph.tensor(i).name}" has {graph.tensor(i).shape[axis]}'
    return None


def _moves(graph: Graph, op: Op) -> list[Move]:
    source = graph.tensor(op.inputs[_DATA[op.kind]])
    axis = _raw_axis(graph, op) % len(source.shape)
    rows, whole = math.prod(source.shape[:axis]), math.prod(source.shape[axis:])
    moves, start = [], 0
    for i in op.outputs:
        part = graph.tensor(i).elements // rows
        moves.append(Move(source.id, i, (Loop(rows, whole, part), Loop(part, 1, 1)), start))
        start += part
    return moves


SPLIT = OpSpec(
    kind="SPLIT",
    lower=lowering(_moves),
    constraints=(counts(2, None), not_empty, moved_types(_TYPES, 1, 2), _axis_exists, _shapes),
    evaluate=evaluation(_moves),
    types=type_names(_TYPES),
)
SPECS = (
    SPLIT,
    replace(
        SPLIT,
        kind="SPLIT_V",
        constraints=(counts(3, None), not_empty, moved_types(_TYPES), _axis_exists, _shapes, _sizes),
    ),
    replace(
        SPLIT,
        kind="UNPACK",
        constraints=(counts(1, None), not_empty, moved_types(_TYPES), _axis_exists, _shapes),
        parse=_parse_unpack,
    ),
)
