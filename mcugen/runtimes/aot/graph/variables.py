"""Resource variables (VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE, CALL_ONCE) become state tensors.

Handles are resolved here, once: afterwards READ_VARIABLE reads a state tensor, ASSIGN_VARIABLE writes one, and the
other two kinds of ops are gone. What CALL_ONCE would assign in the first inference is the states' initial value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.errors import ModelError
from mcugen.graph.types import Graph, Op, Tensor
from mcugen.tflite.schema import printable

_CONSTANT_HINT = "Initialize variables with constants"


@dataclass(frozen=True)
class VariableName:
    """What a VAR_HANDLE names; equal names are the same variable, in whichever subgraph."""

    container: str
    shared_name: str

    @classmethod
    def parse(cls, raw: Any) -> VariableName:
        """From the schema's options; they may be absent."""
        return cls(printable(getattr(raw, "container", "")), printable(getattr(raw, "sharedName", "")))


@dataclass(frozen=True, eq=False)
class _Assignment:
    """The op that assigns, and the tensor assigned."""

    op: Op
    value: Tensor


def resolve_variables(graph: Graph) -> Graph:
    """Replace handles of resource variables by state tensors, and initializing subgraphs by initial values.

    A variable that only CALL_ONCE assigns is a constant.

    Raises:
        ModelError: an initial value that is not constant, a variable that nothing assigns, values of different sizes
            for one variable, a CALL_ONCE after an op that uses variables.
    """
    handles = _handles(graph)
    _check_order(graph)
    initial = {name: value for op in graph.ops if op.kind == "CALL_ONCE" for name, value in _run_once(op)}
    assigned: dict[VariableName, Tensor] = {}
    for name, found in _assignments(graph, handles):
        _check_same(found, assigned.setdefault(name, found.value))
    tensors = dict(graph.tensors)
    states: dict[VariableName, int] = {}
    for name in dict.fromkeys(handles.values()):
        value = assigned.get(name, initial.get(name))
        if value is None:
            if not any(handles.get(i) == name for op in graph.ops for i in op.inputs):
                continue
            raise ModelError(f'nothing assigns the variable "{name.shared_name}", so that its size is unknown')
        if name in initial and initial[name].nbytes != value.nbytes:
            raise ModelError(
                f'the variable "{name.shared_name}" has {value.nbytes} bytes, but is initialized with '
                f"{initial[name].nbytes}"
            )
        state = _state(name, value, initial.get(name), constant=name not in assigned)
        states[name] = max(tensors) + 1
        tensors[states[name]] = replace(state, id=states[name])
    ops = tuple(
        _resolved(op, tensors, {i: states[name] for i, name in handles.items() if name in states})
        for op in graph.ops
        if op.kind not in ("VAR_HANDLE", "CALL_ONCE")
    )
    return graph.with_(tensors={i: t for i, t in tensors.items() if i not in handles}, ops=ops)


def _handles(graph: Graph) -> dict[int, VariableName]:
    """The variable that each handle tensor stands for."""
    handles = {op.outputs[0]: op.options for op in graph.ops if op.kind == "VAR_HANDLE"}
    names: dict[str, VariableName] = {}
    for name in handles.values():
        if names.setdefault(name.shared_name, name) != name:
            # TFLM tells them apart by the container or not, depending on how the file was written.
            raise ModelError(f'two variables in different containers are called "{name.shared_name}"')
    for op in graph.ops:
        used = [i for i in op.inputs if i in handles]
        if used and op.kind not in ("READ_VARIABLE", "ASSIGN_VARIABLE"):
            raise ModelError("takes the handle of a variable, which only reading and assigning do here", where=op.where)
        if op.kind == "ASSIGN_VARIABLE" and len(op.inputs) != 2:
            raise ModelError(f"has {len(op.inputs)} inputs, not a variable and a value", where=op.where)
    if not handles.keys().isdisjoint((*graph.inputs, *graph.outputs)):
        raise ModelError("the handle of a variable is an input or output of the model")
    return handles


