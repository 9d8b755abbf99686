"""Loops that run a known number of times: their counters start at constants and go on by constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.tflite import fields as flat
from mcugen.tflite.schema import type_name
from mcugen.tflite.schema_types import ModelT, OperatorT, SubGraphT

MOST_ROUNDS = 4096
_MOST_STEPS = 1_000_000
"""Ops that are looked at to count one loop."""
_MOST_BYTES = 1 << 16
"""Of an integer tensor that is followed from round to round."""

Values = Mapping[int, NDArray[Any]]
"""Integers that are known without running the model, by tensor id."""


@dataclass(frozen=True, eq=False)
class CountedLoop:
    """A WHILE with a known number of rounds.

    Attributes:
        op: the WHILE.
        condition, body: positions of its subgraphs.
        rounds: of every round, the integers of the body that are known.
    """

    op: OperatorT
    condition: int
    body: int
    rounds: tuple[Values, ...]


def count_rounds(model: ModelT, graph: SubGraphT, op: OperatorT) -> CountedLoop | None:
    """A WHILE of `graph` with its rounds.

    None where their number depends on data, or is above `MOST_ROUNDS`; where the op and its subgraphs do not fit.
    """
    graphs = loop_graphs(model, op)
    if graphs is None:
        return None
    condition, body = graphs
    known: dict[int, NDArray[Any]] = {}
    for position, i in enumerate(flat.ints(op.inputs)):
        value = flat.constant(model, graph.tensors[i])
        if value is not None and value.dtype.kind in "iub":
            known[position] = value
    rounds: list[Values] = []
    outputs = flat.ints(model.subgraphs[body].outputs)
    answers = flat.ints(model.subgraphs[condition].outputs)
    steps = len(model.subgraphs[body].operators) + len(model.subgraphs[condition].operators) + 1
    while len(rounds) <= min(MOST_ROUNDS, _MOST_STEPS // steps):
        judged = evaluate(model, model.subgraphs[condition], known)
        answer = judged.get(answers[0])
        if answer is None or not answer.size:
            return None
        if not bool(answer.reshape(-1)[0]):
            return CountedLoop(op, condition, body, tuple(rounds))
        values = evaluate(model, model.subgraphs[body], known)
        rounds.append(values)
        known = {position: values[outputs[position]] for position in known if outputs[position] in values}
    return None


def loop_graphs(model: ModelT, op: OperatorT) -> tuple[int, int] | None:
    """Positions of a WHILE's condition and body; None where they do not exist, or do not take and give what it does."""
    options = op.builtinOptions
    condition, body = (int(getattr(options, f"{role}SubgraphIndex", 0)) for role in ("cond", "body"))
    if not (0 < condition < len(model.subgraphs) and 0 < body < len(model.subgraphs)):
        return None
    asks, inner = model.subgraphs[condition], model.subgraphs[body]
    counts = {len(flat.ints(ids)) for ids in (op.inputs, op.outputs, asks.inputs, inner.inputs, inner.outputs)}
    present = min((*flat.ints(op.inputs), *flat.ints(op.outputs)), default=-1) >= 0
    return (condition, body) if len(counts) == 1 and present and len(flat.ints(asks.outputs)) == 1 else None


def evaluate(model: ModelT, subgraph: SubGraphT, inputs: Values) -> dict[int, NDArray[Any]]:
    """What follows from some of a subgraph's inputs (by position): the values of its integer tensors that are known."""
    known = {i: inputs[position] for position, i in enumerate(flat.ints(subgraph.inputs)) if position in inputs}

    def value_of(i: int) -> NDArray[Any] | None:
        return known[i] if i in known else flat.constant(model, subgraph.tensors[i])

    for op in subgraph.operators:
        compute = _COMPUTED.get(flat.kind_of(model, op))
        outputs = flat.ints(op.outputs)
        if compute is None or len(outputs) != 1 or type_name(subgraph.tensors[outputs[0]].type) not in _INTEGERS:
            continue
        given = [value_of(i) if i >= 0 else None for i in flat.ints(op.inputs)]
        if any(value is None or value.dtype.kind not in "iub" for value in given):
            continue
        try:
            value = compute([value for value in given if value is not None], op.builtinOptions)
        except (ValueError, IndexError, TypeError):
            continue  # shapes that do not fit: the op's own rules say so
        if value.nbytes <= _MOST_BYTES:
            known[outputs[0]] = value
    return known


_INTEGERS = ("int32", "int64", "bool")
_Compute = Callable[[Sequence[NDArray[Any]], Any], NDArray[Any]]


def _binary(function: Callable[..., Any]) -> _Compute:
    return lambda values, _options: np.asarray(function(*values))


_COMPUTED: dict[str, _Compute] = {
    "ADD": _binary(np.add),
    "SUB": _binary(np.subtract),
    "MUL": _binary(np.multiply),
    "MINIMUM": _binary(np.minimum),
    "MAXIMUM": _binary(np.maximum),
    "LESS": _binary(np.less),
    "LESS_EQUAL": _binary(np.less_equal),
    "GREATER": _binary(np.greater),
    "GREATER_EQUAL": _binary(np.greater_equal),
    "EQUAL": _binary(np.equal),
    "NOT_EQUAL": _binary(np.not_equal),
    "LOGICAL_AND": _binary(np.logical_and),
    "LOGICAL_OR": _binary(np.logical_or),
    "LOGICAL_NOT": _binary(np.logical_not),
    "RESHAPE": lambda values, _: values[0].reshape([int(d) for d in values[1]]) if len(values) > 1 else values[0],
    "CONCATENATION": lambda values, options: np.concatenate(values, axis=int(options.axis)),
    "PACK": lambda values, options: np.stack(values, axis=int(options.axis)),
    "EXPAND_DIMS": lambda values, _: np.expand_dims(values[0], int(values[1].reshape(-1)[0])),
}
