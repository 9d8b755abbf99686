"""GATHER, GATHER_ND and EMBEDDING_LOOKUP: rows picked by indices, which may be computed by the model.

An index that is constant is checked here. One that is computed and out of range picks the nearest row there is:
the reference stops there, or reads what lies beside its tensor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, ParamValue, Target
from mcugen.ops.checks import not_empty
from mcugen.ops.movement import Loop, Move, counts, lower_moves, moved_types, shape_problem, strides, type_names
from mcugen.ops.moving.derived_indices import derived

_TYPES = (DType.INT8, DType.FLOAT32)
_ND_DEPTH = 5  # indices per row that mcg_gather_nd takes


@dataclass(frozen=True)
class GatherOptions:
    """Both may be negative."""

    axis: int
    batch_dims: int


def _parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> GatherOptions:
    return GatherOptions(0, 0) if raw is None else GatherOptions(raw.axis, raw.batchDims)


@dataclass(frozen=True)
class _Plan:
    """Which operand is which, and how the table is read: [batches, outer, rows, inner]."""

    table: Tensor
    indices: Tensor
    batches: int
    outer: int
    rows: int
    inner: int
    output_shape: tuple[int, ...]


def _axes(graph: Graph, op: Op) -> tuple[int, int] | None:
    """(axis, number of batch dimensions), or None if they do not exist."""
    if op.kind == "EMBEDDING_LOOKUP":
        return 0, 0
    rank, index_rank = (len(graph.tensor(i).shape) for i in op.inputs)
    axis, batch_dims = op.options.axis, op.options.batch_dims
    axis += rank if axis < 0 else 0
    batch_dims += index_rank if batch_dims < 0 else 0
    exist = 0 <= batch_dims <= axis < rank and batch_dims <= index_rank
    return (axis, batch_dims) if exist else None


def _plan(graph: Graph, op: Op) -> _Plan:
    operands = [graph.tensor(i) for i in op.inputs]
    table, indices = operands if op.kind == "GATHER" else reversed(operands)
    axes = _axes(graph, op)
    assert axes is not None, op.where
    axis, batch_dims = axes
    return _Plan(
        table=table,
        indices=indices,
        batches=math.prod(table.shape[:batch_dims]),
        outer=math.prod(table.shape[batch_dims:axis]),
        rows=table.shape[axis],
        inner=math.prod(table.shape[axis + 1 :]),
        output_shape=table.shape[:axis] + indices.shape[batch_dims:] + table.shape[axis + 1 :],
    )


def _int32_indices(graph: Graph, op: Op) -> str | None:
    """The indices are int32."""
    indices = graph.tensor(op.inputs[0 if op.kind == "EMBEDDING_LOOKUP" else 1])
    return None if indices.dtype is DType.INT32 else f"the indices are {indices.dtype.value}"


def _axes_exist(graph: Graph, op: Op) -> str | None:
    """The axis is a dimension of the input, and batch dimensions are before it."""
    if op.kind == "EMBEDDING_LOOKUP":
        ranks = [len(graph.tensor(i).shape) for i in op.inputs]
        return None if ranks[0] == 1 and ranks[1] >= 2 else f"indices and table have {ranks} dimensions"
    if _axes(graph, op) is None:
        return f"axis {op.options.axis} with {op.options.batch_dims} batch dimensions does not exist"
    table, indices = (graph.tensor(i).shape for i in op.inputs)
    batch_dims = _axes(graph, op)[1]  # type: ignore[index]
    if table[:batch_dims] != indices[:batch_dims]:
        return f"the batch dimensions of {list(table)} and {list(indices)} differ"
    return None


def _output_shape(graph: Graph, op: Op) -> str | None:
    """The output's shape is the input's, with the indices' shape in place of the axis."""
    return shape_problem(graph.output_of(op), _plan(graph, op).output_shape)


def _indices_in_range(graph: Graph, op: Op) -> str | None:
    """Constant indices are neither negative nor beyond the last row."""
    plan = _plan(graph, op)
    data = plan.indices.data
    if data is None or (data.min() >= 0 and data.max() < plan.rows):
        return None
    return f"the indices are from {data.min()} to {data.max()}, where there are {plan.rows} rows"


