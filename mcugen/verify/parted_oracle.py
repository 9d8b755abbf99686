"""The oracle of models with ops that TensorFlow Lite Micro does not know (the user's own) or may stop at.

The model is cut at them. What lies between runs in TFLM; the user's run by the reference function of their
Python file. Where there is none, their own kernel runs on this computer, which proves the compiler and not the kernel:
`unverified` names these.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.errors import CustomOpError, ModelError, UnsupportedOpError
from mcugen.graph.types import Graph, Op
from mcugen.ops.advice import hint
from mcugen.ops.custom import CustomOp, current, find
from mcugen.oracle.engines import Engine, chosen
from mcugen.oracle.oracle import Oracle, oracle_name
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from mcugen.tflite.fields import kind_of, shape_of, where
from mcugen.tflite.known_ops import BUILTINS, CUSTOMS
from mcugen.tflite.opened import OpenedModel, open_model
from mcugen.tflite.schema import op_kind, pack_model
from mcugen.tflite.state import takes_sequences
from mcugen.verify.wide_softmax import MANY, is_wide_softmax, wide_softmax
from mcugen.verify.wide_softmax import NAME as WIDE_SOFTMAX
from mcugen.verify.witnesses import Witnesses

Values = dict[int, NDArray[Any]]


class NoReferenceError(ModelError):
    """The model holds custom ops, and nothing here tells what they compute."""


def open_oracle(model: bytes | OpenedModel) -> Oracle | PartedOracle | Witnesses:
    """The chosen reference of a model, or both. Whole sequences each begin afresh.

    Raises:
        NoReferenceError: custom ops that nobody knows.
        UnsupportedOpError: ops that TFLM does not have.
        ModelError, ToolError: as :class:`Oracle`; a model with the user's ops and several subgraphs.
    """
    model = open_model(model)
    own = {op.kind for op in current()}
    kinds = {op_kind(code) for code in model.schema.operatorCodes}
    names = {kind.removeprefix("CUSTOM:") for kind in kinds - own if kind.startswith("CUSTOM:")}
    if unknown := sorted(names - CUSTOMS.keys()):
        raise NoReferenceError(
            f"nothing here tells what the custom ops {', '.join(unknown)} compute, so the device cannot be verified",
            hint=f'Pass `custom_ops=["{unknown[0]}=path/kernel.c"]` with a reference function (docs/CUSTOM_OPS.md), or '
            "use `api.run`, which compares nothing",
        )
    _check_known(model, own)
    parted = bool(own & kinds) or ("SOFTMAX" in kinds and _has_wide_softmax(model))
    afresh = takes_sequences(model.schema)
    with ExitStack() as opened:
        found = []
        for engine in chosen():
            one = PartedOracle(model, engine) if parted else Oracle(model.data, afresh=afresh, engine=engine)
            opened.push(one)
            found.append(one)
        opened.pop_all()  # whoever gets them closes them
    return found[0] if len(found) == 1 else Witnesses(found)


def _check_known(model: OpenedModel, own: Collection[str]) -> None:
    """Refuse ops that TFLM has no kernel of: its own words name neither the layer nor a way on.

    Raises:
        UnsupportedOpError: names every such op with its layer, and what to do instead.
    """
    raw = model.schema
    missing: list[tuple[str, str]] = []
    for subgraph in raw.subgraphs:
        for i, op in enumerate(subgraph.operators):
            kind = kind_of(raw, op)
            if kind not in BUILTINS and kind not in own and not kind.startswith("CUSTOM:"):
                missing.append((kind, where(raw, subgraph, i)))
    if missing:
        raise UnsupportedOpError(
            f"TensorFlow Lite Micro has no {', '.join(dict.fromkeys(kind for kind, _ in missing))}",
            where="; ".join(place for _, place in missing[:4]),
            hint=hint([kind for kind, _ in missing]),
        )


def _has_wide_softmax(model: OpenedModel) -> bool:
    if len(model.schema.subgraphs) > 1 or not any(shape_of(t)[-1:] >= (MANY,) for t in model.main.tensors):
        return False
    graph = read_graph(model)
    return any(is_wide_softmax(graph, op) for op in graph.ops)


@dataclass(frozen=True, eq=False)
class _Part:
    """A run of TFLM's ops: what it reads of what came before, what others read of it, and all that it makes."""

    oracle: Oracle
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    made: frozenset[int]


@dataclass(frozen=True, eq=False)
class _OwnOp:
    """An op that TFLM does not run. Of the user's, its kernel on this computer where there is no reference function."""

    op: Op
    custom: CustomOp | None
    host: HostModel | None


