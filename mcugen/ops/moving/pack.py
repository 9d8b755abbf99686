"""PACK: several tensors of one shape along a new axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.ops.base import OpSpec
from mcugen.ops.checks import not_empty
from mcugen.ops.movement import Loop, Move, evaluation, lowering, moved_types, shape_problem, type_names

_TYPES = (DType.INT8, DType.INT16, DType.INT32, DType.FLOAT32)


@dataclass(frozen=True)
class PackOptions:
    """`axis` of the output; may be negative."""

    axis: int
    number: int


def _parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> PackOptions:
    return PackOptions(0, 0) if raw is None else PackOptions(raw.axis, raw.valuesCount)


def _operands(_graph: Graph, op: Op) -> str | None:
    """One or more inputs, as many as its options say, and one output."""
    if not op.inputs or min(op.inputs) < 0 or len(op.inputs) != op.options.number or len(op.outputs) != 1:
        return f"it has {sum(i >= 0 for i in op.inputs)} inputs and {len(op.outputs)} outputs"
    return None


def _shapes(graph: Graph, op: Op) -> str | None:
    """All inputs have one shape; the output has one dimension more, at the axis."""
    shapes = {graph.tensor(i).shape for i in op.inputs}
    if len(shapes) > 1:
        return f"the inputs' shapes differ: {', '.join(str(list(s)) for s in sorted(shapes))}"
    (shape,) = shapes
    rank = len(shape) + 1
    if not -rank <= op.options.axis < rank:
        return f"axis {op.options.axis} does not exist in {rank} dimensions"
    axis = op.options.axis % rank
    return shape_problem(graph.output_of(op), (*shape[:axis], len(op.inputs), *shape[axis:]))


def _moves(graph: Graph, op: Op) -> list[Move]:
    shape = graph.output_of(op).shape
    axis = op.options.axis % len(shape)
    rows, part = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    loops = (Loop(rows, part, part * shape[axis]), Loop(part, 1, 1))
    return [Move(i, op.outputs[0], loops, output_at=n * part) for n, i in enumerate(op.inputs)]


SPEC = OpSpec(
    kind="PACK",
    lower=lowering(_moves),
    constraints=(_operands, not_empty, moved_types(_TYPES, 0, None), _shapes),
    parse=_parse,
    evaluate=evaluation(_moves),
    types=type_names(_TYPES),
)