def _table_call(
    kernel: str, params: tuple[tuple[str, ParamValue], ...], indices: Tensor, table: Tensor, output: Tensor
) -> KernelCall:
    constant = Constant("table", table.data, f"shape {list(table.shape)}") if table.data is not None else None
    return KernelCall(
        kernel=kernel,
        params=params,
        inputs=(indices.id,) if constant else (indices.id, table.id),
        constants=(constant,) if constant else (),
        outputs=(output.id,),
    )


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    plan, output = _plan(graph, op), graph.output_of(op)
    if plan.indices.data is not None and plan.indices.elements == 1:
        # One constant index is a slice.
        loops = (Loop(plan.outer, plan.rows * plan.inner, plan.inner), Loop(plan.inner, 1, 1))
        start = int(plan.indices.data.reshape(-1)[0]) * plan.inner
        return lower_moves(graph, [Move(plan.table.id, output.id, loops, start)])
    params = (
        ("batches", plan.batches),
        ("outer", plan.outer),
        ("rows", plan.rows),
        ("indices", plan.indices.elements // plan.batches),
        ("bytes", plan.inner * output.dtype.itemsize),
    )
    return Lowering((_table_call("mcg_gather", params, plan.indices, plan.table, output),))


def _evaluate(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    plan = _plan(graph, op)
    assert plan.table.data is not None
    assert plan.indices.data is not None
    table = plan.table.data.reshape(plan.batches, plan.outer, plan.rows, plan.inner)
    indices = plan.indices.data.reshape(plan.batches, -1)
    rows = [table[n][:, indices[n]] for n in range(plan.batches)]
    return (np.stack(rows).reshape(plan.output_shape),)


def _nd_shapes(graph: Graph, op: Op) -> str | None:
    """The last dimension of the indices, at most 5, counts the input's outer dimensions that an index picks from."""
    table, indices = (graph.tensor(i).shape for i in op.inputs)
    if not indices or not 1 <= indices[-1] <= min(len(table), _ND_DEPTH):
        return f"indices {list(indices)} do not pick from {list(table)}"
    return shape_problem(graph.output_of(op), (*indices[:-1], *table[indices[-1] :]))


def _nd_positions(graph: Graph, op: Op) -> NDArray[np.int64]:
    """Elements of the input at which the picked parts begin, for constant indices."""
    table, indices = (graph.tensor(i) for i in op.inputs)
    assert indices.data is not None
    steps = np.array(strides(table.shape)[: indices.shape[-1]], np.int64)
    return (indices.data.astype(np.int64) @ steps).reshape(-1)


def _nd_in_range(graph: Graph, op: Op) -> str | None:
    """Constant indices exist in the input."""
    table, indices = (graph.tensor(i) for i in op.inputs)
    if indices.data is None:
        return None
    limits = np.array(table.shape[: indices.shape[-1]])
    inside = (indices.data >= 0) & (indices.data < limits)
    return None if inside.all() else f"an index lies outside {list(table.shape)}"


def _lower_nd(graph: Graph, op: Op, _target: Target) -> Lowering:
    table, indices = (graph.tensor(i) for i in op.inputs)
    output = graph.output_of(op)
    depth = indices.shape[-1]
    inner = math.prod(table.shape[depth:])
    params = (
        ("count", indices.elements // depth),
        ("depth", depth),
        ("stride", strides(table.shape)[:depth] + (0,) * (_ND_DEPTH - depth)),
        ("last", table.elements - inner),
        ("elements", inner),
        ("bytes", table.dtype.itemsize),
    )
    return Lowering((_table_call("mcg_gather_nd", params, indices, table, output),))


def _evaluate_nd(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
    table, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    assert table.data is not None
    inner = math.prod(table.shape[graph.tensor(op.inputs[1]).shape[-1] :])
    picked = _nd_positions(graph, op)[:, None] + np.arange(inner)
    return (table.data.reshape(-1)[picked].reshape(output.shape),)


def index_limit(graph: Graph, tensor_id: int) -> int | None:
    """Largest number that every op which takes this tensor for indices accepts; None if no op does.

    The indices may be computed from the tensor, value by value. Ops that break their constraints (another runtime may
    run them) do not count.
    """
    limits: list[int] = []
    computed = derived(graph, tensor_id)
    for op in (op for i in computed for op in graph.consumers(i)):
        spec = next((spec for spec in SPECS if spec.kind == op.kind), None)
        if spec is None or any(constraint(graph, op) for constraint in spec.constraints):
            continue
        if op.kind == "GATHER_ND":
            table, indices = (graph.tensor(i) for i in op.inputs)
            picked = table.shape[: indices.shape[-1]]
        else:
            indices, picked = _plan(graph, op).indices, (_plan(graph, op).rows,)
        if indices.id in computed:
            limits += [_last_before(computed[indices.id], size) for size in picked]
    limits = [limit for limit in limits if limit >= 0]
    return min(limits, default=None)


def _last_before(indices: NDArray[np.int64], size: int) -> int:
    """The last number up to which all give an index below `size`; -1 if the first does not."""
    outside = np.flatnonzero((indices < 0) | (indices >= size))
    return int(outside[0]) - 1 if len(outside) else len(indices) - 1


SPECS = (
    OpSpec(
        kind="GATHER",
        lower=_lower,
        constraints=(
            counts(2),
            not_empty,
            moved_types(_TYPES),
            _int32_indices,
            _axes_exist,
            _output_shape,
            _indices_in_range,
        ),
        parse=_parse,
        evaluate=_evaluate,
        types=type_names(_TYPES),
    ),
    OpSpec(
        kind="EMBEDDING_LOOKUP",
        lower=_lower,
        constraints=(
            counts(2),
            not_empty,
            moved_types(_TYPES, 1, 2),
            _int32_indices,
            _axes_exist,
            _output_shape,
            _indices_in_range,
        ),
        evaluate=_evaluate,
        types=type_names(_TYPES),
    ),
    OpSpec(
        kind="GATHER_ND",
        lower=_lower_nd,
        constraints=(counts(2), not_empty, moved_types(_TYPES), _int32_indices, _nd_shapes, _nd_in_range),
        evaluate=_evaluate_nd,
        types=type_names(_TYPES),
    ),
)