class PartedOracle:
    """As :class:`mcugen.oracle.oracle.Oracle`, for a model with the user's ops. Use as a context manager."""

    def __init__(self, model: OpenedModel, engine: Engine) -> None:
        self._engine = engine
        if len(model.schema.subgraphs) > 1:
            raise ModelError(
                "has custom ops beside several subgraphs, which cannot be verified together",
                hint="Remove the control flow or the resource variables out of the model",
            )
        self._graph = read_graph(model)
        self._open = ExitStack()
        try:
            self._parts = [self._part(model, ops) for ops in _cut(self._graph)]
        except BaseException:
            self._open.close()
            raise
        own = [part for part in self._parts if isinstance(part, _OwnOp)]
        self.unverified = tuple(part.op.where for part in own if part.host is not None)
        customs = [part.custom for part in own if part.custom is not None and part.host is None]
        names = ", ".join(dict.fromkeys(custom.name for custom in customs))
        self.name = oracle_name(engine) + (f" and the reference functions of {names}" if names else "")
        if any(part.custom is None for part in own):
            self.name += f" and {WIDE_SOFTMAX}"

    def __enter__(self) -> PartedOracle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """One inference: outputs in the model's order, shapes and dtypes."""
        values = self._run(inputs, ())
        return [values[i] for i in self._graph.outputs]

    def tensors(self, inputs: Sequence[NDArray[Any]], ids: Sequence[int]) -> list[NDArray[Any]]:
        """One inference: the values of intermediate tensors, by tensor id of the model file."""
        values = self._run(inputs, ids)
        return [values[i] for i in ids]

    def forget(self) -> None:
        """Start the model afresh."""
        for part in self._parts:
            if isinstance(part, _Part):
                part.oracle.forget()
            elif part.custom is not None:
                part.custom.forget()

    def _run(self, inputs: Sequence[NDArray[Any]], ids: Sequence[int]) -> Values:
        graph = self._graph
        values: Values = {i: t.data for i, t in graph.tensors.items() if t.data is not None}
        values.update(zip(graph.inputs, inputs, strict=True))
        for part in self._parts:
            if isinstance(part, _Part):
                given = [values[i] for i in part.inputs]
                wanted = [*part.outputs, *(i for i in ids if i in part.made)]
                got = part.oracle.tensors(given, wanted) if ids else part.oracle.run(given)
                values.update(zip(wanted, got, strict=True))
            else:
                values.update(zip(part.op.outputs, self._own(part, values), strict=True))
        return {i: np.asarray(value).reshape(graph.tensor(i).shape) for i, value in values.items()}

    def _own(self, part: _OwnOp, values: Values) -> list[NDArray[Any]]:
        read = [i for i in part.op.inputs if i >= 0]
        if part.custom is None:
            source = self._graph.tensor(part.op.inputs[0])
            return [wide_softmax(values[source.id], part.op.options.beta, source.scale)]
        if part.host is None:
            return part.custom.refer(self._graph, part.op, [values[i] for i in read])
        return part.host.run([values[i] for i in dict.fromkeys(read) if not self._graph.tensor(i).is_const])

    def _part(self, model: OpenedModel, ops: Sequence[Op]) -> _Part | _OwnOp:
        custom = find(ops[0].kind)
        if custom is None and is_wide_softmax(self._graph, ops[0]):
            return _OwnOp(ops[0], None, None)
        if custom is not None:
            host = None
            if custom.reference is None:
                host = self._open.enter_context(HostModel(make_plan(_alone(self._graph, ops[0]))))
            return _OwnOp(ops[0], custom, host)
        made = frozenset(i for op in ops for i in op.outputs)
        graph = self._graph
        read = dict.fromkeys(i for op in ops for i in op.inputs if i >= 0)
        inputs = tuple(i for i in read if i not in made and not (graph.tensor(i).is_const or graph.tensor(i).is_state))
        elsewhere = {i for op in graph.ops if op not in ops for i in op.inputs} | set(graph.outputs)
        outputs = tuple(i for i in sorted(made) if i in elsewhere)
        oracle = self._open.enter_context(Oracle(_submodel(model, ops, inputs, outputs), engine=self._engine))
        return _Part(oracle, inputs, outputs, made)


def _cut(graph: Graph) -> list[list[Op]]:
    """The graph's ops in runs: each that TFLM does not run alone, the others as far as they follow each other."""
    runs: list[list[Op]] = []

    def is_own(op: Op) -> bool:
        return find(op.kind) is not None or is_wide_softmax(graph, op)

    for op in graph.ops:
        if not is_own(op) and runs and not is_own(runs[-1][0]):
            runs[-1].append(op)
        else:
            runs.append([op])
    return runs


def _alone(graph: Graph, op: Op) -> Graph:
    """A graph of one op."""
    read = dict.fromkeys(i for i in op.inputs if i >= 0 and not graph.tensor(i).is_const)
    if not read:
        raise CustomOpError("reads constants only", where=op.where, hint="Compute its result before the conversion")
    return graph.with_(ops=(op,), inputs=tuple(read), outputs=op.outputs)


def _submodel(model: OpenedModel, ops: Sequence[Op], inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
    """The model file with some of its ops only."""
    part = model.copy()
    main = part.subgraphs[0]
    main.operators = [main.operators[op.index] for op in ops]
    main.inputs, main.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
    part.signatureDefs = part.metadata = part.metadataBuffer = None
    return pack_model(part)
