"""Rows that a loop gathers, one per round: written in place instead of joined anew from pieces of changing size.

Frameworks write a row into a sequence by joining what stands before it, the row, and what stands behind. The pieces
have another shape in every round, for which nothing can be planned; DYNAMIC_UPDATE_SLICE does the same with fixed ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mcugen.tflite import fields as flat
from mcugen.tflite.counted import CountedLoop, Values
from mcugen.tflite.grafts import Graft
from mcugen.tflite.schema import load_schema, type_name
from mcugen.tflite.schema_types import ModelT, OperatorT, SubGraphT


def write_rows_in_place(model: ModelT, loop: CountedLoop) -> int:
    """Rewrite a loop's body, in place; how many sequences it gathers so."""
    body = model.subgraphs[loop.body]
    written_by = {i: op for op in body.operators for i in flat.ints(op.outputs)}
    count = 0
    for source, output in zip(flat.ints(body.inputs), flat.ints(body.outputs), strict=True):
        op = written_by.get(output)
        row = _row(model, body, op, source, written_by, loop.rounds) if op is not None else None
        if op is None or row is None:
            continue
        graft = Graft(model, body, flat.name_of(body.tensors[output], output))
        rank = len(flat.shape_of(body.tensors[source]))
        schema = load_schema()
        start = graft.add(
            "CONCATENATION",
            [row.number, graft.constant(np.zeros(rank - 1, np.int32))],
            graft.activation((rank,), "int32"),
            schema.ConcatenationOptionsT(axis=0),
        )
        graft.add("DYNAMIC_UPDATE_SLICE", [source, row.values, start], output)
        position = body.operators.index(op)
        body.operators[position : position + 1] = graft.made
        body.tensors[output].shape = body.tensors[source].shape
        count += 1
    if count:
        drop_unread(body)
    return count


class _Row:
    """What a round writes: the row's values, and a tensor [1] with its number."""

    def __init__(self, values: int, number: int) -> None:
        self.values, self.number = values, number


def _row(
    model: ModelT,
    body: SubGraphT,
    op: OperatorT,
    source: int,
    written_by: Mapping[int, OperatorT],
    rounds: tuple[Values, ...],
) -> _Row | None:
    """The row, where `op` joins the beginning of `source`, a row, and the rest of `source`, in every round."""
    inputs = flat.ints(op.inputs)
    if flat.kind_of(model, op) != "CONCATENATION" or len(inputs) != 3 or int(op.builtinOptions.axis) != 0:
        return None
    shape = flat.shape_of(body.tensors[source])
    values = flat.shape_of(body.tensors[inputs[1]])
    before, behind = written_by.get(inputs[0]), written_by.get(inputs[2])
    if len(values) != len(shape) or values != (1, *shape[1:]) or before is None or behind is None:
        return None
    for part in (before, behind):
        if flat.kind_of(model, part) != "SLICE" or flat.ints(part.inputs)[0] != source:
            return None
    sizes = written_by.get(flat.ints(before.inputs)[2])
    if sizes is None or flat.kind_of(model, sizes) != "CONCATENATION":
        return None
    number = flat.ints(sizes.inputs)[0]
    if flat.shape_of(body.tensors[number]) != (1,) or type_name(body.tensors[number].type) != "int32":
        return None
    for known in rounds:
        cuts = [_cut(model, body, part, known, shape) for part in (before, behind)]
        if number not in known or None in cuts:
            return None
        place = int(known[number][0])
        if cuts != [(0, place), (place + 1, shape[0])]:
            return None
    return _Row(inputs[1], number)


def _cut(
    model: ModelT, body: SubGraphT, op: OperatorT, known: Values, shape: tuple[int, ...]
) -> tuple[int, int] | None:
    """The rows (from, to) that a SLICE takes whole; None where it takes anything else, or nobody knows."""

    def vector(i: int) -> list[int] | None:
        value = known[i] if i in known else flat.constant(model, body.tensors[i])
        return None if value is None else [int(v) for v in value.reshape(-1)]

    begin, size = (vector(i) for i in flat.ints(op.inputs)[1:3])
    if begin is None or size is None or len(begin) != len(shape) or len(size) != len(shape):
        return None
    ends = [whole if count < 0 else start + count for start, count, whole in zip(begin, size, shape, strict=True)]
    if any(begin[1:]) or ends[1:] != list(shape[1:]):
        return None
    return begin[0], ends[0]


def drop_unread(subgraph: SubGraphT) -> None:
    """Remove ops whose results nothing reads."""
    while True:
        read = {i for op in subgraph.operators for i in flat.ints(op.inputs)} | set(flat.ints(subgraph.outputs))
        kept = [op for op in subgraph.operators if op.outputs is None or read.intersection(flat.ints(op.outputs))]
        if len(kept) == len(subgraph.operators):
            return
        subgraph.operators = kept
