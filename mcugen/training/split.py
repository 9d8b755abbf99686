"""Cuts a float model in two: a body, which stays as it is, and the layers at its end that are trained on the device."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcugen.errors import TrainingError
from mcugen.tflite import fields as flat
from mcugen.tflite.grafts import Graft
from mcugen.tflite.opened import OpenedModel, packed
from mcugen.tflite.schema import load_schema
from mcugen.tflite.schema_types import ModelT, OperatorT, TensorT
from mcugen.tflite.unused import drop_unused

ALL = "all"
"""In place of names: the whole model."""

WEIGHTED = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")


@dataclass(frozen=True, eq=False)
class Parts:
    """A model in two. The body gives what the head takes.

    Attributes:
        body: of a model that is trained as a whole it only hands its input on.
        head: float32.
        names: of the trained layers, in order.
    """

    body: OpenedModel
    head: OpenedModel
    names: tuple[str, ...]


def split(model: OpenedModel, trainable: str | Sequence[str]) -> Parts:
    """Cut a float model before the first of the layers that are to be trained.

    Args:
        trainable: "all", or the names of layers at the model's end: one text with commas, or several.

    Raises:
        TrainingError: a name that no layer has, layers that are not the last ones, or more than one way through.
    """
    names = _names(trainable)
    if len(model.schema.subgraphs) > 1:
        raise TrainingError(
            "holds control flow or variables, which are not trained",
            where="`trainable`",
            hint="Use a feed-forward model",
        )
    main = model.main
    if len(flat.ints(main.inputs)) != 1 or len(flat.ints(main.outputs)) != 1:
        raise TrainingError(
            f"has {len(flat.ints(main.inputs))} inputs and {len(flat.ints(main.outputs))} outputs, and what is trained"
            " has one of each",
            where="`trainable`",
            hint="Pass a model with one input and one output",
        )
    layers = _weighted_layers(model.schema)
    if names == (ALL,):
        return Parts(_hands_on(model), _kept(model, 0, None), tuple(name for _, name in _without_suffix(layers)))
    chosen = _positions(model.schema, layers, names)
    layers = _without_suffix(layers)
    first = min(chosen)
    left_out = [name for position, name in layers if position > first and position not in chosen]
    if left_out:
        raise TrainingError(
            f'the layer "{left_out[0]}" comes after "{dict(layers)[first]}" and is not among them',
            where="`trainable`",
            hint="Name all layers from the first trained one to the end, "
            + ",".join(name for position, name in layers if position >= first),
        )
    return Parts(_kept(model, None, first), _kept(model, first, None), tuple(dict(layers)[i] for i in sorted(chosen)))


def _names(trainable: str | Sequence[str]) -> tuple[str, ...]:
    parts = trainable.split(",") if isinstance(trainable, str) else list(trainable)
    names = tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if not names:
        raise TrainingError("names no layer", where="`trainable`", hint='Pass names of dense layers, or "all"')
    return names


def _weighted_layers(model: ModelT) -> list[tuple[int, str]]:
    """Ops with weights by their position, each with the name of its layer."""
    main = model.subgraphs[0]
    return [
        (position, _layer_name(main.tensors, op))
        for position, op in enumerate(main.operators)
        if flat.kind_of(model, op) in WEIGHTED
    ]


_PARTS = re.compile(
    r"(MatMul|BiasAdd|Relu6?|Softmax|Sigmoid|[aA]dd|ReadVariableOp|Cast|convolution|Conv2D|depthwise|Identity"
    r"|StatefulPartitionedCall|PartitionedCall|tensor_|(arith\.|tfl\.).*)[_\d]*(:\d+)?"
)
"""What converters call parts of a layer, not layers."""


def _paths(tensors: Sequence[TensorT], op: OperatorT) -> list[list[str]]:
    """The paths in the names of an op's weights and output."""
    ids = [i for i in (*flat.ints(op.inputs)[1:], *flat.ints(op.outputs)) if i >= 0]
    texts = [flat.name_of(tensors[i], i) for i in ids]
    return [[part for part in path.split("/") if part] for text in texts for path in text.split(";")]


