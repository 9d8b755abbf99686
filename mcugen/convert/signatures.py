"""A `.tflite` with several signatures, each a graph of its own: the one that is meant as the model's main graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mcugen.convert.given_signature import chosen_signature
from mcugen.errors import ModelError
from mcugen.tflite.opened import OpenedModel, packed
from mcugen.tflite.schema import printable
from mcugen.tflite.schema_types import ModelT, SubGraphT
from mcugen.tflite.unused import drop_unused

_REFERENCES = (
    "thenSubgraphIndex",
    "elseSubgraphIndex",
    "condSubgraphIndex",
    "bodySubgraphIndex",
    "initSubgraphIndex",
    "comparatorSubgraphIndex",
    "decompositionSubgraphIndex",
    "subgraph",
)
"""Fields of ops' options that hold the index of a graph."""


def with_signature(opened: OpenedModel, given: str) -> OpenedModel:
    """The model whose main graph is that of the signature; as it is where that is so.

    Raises:
        ModelError: no such signature, or several of different graphs and none given or called as the default.
    """
    found = {printable(signature.signatureKey or ""): signature for signature in opened.schema.signatureDefs or []}
    graphs = {signature.subgraphIndex for signature in found.values()}
    if not found and given:
        raise ModelError("the model has no signatures to choose from", where="`signature`", hint="Omit it")
    if not given and graphs <= {0}:
        return opened
    name = chosen_signature(list(found), given)
    chosen = found[name].subgraphIndex
    if not 0 <= chosen < len(opened.schema.subgraphs):
        raise ModelError(f"its signature {name!r} names a graph that is not there", hint="Export the model again")
    model = opened.copy()
    model.signatureDefs = [s for s in model.signatureDefs or [] if printable(s.signatureKey or "") == name]
    _keep_reached(model, chosen)
    drop_unused(model)
    return packed(model)


def _keep_reached(model: ModelT, main: int) -> None:
    """Make a graph the first one, and leave out those that it does not run."""
    reached = [main]
    for at in reached:
        if not 0 <= at < len(model.subgraphs):
            raise ModelError("an op names a graph that is not there", hint="Export the model again")
        for options, field in _references(model.subgraphs[at]):
            if getattr(options, field) not in reached:
                reached.append(getattr(options, field))
    numbers = {old: new for new, old in enumerate(reached)}
    model.subgraphs = [model.subgraphs[old] for old in reached]
    for options, field in [found for graph in model.subgraphs for found in _references(graph)]:
        setattr(options, field, numbers[getattr(options, field)])
    for signature in model.signatureDefs or []:
        signature.subgraphIndex = numbers[signature.subgraphIndex]


def _references(graph: SubGraphT) -> Iterator[tuple[Any, str]]:
    """Options of ops, each with the field that names another graph."""
    for op in graph.operators:
        for options in (op.builtinOptions, getattr(op, "builtinOptions2", None)):
            yield from ((options, field) for field in _REFERENCES if isinstance(getattr(options, field, None), int))