def _check_order(graph: Graph) -> None:
    """CALL_ONCE comes before every use, so that what it assigns is there from the start."""
    kinds = [op.kind for op in graph.ops]
    uses = [n for n, kind in enumerate(kinds) if kind in ("READ_VARIABLE", "ASSIGN_VARIABLE")]
    for n, op in enumerate(graph.ops):
        if op.kind == "CALL_ONCE" and uses and n > uses[0]:
            raise ModelError("initializes variables after they were used", where=op.where)


def _run_once(call: Op) -> Iterator[tuple[VariableName, Tensor]]:
    """What a CALL_ONCE assigns, in order: constants, computed here where necessary."""
    # Imported here, because passes use the ops, and the ops use this package.
    from mcugen.runtimes.aot.graph.fold_constants import fold_constants

    graph = fold_constants(call.options)
    handles = _handles(graph)
    left = [op for op in graph.ops if op.kind not in ("VAR_HANDLE", "ASSIGN_VARIABLE")]
    if left or graph.inputs or graph.outputs:
        what = f"runs {left[0].kind}, which was not computed in advance" if left else "has inputs or outputs"
        raise ModelError(f"its subgraph {what}", where=call.where, hint=_CONSTANT_HINT)
    for name, found in _assignments(graph, handles):
        if found.value.data is None:
            raise ModelError(
                f'initializes the variable "{name.shared_name}" with what is not constant',
                where=call.where,
                hint=_CONSTANT_HINT,
            )
        yield name, found.value


def _assignments(graph: Graph, handles: dict[int, VariableName]) -> Iterator[tuple[VariableName, _Assignment]]:
    for op in graph.ops:
        if op.kind == "ASSIGN_VARIABLE" and op.inputs[0] in handles and op.inputs[1] >= 0:
            yield handles[op.inputs[0]], _Assignment(op, graph.tensor(op.inputs[1]))


def _check_same(found: _Assignment, first: Tensor) -> None:
    value = found.value
    if (value.dtype, value.nbytes) != (first.dtype, first.nbytes):
        raise ModelError(
            f"assigns {value.dtype.value} of {value.nbytes} bytes to a variable of {first.dtype.value} and "
            f"{first.nbytes} bytes",
            where=found.op.where,
        )


def _state(name: VariableName, value: Tensor, initial: Tensor | None, *, constant: bool) -> Tensor:
    """The tensor that stands for a variable; `value` is the first that the model assigns to it."""
    data: NDArray[Any] | None = None
    if initial is not None and initial.data is not None:
        data = np.frombuffer(initial.data.tobytes(), value.dtype.numpy).reshape(value.shape)
    made = replace(value, name=name.shared_name or "variable", data=None, kept=None)
    if constant:
        return replace(made, data=data)
    return replace(made, initial=data if data is not None else _unwritten(value))


def _unwritten(value: Tensor) -> NDArray[Any]:
    """TFLM fills a variable with the low byte of the zero point of the first value that is assigned to it."""
    zero = value.quant.zero_point[0] & 0xFF if value.quant is not None else 0
    made = np.frombuffer(bytes([zero]) * value.nbytes, value.dtype.numpy).reshape(value.shape)
    made.flags.writeable = False
    return made


def _resolved(op: Op, tensors: dict[int, Tensor], states: dict[int, int]) -> Op:
    """An op that reads and writes state tensors instead of handles."""
    if op.kind == "READ_VARIABLE" and op.inputs[:1] and op.inputs[0] in states:
        return replace(op, inputs=(states[op.inputs[0]],))
    if op.kind == "ASSIGN_VARIABLE" and op.inputs[0] in states:
        state = states[op.inputs[0]]
        return replace(op, inputs=op.inputs[1:], outputs=(state,), name=tensors[state].name)
    return op
