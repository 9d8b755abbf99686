"""Reads a `.tflite` flatbuffer into a :class:`Graph`, without TensorFlow.

The file's indices, sizes and numbers were checked when it was opened (:mod:`mcugen.tflite.check`). What is checked
here is what this runtime demands: options, subgraphs that ops run, and the order of ops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mcugen import ops
from mcugen.errors import ModelError
from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops.keeping.control import ControlOptions
from mcugen.runtimes.aot.graph.variables import VariableName, resolve_variables
from mcugen.tflite.counted import count_rounds
from mcugen.tflite.fields import ints, kind_of
from mcugen.tflite.opened import OpenedModel, open_model
from mcugen.tflite.schema_types import ModelT, OperatorT, SubGraphT
from mcugen.tflite.state import takes_sequences
from mcugen.tflite.tensors import dynamic_batch_notes, read_tensors

_MAX_EXPANDED_OPS = 100_000
"""Ops of the model and, once per op that runs them, of other subgraphs."""


def read_graph(model: bytes | OpenedModel, name: str = "model") -> Graph:
    """Read the model's first subgraph with all its tensors and ops, and the subgraphs that these run.

    Resource variables become state tensors, and the subgraphs of CALL_ONCE their initial values. Ops without a kernel
    are kept (so that they can be listed); :func:`check_supported` refuses them.

    Args:
        model: a `.tflite`.
        name: the model's name in messages and emitted code.

    Raises:
        ModelError: the file is no model, corrupted, or holds what cannot be run (sparse tensors, external buffers,
            variables whose initial value is not constant).
    """
    opened = open_model(model)
    graph = _Reader(opened.schema, name, opened.sha256).subgraph(0)
    graph = replace(resolve_variables(graph), sequences=takes_sequences(opened.schema))
    _check_data_flow(graph)
    _check_interface(graph)
    return graph


class _Reader:
    """Reads subgraphs of one model, and those that their ops run."""

    def __init__(self, model: ModelT, name: str, sha256: str) -> None:
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

    def _new_subgraph(self, raw: SubGraphT) -> Graph:
        tensors = read_tensors(self._model, raw)
        inputs, outputs = ints(raw.inputs), ints(raw.outputs)
        read = tuple(self._op(i, op, tensors, raw) for i, op in enumerate(raw.operators))
        if _expanded_ops(read) > _MAX_EXPANDED_OPS:
            raise ModelError(f"with the subgraphs they run these are more than {_MAX_EXPANDED_OPS} ops")
        notes = dynamic_batch_notes(raw.tensors, inputs)
        return Graph(tensors, read, inputs, outputs, self._name, self._sha256, notes)

    def _op(self, index: int, raw: OperatorT, tensors: dict[int, Tensor], graph: SubGraphT) -> Op:
        op = _read_op(index, raw, self._model, tensors)
        options = raw.builtinOptions
        try:
            if op.kind == "CALL_ONCE":
                return replace(op, options=self.subgraph(int(options.initSubgraphIndex)))
            if op.kind == "IF":
                return self._control(op, "then", options.thenSubgraphIndex, "else", options.elseSubgraphIndex)
            if op.kind == "WHILE":
                loop = self._control(op, "condition", options.condSubgraphIndex, "body", options.bodySubgraphIndex)
                counted = count_rounds(self._model, graph, raw)
                rounds = len(counted.rounds) if counted is not None else None
                return replace(loop, options=replace(loop.options, rounds=rounds))
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


def _read_op(index: int, raw: OperatorT, model: ModelT, tensors: dict[int, Tensor]) -> Op:
    kind, inputs, outputs = kind_of(model, raw), ints(raw.inputs), ints(raw.outputs)
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
    known.update(graph.inputs)
    for op in graph.ops:
        if any(i >= 0 and i not in graph.tensors for i in (*op.inputs, *op.outputs)):
            raise ModelError("uses the handle of a variable as a tensor of values", where=op.where)
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
