"""What ops share that only move values: a move is nested loops with strides on both sides.

An op describes its moves once; from them come the calls of mcg_move and mcg_copy, or an alias where the values lie next
to each other already, and constant folding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.ops.base import Constant, Constraint, KernelCall, Lowering, ParamValue, Target
from mcugen.ops.checks import same_quantization

LOOPS = 5
"""Loops of mcg_copy around its rows."""

_WORTH_A_CALL = 16
"""Bytes of a row from which on mcg_move, a function for all its calls, copies as fast as a loop of the call's own."""

_ALIAS_ALIGNMENT = 4
"""Kernels read activations as 32-bit words, so a tensor inside another one begins at a whole word."""

_MAX_MOVES = 1024

_QUANTIZED = (DType.INT8, DType.UINT8, DType.INT16)

BYTES_AND_WORDS = (DType.INT8, DType.INT32, DType.FLOAT32)


@dataclass(frozen=True)
class Loop:
    """`count` rounds, each of which moves on by so many elements in the source and in the output."""

    count: int
    source: int
    output: int


@dataclass(frozen=True)
class Move:
    """Values of tensor `source`, from element `source_at` on, go to tensor `output`, from element `output_at` on."""

    source: int
    output: int
    loops: tuple[Loop, ...]
    source_at: int = 0
    output_at: int = 0


MovesOf = Callable[[Graph, Op], Sequence[Move]]


def strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Elements from one index to the next along every dimension, in C order."""
    return tuple(math.prod(shape[n + 1 :]) for n in range(len(shape)))


def joined(loops: Sequence[Loop]) -> list[Loop]:
    """The same loops, outermost first, in as few as possible."""
    result: list[Loop] = []  # innermost first
    for loop in reversed(loops):
        if loop.count == 1:
            continue
        inner = result[-1] if result else None
        if inner and (loop.source, loop.output) == (inner.source * inner.count, inner.output * inner.count):
            result[-1] = Loop(inner.count * loop.count, inner.source, inner.output)
        else:
            result.append(loop)
    return result[::-1]


def _rows(loops: Sequence[Loop]) -> tuple[list[Loop], int]:
    """Joined loops around rows of so many neighbouring elements."""
    outer = joined(loops)
    if outer and (outer[-1].source, outer[-1].output) == (1, 1):
        return outer[:-1], outer[-1].count
    return outer, 1


def rows_moved(loops: Sequence[Loop], row: int) -> tuple[str, tuple[tuple[str, ParamValue], ...]]:
    """The kernel that moves rows of so many bytes, and its parameters; `loops` in bytes, outermost first."""
    loops = [loop for loop in loops if loop.count != 1]
    if len(loops) <= 1 and row >= _WORTH_A_CALL:
        loop = loops[0] if loops else Loop(1, 0, 0)
        strides = (("input_stride", loop.source), ("output_stride", loop.output))
        return "mcg_move", (("rows", loop.count), *strides, ("bytes", row))
    return "mcg_copy", _nested(loops, row)


def _nested(loops: Sequence[Loop], row: int) -> tuple[tuple[str, ParamValue], ...]:
    padded = [Loop(1, 0, 0)] * (LOOPS - len(loops)) + list(loops)
    return (
        ("count", tuple(loop.count for loop in padded)),
        ("input_stride", tuple(loop.source for loop in padded)),
        ("output_stride", tuple(loop.output for loop in padded)),
        ("bytes", row),
    )


def block_params(output: Tensor, loops: Sequence[Loop]) -> tuple[tuple[str, ParamValue], ...]:
    """The parameters of mcg_copy for one move, whatever it is; positions in elements."""
    outer, row = _rows(loops)
    size = output.dtype.itemsize
    return _nested([Loop(loop.count, loop.source * size, loop.output * size) for loop in outer], row * size)


def whole_copy(call: KernelCall) -> int | None:
    """The bytes that a call copies in one piece; None for a call that does anything else."""
    if call.kernel not in ("mcg_move", "mcg_copy"):
        return None
    params = dict(call.params)
    rows, size = params.get("rows", params.get("count")), params["bytes"]
    assert isinstance(size, int)
    return size if math.prod(rows if isinstance(rows, tuple) else (rows or 0,)) == 1 else None


def copy_call(
    source: Tensor | Constant, output: Tensor, loops: Sequence[Loop], source_at: int = 0, output_at: int = 0
) -> KernelCall:
    """The call of mcg_move or mcg_copy for one move; positions in elements."""
    outer, row = _rows(loops)
    size = output.dtype.itemsize
    in_bytes = [Loop(loop.count, loop.source * size, loop.output * size) for loop in outer]
    kernel, params = rows_moved(in_bytes, row * size)
    return KernelCall(
        kernel=kernel,
        params=params,
        inputs=() if isinstance(source, Constant) else (source.id,),
        constants=(source,) if isinstance(source, Constant) else (),
        outputs=(output.id,),
        input_offset=source_at * size,
        output_offset=output_at * size,
    )


def lower_moves(graph: Graph, moves: Sequence[Move]) -> Lowering:
    """Aliases if all values lie in place already, else one copy per move."""
    aliases = [alias for move in moves if (alias := _alias(graph, move))]
    if len(aliases) == len(moves):
        return Lowering(aliases=tuple(aliases))
    return Lowering(
        calls=tuple(
            copy_call(graph.tensor(m.source), graph.tensor(m.output), m.loops, m.source_at, m.output_at) for m in moves
        )
    )


def _alias(graph: Graph, move: Move) -> tuple[int, int, int] | None:
    source, output = graph.tensor(move.source), graph.tensor(move.output)
    outer, row = _rows(move.loops)
    offset = move.source_at * source.dtype.itemsize
    if source.is_const or outer or row != output.elements or offset % _ALIAS_ALIGNMENT:
        return None
    return output.id, source.id, offset


def lowering(moves_of: MovesOf) -> Callable[[Graph, Op, Target], Lowering]:
    """`lower` of an op that is its moves."""

    def lower(graph: Graph, op: Op, _target: Target) -> Lowering:
        return lower_moves(graph, moves_of(graph, op))

    return lower


def evaluation(moves_of: MovesOf) -> Callable[[Graph, Op], tuple[NDArray[Any], ...]]:
    """`evaluate` of an op that is its moves."""

    def evaluate(graph: Graph, op: Op) -> tuple[NDArray[Any], ...]:
        made = {i: np.zeros(graph.tensor(i).elements, graph.tensor(i).dtype.numpy) for i in op.outputs}
        for move in moves_of(graph, op):
            data = graph.tensor(move.source).data
            assert data is not None
            sources, outputs = np.array([move.source_at]), np.array([move.output_at])
            for loop in move.loops:
                steps = np.arange(loop.count)
                sources = (sources[:, None] + steps * loop.source).reshape(-1)
                outputs = (outputs[:, None] + steps * loop.output).reshape(-1)
            made[move.output][outputs] = data.reshape(-1)[sources]
        return tuple(made[i].reshape(graph.tensor(i).shape) for i in op.outputs)

    return evaluate


def kernel_suffices(moves_of: MovesOf) -> Constraint:
    """The constraint that the moves are few, and each within the loops of mcg_copy."""

    def few_loops(graph: Graph, op: Op) -> str | None:
        """The values move in at most 1024 blocks of at most five nested loops each."""
        moves = moves_of(graph, op)
        if len(moves) > _MAX_MOVES:
            return f"it takes {len(moves)} copies"
        most = max(len(_rows(move.loops)[0]) for move in moves)
        return None if most <= LOOPS else f"a copy needs {most} nested loops"

    return few_loops


def moved_types(dtypes: Collection[DType], first: int = 0, last: int | None = 1) -> Constraint:
    """The constraint that the inputs from `first` up to before `last`, and all outputs, are of one of these types."""

    def one_type(graph: Graph, op: Op) -> str | None:
        tensors = [graph.tensor(i) for i in (*op.inputs[first:last], *op.outputs)]
        wanted = tensors[0]
        if wanted.dtype not in dtypes:
            return f'tensor "{wanted.name}" is {wanted.dtype.value}'
        for tensor in tensors[1:]:
            if tensor.dtype is not wanted.dtype:
                return f'tensor "{tensor.name}" is {tensor.dtype.value}, "{wanted.name}" {wanted.dtype.value}'
            if wanted.dtype not in _QUANTIZED or wanted.quant is None or tensor.quant is None:
                continue
            if not same_quantization(wanted.quant, tensor.quant):
                return f'tensors "{wanted.name}" and "{tensor.name}" are quantized differently'
        return None

    listed = [t.value for t in dtypes]
    one_type.__doc__ = (
        f"What moves is {', '.join(listed[:-1])} or {listed[-1]}, the same type, scale and zero point everywhere: "
        "the reference moves the values as they are."
    )
    return one_type


def type_names(dtypes: Collection[DType]) -> tuple[str, ...]:
    """As `OpSpec.types` has them."""
    return tuple(t.value for t in dtypes)


def counts(inputs: int, outputs: int | None = 1) -> Constraint:
    """The constraint that an op has so many inputs, none absent, and so many outputs (None: one or more)."""

    def operands(_graph: Graph, op: Op) -> str | None:
        if len(op.inputs) != inputs or (outputs is not None and len(op.outputs) != outputs):
            return f"it has {len(op.inputs)} inputs and {len(op.outputs)} outputs"
        return "one of its inputs is absent" if min(op.inputs, default=0) < 0 else None

    written = "one or more outputs" if outputs is None else "one output" if outputs == 1 else f"{outputs} outputs"
    operands.__doc__ = f"{inputs} input{'s' * (inputs > 1)} and {written}, none absent."
    return operands


def most_dimensions(limit: int, position: int = 0) -> Constraint:
    """The constraint that the input at `position` has at most so many dimensions."""

    def dimensions(graph: Graph, op: Op) -> str | None:
        rank = len(graph.tensor(op.inputs[position]).shape)
        return None if rank <= limit else f"the input has {rank} dimensions"

    dimensions.__doc__ = f"The input has at most {limit} dimensions."
    return dimensions


def constant_values(graph: Graph, op: Op, position: int) -> list[int]:
    """A constant integer operand as a list."""
    data = graph.tensor(op.inputs[position]).data
    assert data is not None, op.where
    return [int(v) for v in data.reshape(-1)]


def constant_integers(graph: Graph, op: Op, position: int, what: str, number: int | None = None) -> str | None:
    """What keeps the input at `position` from being so many constant integers. Not a constraint of its own."""
    tensor = graph.tensor(op.inputs[position])
    if tensor.dtype not in (DType.INT32, DType.INT64):
        return f"the {what} is {tensor.dtype.value}, not int32"
    if tensor.data is None:
        return f"the {what} is computed by the model, not constant"
    if number is not None and tensor.elements != number:
        return f"the {what} has {tensor.elements} numbers where {number} are expected"
    return None


def shape_problem(output: Tensor, expected: Sequence[int]) -> str | None:
    """What is wrong with an output's shape, or None."""
    if output.shape != tuple(expected):
        return f"the output's shape is {list(output.shape)} where {list(expected)} is expected"
    return None
