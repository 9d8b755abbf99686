"""What the TFLM runtime needs to know of a model: all its subgraphs, with state and control flow.

The ahead-of-time runtime compiles one subgraph without state; TFLM interprets whatever the file holds, so its view
keeps every subgraph. Both rely on the check that the file went through when it was opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mcugen import ops
from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops.custom import PREFIX, find
from mcugen.tflite.fields import ints, kind_of
from mcugen.tflite.opened import OpenedModel, open_model
from mcugen.tflite.schema import printable
from mcugen.tflite.schema_types import ModelT, OperatorT, SubGraphT
from mcugen.tflite.state import OWN_STATE, takes_sequences
from mcugen.tflite.tensors import dynamic_batch_notes, read_tensors


@dataclass(frozen=True, eq=False)
class View:
    """A model as TFLM runs it.

    Attributes:
        subgraphs: every subgraph; the first is the one that an inference runs, the others are called by its ops.
        stateful: the model keeps something from one inference to the next: in variable tensors, in resource variables,
            or in data of its ops.
        resources: number of resource variables.
    """

    subgraphs: tuple[Graph, ...]
    stateful: bool
    resources: int

    @property
    def main(self) -> Graph:
        return self.subgraphs[0]

    def ops(self) -> Iterator[tuple[Graph, Op]]:
        """Every op with its subgraph, in order."""
        for graph in self.subgraphs:
            for op in graph.ops:
                yield graph, op

    def op_kinds(self) -> tuple[str, ...]:
        """The kinds of ops that the model uses, each once, in order of first use."""
        return tuple(dict.fromkeys(op.kind for _, op in self.ops()))


def read_view(model: bytes | OpenedModel, name: str = "model") -> View:
    """Read all subgraphs of a model.

    Args:
        model: a `.tflite`.
        name: the model's name in messages and emitted code.

    Raises:
        ModelError: the file is no model or is corrupted.
    """
    opened = open_model(model)
    raw = opened.schema
    subgraphs = tuple(_read_subgraph(subgraph, raw, name, opened.sha256) for subgraph in raw.subgraphs)
    subgraphs = (replace(subgraphs[0], sequences=takes_sequences(raw)), *subgraphs[1:])
    variables = any(tensor.isVariable for subgraph in raw.subgraphs for tensor in subgraph.tensors)
    resources = len(_resource_names(raw))
    kept = any(_keeps_state(op.kind) for graph in subgraphs for op in graph.ops)
    return View(subgraphs, variables or resources > 0 or kept, resources)


def _keeps_state(kind: str) -> bool:
    """Whether an op keeps something in data of its own."""
    own = find(kind)
    return kind in OWN_STATE or (own is not None and own.stateful)


def _read_subgraph(raw: SubGraphT, model: ModelT, name: str, sha256: str) -> Graph:
    tensors = read_tensors(model, raw)
    read = tuple(_read_op(i, op, model, tensors) for i, op in enumerate(raw.operators))
    notes = dynamic_batch_notes(raw.tensors, ints(raw.inputs))
    return Graph(tensors, read, ints(raw.inputs), ints(raw.outputs), name, sha256, notes)


def _read_op(index: int, raw: OperatorT, model: ModelT, tensors: dict[int, Tensor]) -> Op:
    kind, inputs, outputs = kind_of(model, raw), ints(raw.inputs), ints(raw.outputs)
    named = outputs or tuple(i for i in inputs if i >= 0)
    name = tensors[named[0]].name.split(";")[0] if named else f"op_{index}"
    return Op(index, kind, inputs, outputs, name, _options(kind, raw, tensors, inputs, outputs))


def _options(
    kind: str, raw: OperatorT, tensors: dict[int, Tensor], inputs: tuple[int, ...], outputs: tuple[int, ...]
) -> Any:
    """The op's options where an op module can read them, and of custom ops their bytes; TFLM reads its own."""
    operands = [tensors[i] if i >= 0 else None for i in inputs]
    if kind.startswith(PREFIX):
        return b"" if raw.customOptions is None else np.asarray(raw.customOptions, np.uint8).tobytes()
    spec = ops.select(kind, operands)
    if spec is None or not outputs:
        return None
    try:
        return spec.parse(raw.builtinOptions, operands, [tensors[i] for i in outputs])
    except (IndexError, ValueError, AttributeError, ZeroDivisionError, TypeError):
        return None


def count_macs(graph: Graph, op: Op) -> int:
    """Multiply-accumulates of one op; 0 for ops that are not made of them."""
    if op.kind == "SVDF":
        batch = graph.input_of(op, 0)
        weights = [graph.input_of(op, position) for position in (1, 2)]
        return (batch.shape[0] if batch and batch.shape else 1) * sum(t.elements for t in weights if t)
    if op.kind == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        sequence = graph.input_of(op, 0)
        steps = sequence.elements // sequence.shape[-1] if sequence and sequence.shape and sequence.shape[-1] else 0
        # Every weight is used once per step: input and recurrent weights of the four gates, and the projection.
        weights = [graph.input_of(op, position) for position in (*range(1, 9), 16)]
        return steps * sum(t.elements for t in weights if t)
    spec = ops.spec_of(graph, op)
    if spec is None or op.options is None:
        return 0
    try:
        return spec.macs(graph, op)
    except (IndexError, AttributeError, ZeroDivisionError):
        return 0  # an op of a form that only TFLM knows


def _resource_names(model: ModelT) -> set[tuple[str, str]]:
    """(container, shared name) of every resource variable."""
    names = set()
    for subgraph in model.subgraphs:
        for op in subgraph.operators:
            if kind_of(model, op) == "VAR_HANDLE":
                options = op.builtinOptions
                names.add((printable(getattr(options, "container", "")), printable(getattr(options, "sharedName", ""))))
    return names
