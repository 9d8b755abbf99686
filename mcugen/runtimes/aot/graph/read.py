"""Reads a `.tflite` flatbuffer into a :class:`Graph`, without TensorFlow.

The file is hostile until checked: every index, size and number that a later stage relies on is checked here,
once, and what is wrong comes out as a ModelError that names the place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mcugen import ops
from mcugen.errors import ModelError
from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops.keeping.control import ControlOptions
from mcugen.runtimes.aot.graph.variables import VariableName, resolve_variables
from mcugen.tflite.schema import op_kind, unpack_model
from mcugen.tflite.tensors import (
    _indices,
    dynamic_batch_notes,
    read_tensor,
)

_MAX_TENSORS = 100_000
_MAX_SUBGRAPHS = 1000
_MAX_EXPANDED_OPS = 100_000
"""Ops of the model and, once per op that runs them, of other subgraphs."""


def read_graph(data: bytes, name: str = "model") -> Graph:
    """Read the model's first subgraph with all its tensors and ops, and the subgraphs that these run.

    Resource variables become state tensors, and the subgraphs of CALL_ONCE their initial values. Ops without a kernel
    are kept (so that they can be listed); :func:`check_supported` refuses them.

    Args:
        data: content of a `.tflite` file.
        name: the model's name in messages and emitted code.

    Raises:
        ModelError: the file is no model, corrupted, or holds what cannot be run (sparse tensors, external buffers,
            sizes that do not match, variables whose initial value is not constant).
    """
    model = unpack_model(data)
    count = len(model.subgraphs or [])
    if not 1 <= count <= _MAX_SUBGRAPHS:
        raise ModelError(f"the model claims {count} subgraphs", hint="The file is corrupted")
    graph = _Reader(model, name, hashlib.sha256(data).hexdigest()).subgraph(0)
    for what, ids in (("inputs", graph.inputs), ("outputs", graph.outputs)):
        if not ids:
            raise ModelError(f"the model's {what} are missing")
    graph = resolve_variables(graph)
    _check_data_flow(graph)
    _check_interface(graph)
    return graph


class _Reader:
    """Reads subgraphs of one model, and those that their ops run."""

    def __init__(self, model: Any, name: str, sha256: str) -> None:
        self._model, self._name, self._sha256 = model, name, sha256
        self._under_way: list[int] = []
        self._read: dict[int, Graph] = {}

    def subgraph(self, number: int) -> Graph:
        """One subgraph. Ops that run other subgraphs hold them in their options."""
        subgraphs = self._model.subgraphs
        if not 0 <= number < len(subgraphs):
            raise ModelError(f"an op runs subgraph {number}, which does not exist", hint="The file is corrupted")
        if number in self._under_way:
            raise ModelError(f"subgraph {number} runs itself", hint="No runtime can run recursion")
        if number not in self._read:
            self._under_way.append(number)
            self._read[number] = self._new_subgraph(subgraphs[number])
            self._under_way.pop()
        return self._read[number]

    def _new_subgraph(self, raw: Any) -> Graph:
        raw_tensors = list(raw.tensors or [])
        if len(raw_tensors) > _MAX_TENSORS:
            raise ModelError(f"the model claims {len(raw_tensors)} tensors; the file is corrupted")
        tensors = {i: read_tensor(i, tensor, self._model.buffers or []) for i, tensor in enumerate(raw_tensors)}
        inputs = _indices(raw.inputs, len(tensors), "the model's inputs")
        outputs = _indices(raw.outputs, len(tensors), "the model's outputs")
        read = tuple(self._op(i, op, tensors) for i, op in enumerate(raw.operators or []))
        if _expanded_ops(read) > _MAX_EXPANDED_OPS:
            raise ModelError(f"with the subgraphs they run these are more than {_MAX_EXPANDED_OPS} ops")
        notes = dynamic_batch_notes(raw_tensors, inputs)
        return Graph(tensors, read, inputs, outputs, self._name, self._sha256, notes)

    def _op(self, index: int, raw: Any, tensors: dict[int, Tensor]) -> Op:
        op = _read_op(index, raw, self._model, tensors)
        options = raw.builtinOptions
        try:
            if op.kind == "CALL_ONCE":
                return replace(op, options=self.subgraph(int(options.initSubgraphIndex)))
            if op.kind == "IF":
                return self._control(op, "then", options.thenSubgraphIndex, "else", options.elseSubgraphIndex)
            if op.kind == "WHILE":
                return self._control(op, "condition", options.condSubgraphIndex, "body", options.bodySubgraphIndex)
        except AttributeError:
            raise ModelError("has no options", where=op.where, hint="The file is corrupted") from None
        return op

    def _control(self, op: Op, first: str, first_number: int, second: str, second_number: int) -> Op:
        graphs = self.subgraph(int(first_number)), self.subgraph(int(second_number))
        for role, graph in ((first, graphs[0]), (second, graphs[1])):
            if any(variable in {"VAR_HANDLE", "CALL_ONCE"} for variable in (o.kind for o in graph.ops)):
                raise ModelError(
                    f"its {role} uses resource variables, which only the model's main part may do here",
                    where=op.where,
                    hint="Read variables before the branch and assign them after it",
                )
            _check_data_flow(graph)
        return replace(op, options=ControlOptions((first, second), graphs))


def _expanded_ops(read: Sequence[Op]) -> int:
    nested = [graph for op in read if isinstance(op.options, ControlOptions) for graph in op.options.graphs]
    return len(read) + sum(_expanded_ops(graph.ops) for graph in nested)


def _read_op(index: int, raw: Any, model: Any, tensors: dict[int, Tensor]) -> Op:
    codes = model.operatorCodes or []
    if not 0 <= raw.opcodeIndex < len(codes):
        raise ModelError(f"op {index} names an operator code that does not exist", hint="The file is corrupted")
    kind = op_kind(codes[raw.opcodeIndex])

    def ids(raw_ids: Any, allow_absent: bool) -> tuple[int, ...]:
        result = tuple(int(i) for i in (raw_ids if raw_ids is not None else ()))
        low = -1 if allow_absent else 0
        if any(i < low or i >= len(tensors) for i in result):
            raise ModelError(f"op {index} {kind} names a tensor that does not exist", hint="The file is corrupted")
        return result

    inputs, outputs = ids(raw.inputs, True), ids(raw.outputs, False)
    named = outputs or tuple(i for i in inputs[:1] if i >= 0)
    name = tensors[named[0]].name.split(";")[0] if named else f"op_{index}"
    op = Op(index, kind, inputs, outputs, name)
    if not outputs and kind not in ("ASSIGN_VARIABLE", "CALL_ONCE"):
        raise ModelError("has no output", where=op.where)
    if kind == "VAR_HANDLE":
        return replace(op, options=VariableName.parse(raw.builtinOptions))
    operands = [tensors[i] if i >= 0 else None for i in inputs]
    spec = ops.select(kind, operands)
    if spec is None:
        return op
    try:
        given = raw.customOptions if kind.startswith("CUSTOM:") else raw.builtinOptions
        options = spec.parse(given, operands, [tensors[i] for i in outputs])
    except (IndexError, ValueError, AttributeError, ZeroDivisionError, TypeError) as error:
        raise ModelError(
            f"its options and tensors do not fit together ({error})",
            where=op.where,
            hint="The file is corrupted, or was made by an unknown converter",
        ) from None
    return Op(index, kind, inputs, outputs, name, options)


def _check_data_flow(graph: Graph) -> None:
    """Every op reads what exists when it runs, and every tensor is written once; state may be written at any time."""
    known = {t.id for t in graph.tensors.values() if t.is_const or t.is_state}
    for i in graph.inputs:
        tensor = graph.tensor(i)
        where = f'tensor "{tensor.name}"'
        if tensor.is_const:
            raise ModelError("is a model input and a constant at once", where=where)
        if tensor.is_state:
            raise ModelError("is a model input and a variable at once", where=where)
        if tensor.elements == 0:
            raise ModelError("is a model input without elements", where=where)
    if len(set(graph.inputs)) != len(graph.inputs):
        raise ModelError("the model names the same input twice")
    known.update(graph.inputs)
    for op in graph.ops:
        for i in op.inputs:
            if i >= 0 and i not in known:
                raise ModelError(f'reads tensor "{graph.tensor(i).name}" before anything wrote it', where=op.where)
        for i in op.outputs:
            if i in known and op.kind != "ASSIGN_VARIABLE":
                raise ModelError(f'writes tensor "{graph.tensor(i).name}", which is written elsewhere', where=op.where)
            known.add(i)
    for i in graph.outputs:
        if i not in known:
            raise ModelError(f'nothing writes the model output "{graph.tensor(i).name}"')


def _check_interface(graph: Graph) -> None:
    """The model's outputs are computed."""
    for i in graph.outputs:
        if graph.tensor(i).is_const:
            raise ModelError(
                f'the model output "{graph.tensor(i).name}" is a constant',
                hint="Remove that output when converting the model",
            )
