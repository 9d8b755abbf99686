"""Variables of a float model: what it keeps from sample to sample, as layers with `stateful=True` do.

A variable has one scale: what is read of it and what is assigned to it are tied. It begins with zeros, which TensorFlow
Lite Micro gives a variable that nothing initialized: the zero point of what is assigned first.
"""

from __future__ import annotations

import numpy as np

from mcugen.convert.loops.counted import drop_unused_graphs
from mcugen.errors import ModelError
from mcugen.tflite import fields as flat
from mcugen.tflite.schema import printable
from mcugen.tflite.schema_types import ModelT, OperatorT, SubGraphT

_HANDLE, _READ, _ASSIGN, _ONCE = "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"
_HINT = (
    "Build the layer without stateful=True and pass whole sequences as samples, or run the model in float32 with "
    "`quantize=False`"
)


def keeps_variables(model: ModelT) -> bool:
    """Whether samples are steps of a stream, since the model keeps what it learns of them in variables."""
    return any(flat.kind_of(model, op) == _HANDLE for op in model.subgraphs[0].operators)


def check_variables(model: ModelT) -> None:
    """Refuse variables that have no int8 form here.

    Raises:
        ModelError: one that begins with other values than zeros, or that a loop or condition uses.
    """
    main = model.subgraphs[0]
    begun: set[int] = set()
    for n, op in enumerate(main.operators):
        if flat.kind_of(model, op) == _ONCE:
            begun.add(int(op.builtinOptions.initSubgraphIndex))
            if not _begins_with_zeros(model, op):
                raise ModelError(
                    "a variable begins with other values than zeros, which cannot be quantized here",
                    where=flat.where(model, main, n),
                    hint=_HINT,
                )
    for number, graph in enumerate(model.subgraphs[1:], start=1):
        inner = next((n for n, op in enumerate(graph.operators) if flat.kind_of(model, op) == _HANDLE), None)
        if inner is not None and number not in begun:
            raise ModelError(
                f'subgraph {number} "{printable(graph.name)}" uses a variable, which cannot be quantized here',
                where=flat.where(model, graph, inner),
                hint=_HINT,
            )


def begin_with_zeros(model: ModelT) -> None:
    """Leave out what initializes variables with zeros, in place; see `check_variables`."""
    main = model.subgraphs[0]
    main.operators = [op for op in main.operators if flat.kind_of(model, op) != _ONCE]
    drop_unused_graphs(model)


def tied_variables(model: ModelT) -> tuple[tuple[int, ...], ...]:
    """Of every variable of the main graph, what is read of it and what is assigned to it."""
    main = model.subgraphs[0]
    handles = {flat.ints(op.outputs)[0]: _name(op) for op in main.operators if flat.kind_of(model, op) == _HANDLE}
    values: dict[str, list[int]] = {}
    for op in main.operators:
        inputs = flat.ints(op.inputs)
        kind = flat.kind_of(model, op)
        if kind == _READ and inputs[0] in handles:
            values.setdefault(handles[inputs[0]], []).append(flat.ints(op.outputs)[0])
        if kind == _ASSIGN and inputs[0] in handles:
            values.setdefault(handles[inputs[0]], []).append(inputs[1])
    return tuple(tuple(dict.fromkeys(ids)) for ids in values.values())


def _name(handle: OperatorT) -> str:
    return printable(getattr(handle.builtinOptions, "sharedName", "") or "")


def _begins_with_zeros(model: ModelT, call: OperatorT) -> bool:
    graph: SubGraphT = model.subgraphs[int(call.builtinOptions.initSubgraphIndex)]
    for op in graph.operators:
        kind = flat.kind_of(model, op)
        if kind == _HANDLE:
            continue
        value = flat.constant(model, graph.tensors[flat.ints(op.inputs)[1]]) if kind == _ASSIGN else None
        if value is None or np.any(value):
            return False
    return True
