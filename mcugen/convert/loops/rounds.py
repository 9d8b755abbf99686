"""Rounds of layers that were unrolled before the model came here: what is the same in each gets one scale.

As in a loop that was kept, a variable has one scale for all rounds. So the rounds have tables and requantization in
common, and one piece of code can run them all.
"""

from __future__ import annotations

from collections.abc import Hashable

from mcugen.graph.repeats import repeats
from mcugen.tflite import fields as flat
from mcugen.tflite.schema_types import ModelT, OperatorT

Ids = tuple[int, ...]


def tied_rounds(model: ModelT) -> tuple[Ids, ...]:
    """Activations that are the same variable in the rounds of an unrolled layer, of the main graph: what ops give.

    A layer counts as unrolled if ops with the same weights come again, in the same order, three times and more.
    """
    operators = model.subgraphs[0].operators
    return tuple(
        ids
        for positions in rounds_of(model)
        for ids in zip(*(flat.ints(operators[n].outputs) for n in positions), strict=True)
    )


def tied_inputs(model: ModelT) -> tuple[Ids, ...]:
    """Likewise what ops take: the first round's states, which no round has given, among them."""
    tensors, operators = model.subgraphs[0].tensors, model.subgraphs[0].operators
    return tuple(
        tuple(i for i in ids if i >= 0 and not flat.is_constant(model, tensors[i]))
        for positions in rounds_of(model)
        for ids in zip(*(flat.ints(operators[n].inputs) for n in positions), strict=True)
    )


def rounds_of(model: ModelT) -> tuple[Ids, ...]:
    """Numbers of the main graph's ops that are the same op in the rounds of an unrolled layer."""
    operators = model.subgraphs[0].operators
    found: list[Ids] = []
    for repeat in repeats([_likeness(model, op) for op in operators]):
        first = range(repeat.start, repeat.start + repeat.period)
        if any(_weights(model, operators[n]) for n in first):
            found += [tuple(range(n, repeat.end, repeat.period)) for n in first]
    return tuple(found)


def _likeness(model: ModelT, op: OperatorT) -> Hashable:
    tensors = model.subgraphs[0].tensors
    activations = [i for i in flat.ints(op.inputs) if i >= 0 and not flat.is_constant(model, tensors[i])]
    shapes = (tuple(flat.shape_of(tensors[i]) for i in ids) for ids in (activations, flat.ints(op.outputs)))
    return flat.kind_of(model, op), _weights(model, op), *shapes


def _weights(model: ModelT, op: OperatorT) -> Ids:
    """The buffers of an op's constants of two dimensions and more: what is moved or cut differs from round to round."""
    tensors = [model.subgraphs[0].tensors[i] for i in flat.ints(op.inputs) if i >= 0]
    return tuple(t.buffer for t in tensors if flat.is_constant(model, t) and len(flat.shape_of(t)) > 1)