def _layer_name(tensors: Sequence[TensorT], op: OperatorT) -> str:
    """What a user calls the layer: the last part of a path that is no part of a layer."""
    paths = _paths(tensors, op)
    own = [part for path in paths for part in reversed(path) if not _PARTS.fullmatch(part)]
    return own[0] if own else "/".join(paths[-1]) if paths else "?"


def _without_suffix(layers: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """The layers' names without the numbers that Keras adds to all of them when it exports; or as they are."""
    stems = [re.sub(r"_\d+$", "", name) for _, name in layers]
    added = all(stem != name for stem, (_, name) in zip(stems, layers, strict=True)) and len({*stems}) == len(stems)
    return [(position, stem) for (position, _), stem in zip(layers, stems, strict=True)] if added else list(layers)


def _positions(model: ModelT, layers: Sequence[tuple[int, str]], names: Sequence[str]) -> set[int]:
    main = model.subgraphs[0]
    chosen: set[int] = set()
    for name in names:
        found = (
            {i for i, own in _without_suffix(layers) if own == name}
            or {i for i, own in layers if own == name}
            or {i for i, _ in layers if any(name in path for path in _paths(main.tensors, main.operators[i]))}
        )
        if not found:
            known = ", ".join(own for _, own in _without_suffix(layers)[-6:])
            raise TrainingError(
                f"no layer with weights is called {name[:60]!r}",
                where="`trainable`",
                hint=f'The last ones are {known}; "all" trains the whole model' if layers else "The model has none",
            )
        chosen |= found
    return chosen


def _kept(model: OpenedModel, first: int | None, before: int | None) -> OpenedModel:
    """The model's ops from `first` on, or those before `before`, with what connects the two as output or input."""
    schema = model.copy()
    main = schema.subgraphs[0]
    schema.signatureDefs = None
    if first is not None:
        kept, rest = main.operators[first:], main.operators[:first]
        if rest:
            main.inputs = np.array([_between(schema, rest, kept)], np.int32)
    else:
        kept, rest = main.operators[:before], main.operators[before:]
        main.outputs = np.array([_between(schema, kept, rest)], np.int32)
        if not kept:
            return _hands_on(model)
    main.operators = kept
    drop_unused(schema)
    return packed(schema)


def _between(model: ModelT, before: Sequence[OperatorT], after: Sequence[OperatorT]) -> int:
    """The one tensor that leads from the body to the head."""
    main = model.subgraphs[0]
    made = {i for op in after for i in flat.ints(op.outputs)}
    read = {i for op in after for i in flat.ints(op.inputs) if i >= 0} - made
    crossing = sorted(i for i in read if not flat.is_constant(model, main.tensors[i]))
    if len(crossing) != 1:
        raise TrainingError(
            f"{len(crossing)} tensors lead into the layers that are to be trained, not one",
            where="`trainable`",
            hint='Begin at a layer after the branches have met, or train "all"',
        )
    return crossing[0]


def _hands_on(model: OpenedModel) -> OpenedModel:
    """A body without layers: a RESHAPE from its input's shape to the same."""
    schema = model.copy()
    main = schema.subgraphs[0]
    source = flat.ints(main.inputs)[0]
    shape = flat.shape_of(main.tensors[source])
    graft = Graft(schema, main, "features")
    wanted = graft.constant(np.array(shape, np.int32))
    options = load_schema().ReshapeOptionsT(newShape=np.array(shape, np.int32))
    output = graft.add("RESHAPE", [source, wanted], graft.activation(shape), options)
    schema.signatureDefs = None
    main.operators, main.outputs = graft.made, np.array([output], np.int32)
    drop_unused(schema)
    return packed(schema)
