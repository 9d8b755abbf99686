"""A model's subgraphs side by side in one, so that what works on one graph quantizes loops as well.

Tensors and ops of the bodies and conditions follow those of the main graph. Nothing connects them but the loops
themselves, whose variables are tied (`Merged.ties`). What a body takes and gives counts as the graph's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcugen.convert.loops.counted import is_loop
from mcugen.convert.loops.variables import tied_variables
from mcugen.tflite import fields as flat
from mcugen.tflite.schema_types import ModelT, OperatorT, SubGraphT
from mcugen.tflite.unused import take_tensors

Ids = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Merged:
    """How a model was merged.

    Attributes:
        parts: of the main graph and every other one: the object that held it, and its inputs and outputs, as ids of
            the merged graph.
        ties: tensors of a loop that are one variable: what it starts with, what the body takes and gives, what it
            ends with; and of a variable of the model what is read and assigned.
    """

    parts: tuple[tuple[SubGraphT, Ids, Ids], ...]
    ties: tuple[Ids, ...]


def offsets(model: ModelT) -> list[int]:
    """Where the tensors of every subgraph begin in the merged graph."""
    sizes = [len(subgraph.tensors) for subgraph in model.subgraphs]
    return [sum(sizes[:n]) for n in range(len(sizes))]


def merge(model: ModelT) -> Merged:
    """Merge all subgraphs into the main one, in place."""
    main = model.subgraphs[0]
    starts = offsets(model)
    parts = [(main, flat.ints(main.inputs), flat.ints(main.outputs))]
    for start, subgraph in list(zip(starts, model.subgraphs, strict=True))[1:]:
        _move(subgraph.operators, start)
        inputs, outputs = (tuple(start + i for i in flat.ints(ids)) for ids in (subgraph.inputs, subgraph.outputs))
        parts.append((subgraph, inputs, outputs))
    ties: list[Ids] = []
    for op in main.operators:
        if is_loop(model, op):
            _, takes, gives = parts[int(op.builtinOptions.bodySubgraphIndex)]
            _, asks, _ = parts[int(op.builtinOptions.condSubgraphIndex)]
            ties += zip(flat.ints(op.inputs), takes, gives, asks, flat.ints(op.outputs), strict=True)
    ties += tied_variables(model)
    for subgraph in model.subgraphs[1:]:
        main.tensors.extend(subgraph.tensors)
        main.operators.extend(subgraph.operators)
    model.subgraphs = [main]
    main.inputs = np.array([i for _, inputs, _ in parts for i in inputs], np.int32)
    main.outputs = np.array([i for _, _, outputs in parts for i in outputs], np.int32)
    return Merged(tuple(parts), tuple(ties))


def touched(model: ModelT) -> set[int]:
    """The tensors of a merged graph that an op reads or gives, and not only a loop hands on."""
    operators = [op for op in model.subgraphs[0].operators if not is_loop(model, op)]
    return {i for op in operators for i in (*flat.ints(op.inputs), *flat.ints(op.outputs))}


def split(model: ModelT, merged: Merged) -> dict[int, int]:
    """Take a merged model apart again, in place, with whatever ops and tensors were added.

    Returns:
        The id that a tensor has once the model is merged again, by its id until now; of those that are still used.
    """
    main = model.subgraphs[0]
    if len(merged.parts) == 1:
        return {i: i for i in range(len(main.tensors))}
    homes = _homes(model, merged)
    tensors = list(main.tensors)
    operators: list[list[OperatorT]] = [[] for _ in merged.parts]
    for op in main.operators:
        known = [homes[i] for i in (*flat.ints(op.inputs), *flat.ints(op.outputs)) if i in homes]
        operators[known[0] if known else 0].append(op)
    model.subgraphs = [subgraph for subgraph, _, _ in merged.parts]
    moved: dict[int, int] = {}
    start = 0
    for (subgraph, inputs, outputs), ops in zip(merged.parts, operators, strict=True):
        subgraph.operators = ops
        subgraph.inputs, subgraph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        order = take_tensors(model, subgraph, tensors)
        moved.update((old, start + new) for old, new in order.items())
        start += len(order)
    return moved


def _homes(model: ModelT, merged: Merged) -> dict[int, int]:
    """The part of every activation: ops that share one belong together, and each reaches an input or an output."""
    main = model.subgraphs[0]
    homes = {i: n for n, (_, inputs, outputs) in enumerate(merged.parts) for i in (*inputs, *outputs)}
    waiting: Sequence[OperatorT] = main.operators
    while waiting:
        left = []
        for op in waiting:
            ids = [
                i
                for i in (*flat.ints(op.inputs), *flat.ints(op.outputs))
                if i >= 0 and not flat.is_constant(model, main.tensors[i])
            ]
            known = [homes[i] for i in ids if i in homes]
            if known:
                homes.update((i, known[0]) for i in ids)
            else:
                left.append(op)
        if len(left) == len(waiting):
            break  # ops that nothing reads: they stay in the main graph
        waiting = left
    return homes


def _move(operators: Sequence[OperatorT], start: int) -> None:
    for op in operators:
        op.inputs, op.outputs = (
            np.array([i + start if i >= 0 else i for i in flat.ints(ids)], np.int32) for ids in (op.inputs, op.outputs)
        )
