"""What the TFLM runtime needs to know of a model: all its subgraphs, with state and control flow.

The ahead-of-time runtime compiles one subgraph without state; TFLM interprets whatever the file holds, so its view
keeps every subgraph. Both are read from the same hostile file with the same checks on tensors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mcugen import ops
from mcugen.errors import ModelError
from mcugen.graph.types import Graph, Op, Tensor
from mcugen.tflite.schema import op_kind, printable, unpack_model
from mcugen.tflite.tensors import dynamic_batch_notes, read_tensor

_MAX_SUBGRAPHS = 1000
_MAX_TENSORS = 100_000


@dataclass(frozen=True, eq=False)
class View:
    """A model as TFLM runs it.

    Attributes:
        subgraphs: every subgraph; the first is the one that an inference runs, the others are called by its ops.
        stateful: the model keeps something from one inference to the next (variable tensors, resource variables).
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


def read_view(data: bytes, name: str = "model") -> View:
    """Read all subgraphs of a model.

    Args:
        data: content of a `.tflite` file.
        name: the model's name in messages and emitted code.

    Raises:
        ModelError: the file is no model or is corrupted.
    """
    model = unpack_model(data)
    raw_subgraphs = list(model.subgraphs or [])
    if not 1 <= len(raw_subgraphs) <= _MAX_SUBGRAPHS:
        raise ModelError(f"the model claims {len(raw_subgraphs)} subgraphs", hint="The file is corrupted")
    sha256 = hashlib.sha256(data).hexdigest()
    subgraphs = tuple(_read_subgraph(n, raw, model, name, sha256) for n, raw in enumerate(raw_subgraphs))
    main = subgraphs[0]
    for what, ids in (("inputs", main.inputs), ("outputs", main.outputs)):
        if not ids:
            raise ModelError(f"the model has no {what}")
    for i in main.inputs:
        if main.tensor(i).is_const or main.tensor(i).elements == 0:
            raise ModelError(
                "is a model input, but has a constant value or no elements", where=f'tensor "{main.tensor(i).name}"'
            )
    variables = any(raw.isVariable for subgraph in raw_subgraphs for raw in subgraph.tensors or [])
    resources = len(_resource_names(model, raw_subgraphs))
    return View(subgraphs, variables or resources > 0, resources)


def _read_subgraph(number: int, raw: Any, model: Any, name: str, sha256: str) -> Graph:
    raw_tensors = list(raw.tensors or [])
    if len(raw_tensors) > _MAX_TENSORS:
        raise ModelError(f"the model claims {len(raw_tensors)} tensors", hint="The file is corrupted")
    tensors = {i: read_tensor(i, t, model.buffers or []) for i, t in enumerate(raw_tensors)}
    where = f"subgraph {number}"
    inputs = _ids(raw.inputs, len(tensors), where)
    outputs = _ids(raw.outputs, len(tensors), where)
    read = tuple(_read_op(i, op, model, tensors, number) for i, op in enumerate(raw.operators or []))
    return Graph(tensors, read, inputs, outputs, name, sha256, dynamic_batch_notes(raw_tensors, inputs))


def _ids(raw: Any, limit: int, where: str, low: int = 0) -> tuple[int, ...]:
    ids = tuple(int(i) for i in (raw if raw is not None else ()))
    if any(not low <= i < limit for i in ids):
        raise ModelError("names a tensor that does not exist", where=where, hint="The file is corrupted")
    return ids


def _read_op(index: int, raw: Any, model: Any, tensors: dict[int, Tensor], subgraph: int) -> Op:
    codes = model.operatorCodes or []
    where = f"op {index} of subgraph {subgraph}"
    if not 0 <= raw.opcodeIndex < len(codes):
        raise ModelError("names an operator code that does not exist", where=where, hint="The file is corrupted")
    inputs = _ids(raw.inputs, len(tensors), where, low=-1)
    outputs = _ids(raw.outputs, len(tensors), where)
    _ids(raw.intermediates, len(tensors), where, low=-1)
    code = codes[raw.opcodeIndex]
    named = outputs or tuple(i for i in inputs if i >= 0)
    name = tensors[named[0]].name.split(";")[0] if named else f"op_{index}"
    kind = op_kind(code)
    return Op(index, kind, inputs, outputs, name, _options(kind, raw, tensors, inputs, outputs))


def _options(kind: str, raw: Any, tensors: dict[int, Tensor], inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Any:
    """The op's options where an op module can read them; TFLM reads its own, so here they only serve to count MACs."""
    operands = [tensors[i] if i >= 0 else None for i in inputs]
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


def _resource_names(model: Any, subgraphs: list[Any]) -> set[tuple[str, str]]:
    """(container, shared name) of every resource variable."""
    names = set()
    for subgraph in subgraphs:
        for op in subgraph.operators or []:
            if op_kind(model.operatorCodes[op.opcodeIndex]) == "VAR_HANDLE":
                options = op.builtinOptions
                names.add((printable(getattr(options, "container", "")), printable(getattr(options, "sharedName", ""))))
    return names
