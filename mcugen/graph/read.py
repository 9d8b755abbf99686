"""Reads a `.tflite` flatbuffer into a :class:`Graph`, without TensorFlow.

The file is hostile until checked: every index, size and number that a later stage relies on is checked here,
once, and what is wrong comes out as a ModelError that names the place.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen import fallback, ops
from mcugen.errors import ModelError, UnsupportedOpError
from mcugen.graph.schema import op_kind, printable, type_name, unpack_model
from mcugen.graph.types import DType, Graph, Op, Quantization, Tensor
from mcugen.graph.variables import VariableName, resolve_variables
from mcugen.ops.control import ControlOptions

_MAX_TENSORS = 100_000
_MAX_SUBGRAPHS = 1000
_MAX_EXPANDED_OPS = 100_000
"""Ops of the model and, once per op that runs them, of other subgraphs."""
_MAX_ELEMENTS = 1 << 25
"""Of one tensor: more than any board holds, and passes reckon with arrays of that size."""

_DTYPES = {dtype.value: dtype for dtype in DType if dtype is not DType.OTHER}

_ZERO_POINT_RANGE = {DType.INT8: (-128, 127), DType.UINT8: (0, 255)}


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


def check_supported(graph: Graph) -> None:
    """Refuse a graph that holds an op without a kernel, or a use of one that its kernel does not do.

    Raises:
        UnsupportedOpError: names every such op with its layer, and the supported ones.
    """
    unknown = [op for op in graph.ops if op.kind not in ops.registry()]
    if unknown:
        listed = "; ".join(op.where for op in unknown[:8]) + ("; …" if len(unknown) > 8 else "")
        raise UnsupportedOpError(
            f"no ahead-of-time kernel for {', '.join(sorted({op.kind for op in unknown}))} ({listed})",
            hint=fallback.hint([op.kind for op in unknown]),
        )
    for op in graph.ops:
        for constraint in ops.supported_spec(graph, op).constraints:
            problem = constraint(graph, op)
            if problem:
                rule = " ".join((constraint.__doc__ or "").split()).rstrip(".")
                raise UnsupportedOpError(problem, where=op.where, hint=f"The rule: {rule}" if rule else "")
        for nested in op.options.graphs if isinstance(op.options, ControlOptions) else ():
            check_supported(nested)


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


def _indices(raw: Any, limit: int, what: str) -> tuple[int, ...]:
    indices = tuple(int(i) for i in (raw if raw is not None else ()))
    if any(i < 0 or i >= limit for i in indices):
        raise ModelError(f"{what} name a tensor that does not exist; the file is corrupted")
    return indices


def read_tensor(index: int, raw: Any, buffers: list[Any]) -> Tensor:
    """One tensor of the schema's, checked.

    Raises:
        ModelError: sizes, indices or numbers that cannot be.
    """
    name = printable(raw.name) or f"tensor_{index}"
    where = f'tensor {index} "{name}"'
    dtype = _DTYPES.get(type_name(raw.type), DType.OTHER)
    shape = tuple(int(d) for d in (raw.shape if raw.shape is not None else ()))
    if any(d < 0 for d in shape) or math.prod(shape) > _MAX_ELEMENTS or len(shape) > 8:
        raise ModelError(f"impossible shape {list(shape)}", where=where, hint="The file is corrupted")
    if raw.sparsity is not None:
        raise ModelError(
            "sparse weights are not supported",
            where=where,
            hint="Convert without sparsity: strip the pruning",
        )
    if not 0 <= raw.buffer < max(len(buffers), 1):
        raise ModelError(f"names buffer {raw.buffer}, which does not exist", where=where)
    data = _read_buffer(buffers[raw.buffer], dtype, shape, where) if buffers else None
    quant = _read_quantization(raw.quantization, dtype, shape, where)
    initial = _initial_value(dtype, shape, quant) if raw.isVariable and data is None else None
    return Tensor(index, name, shape, dtype, quant, data, initial=initial)


def _initial_value(dtype: DType, shape: tuple[int, ...], quant: Quantization | None) -> NDArray[Any]:
    """What a variable tensor holds before it was written: TFLM fills int8 with the zero point, others with 0."""
    zero = quant.zero_point[0] if quant is not None and dtype is DType.INT8 else 0
    return _frozen(np.full(shape, zero, dtype.numpy))


def _read_buffer(buffer: Any, dtype: DType, shape: tuple[int, ...], where: str) -> NDArray[Any] | None:
    if getattr(buffer, "offset", 0) > 1:
        raise ModelError("keeps its data outside the flatbuffer, which is not supported", where=where)
    raw = buffer.data
    if raw is None or len(raw) == 0:
        return None
    content = np.asarray(raw, dtype=np.uint8)
    if dtype is DType.OTHER:
        return _frozen(content.reshape(-1))
    elements = math.prod(shape)
    expected = (elements + 1) // 2 if dtype is DType.INT4 else elements * dtype.itemsize
    if len(content) != expected:
        raise ModelError(f"holds {len(content)} bytes where its shape needs {expected}", where=where)
    if dtype is DType.INT4:
        pairs = np.stack([content & 15, content >> 4], axis=-1).reshape(-1)[:elements].astype(np.int8)
        return _frozen(np.where(pairs > 7, pairs - 16, pairs).astype(np.int8).reshape(shape))
    return _frozen(np.frombuffer(content.tobytes(), dtype=dtype.numpy.newbyteorder("<")).reshape(shape))


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _read_quantization(raw: Any, dtype: DType, shape: tuple[int, ...], where: str) -> Quantization | None:
    if raw is None or raw.scale is None or len(raw.scale) == 0:
        return None
    scale = tuple(float(s) for s in raw.scale)
    zero_point = tuple(int(z) for z in raw.zeroPoint) if raw.zeroPoint is not None else ()
    if not zero_point:
        zero_point = (0,) * len(scale)
    if len(zero_point) != len(scale):
        raise ModelError(f"has {len(scale)} scales but {len(zero_point)} zero points", where=where)
    if not all(math.isfinite(s) and s >= 0 for s in scale):
        raise ModelError("has a quantization scale that is not a finite, non-negative number", where=where)
    low, high = _ZERO_POINT_RANGE.get(dtype, (-(1 << 31), (1 << 31) - 1))
    if not all(low <= z <= high for z in zero_point):
        raise ModelError(f"has a zero point outside the range of {dtype.value}", where=where)
    axis = int(raw.quantizedDimension)
    if len(scale) > 1:
        # Old converters wrote an axis out of range on one-dimensional biases; TFLM takes them, so do we.
        if not 0 <= axis < len(shape):
            axis = 0
        if not shape or shape[axis] != len(scale):
            raise ModelError(f"has {len(scale)} scales for shape {list(shape)} along axis {axis}", where=where)
    return Quantization(scale, zero_point, axis if len(scale) > 1 else 0)


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


def dynamic_batch_notes(raw_tensors: list[Any], inputs: tuple[int, ...]) -> tuple[str, ...]:
    """What a person must know about inputs whose shape the file leaves open."""
    notes = []
    for i in inputs:
        signature = raw_tensors[i].shapeSignature
        if signature is not None and any(int(d) == -1 for d in signature):
            shape = [int(d) for d in raw_tensors[i].shape]
            notes.append(f'input "{printable(raw_tensors[i].name)}" has a dynamic dimension, frozen to {shape}')
    return tuple(notes)


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
