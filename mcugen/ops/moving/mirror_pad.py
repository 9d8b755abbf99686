"""MIRROR_PAD: each padded dimension is a mirrored part, the input, and a mirrored part."""

from __future__ import annotations

import itertools
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
    moved_types,
    shape_problem,
    strides,
    type_names,
)

_TYPES = (DType.INT8, DType.FLOAT32)


@dataclass(frozen=True)
class MirrorPadOptions:
    """`edge` is 1 where the mirror stands on the outermost value (REFLECT), 0 where it stands behind it (SYMMETRIC)."""

    edge: int


@dataclass(frozen=True)
class _Part:
    """Part of one dimension: `count` indices of the output from `output_at` on, made from the input's."""

    count: int
    source_at: int
    output_at: int
    step: int


def _parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> MirrorPadOptions:
    if raw is None or raw.mode not in (0, 1):
        raise ValueError("its mode is neither REFLECT nor SYMMETRIC")
    return MirrorPadOptions(1 - raw.mode)


def _pairs(graph: Graph, op: Op) -> list[tuple[int, int]]:
    values = constant_values(graph, op, 1)
    return list(zip(values[::2], values[1::2], strict=True))


def _paddings(graph: Graph, op: Op) -> str | None:
    """The paddings are constant, none is negative, none is larger than what there is to mirror."""
    shape = graph.tensor(op.inputs[0]).shape
    problem = constant_integers(graph, op, 1, "padding list", 2 * len(shape))
    if problem:
        return problem
    for size, pair in zip(shape, _pairs(graph, op), strict=True):
        if min(pair) < 0 or max(pair) > size - op.options.edge:
            return f"{list(pair)} cannot be mirrored from {size}"
    padded = [size + sum(pair) for size, pair in zip(shape, _pairs(graph, op), strict=True)]
    return shape_problem(graph.output_of(op), padded)


def _parts(size: int, before: int, after: int, edge: int) -> list[_Part]:
    parts = (
        _Part(before, before - 1 + edge, 0, -1),
        _Part(size, 0, before, 1),
        _Part(after, size - 1 - edge, before + size, -1),
    )
    return [part for part in parts if part.count]


def _moves(graph: Graph, op: Op) -> list[Move]:
    shape = graph.tensor(op.inputs[0]).shape
    read, written = strides(shape), strides(graph.output_of(op).shape)
    by_dimension = [_parts(size, *pair, op.options.edge) for size, pair in zip(shape, _pairs(graph, op), strict=True)]
    moves = []
    for parts in itertools.product(*by_dimension):
        loops = tuple(Loop(part.count, part.step * r, w) for part, r, w in zip(parts, read, written, strict=True))
        source_at = sum(part.source_at * r for part, r in zip(parts, read, strict=True))
        output_at = sum(part.output_at * w for part, w in zip(parts, written, strict=True))
        moves.append(Move(op.inputs[0], op.outputs[0], loops, source_at, output_at))
    return moves


SPEC = OpSpec(
    kind="MIRROR_PAD",
    lower=lowering(_moves),
    constraints=(counts(2), not_empty, moved_types(_TYPES), _paddings, kernel_suffices(_moves)),
    parse=_parse,
    evaluate=evaluation(_moves),
    types=type_names(_TYPES),
)
