"""DEPTH_TO_SPACE, SPACE_TO_DEPTH, BATCH_TO_SPACE_ND and SPACE_TO_BATCH_ND: blocks of pixels move."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.ops.base import OpSpec
from mcugen.ops.checks import not_empty
from mcugen.ops.movement import (
    Loop,
    Move,
    constant_integers,
    constant_values,
    counts,
    evaluation,
    kernel_suffices,
    lowering,
    moved_types,
    shape_problem,
    strides,
    type_names,
)

_TYPES = (DType.INT8, DType.FLOAT32)


@dataclass(frozen=True)
class BlockOptions:
    """Pixels along each side of a block."""

    block: int


def _parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> BlockOptions:
    if raw is None or raw.blockSize < 1:
        raise ValueError("it has no block size above zero")
    return BlockOptions(raw.blockSize)


def _block_shapes(graph: Graph, op: Op) -> str | None:
    """Both tensors are NHWC; a block of pixels with few channels is one pixel with many."""
    deep, wide = graph.tensor(op.inputs[0]), graph.output_of(op)
    if op.kind == "SPACE_TO_DEPTH":
        deep, wide = wide, deep
    if len(deep.shape) != 4 or len(wide.shape) != 4:
        return "its tensors do not have 4 dimensions"
    batches, height, width, channels = wide.shape
    block = op.options.block
    expected = (batches, height // block, width // block, channels * block * block)
    if height % block or width % block or deep.shape != expected:
        return f"{list(deep.shape)} and {list(wide.shape)} do not fit blocks of {block}"
    return None


def _block_moves(graph: Graph, op: Op) -> list[Move]:
    to_space = op.kind == "DEPTH_TO_SPACE"
    batches, height, width, channels = (graph.output_of(op) if to_space else graph.tensor(op.inputs[0])).shape
    block = op.options.block
    rows, columns = height // block, width // block
    # Dimensions of both, in the order of the deep tensor: n, row, column, row in block, column in block, channel.
    counts_ = (batches, rows, columns, block, block, channels)
    deep = strides(counts_)
    wide = strides((batches, rows, block, columns, block, channels))
    wide = (wide[0], wide[1], wide[3], wide[2], wide[4], wide[5])
    pairs = zip(counts_, deep, wide, strict=True)
    loops = [Loop(n, d, w) if to_space else Loop(n, w, d) for n, d, w in pairs]
    # Written in order.
    order = (0, 1, 3, 2, 4, 5) if to_space else range(6)
    return [Move(op.inputs[0], op.outputs[0], tuple(loops[n] for n in order))]


@dataclass(frozen=True)
class _Side:
    """One spatial dimension: an image of `size`, cut (with `before` and `after` of padding) into blocks."""

    size: int
    block: int
    before: int
    after: int

    @property
    def blocks(self) -> int:
        return (self.before + self.size + self.after) // self.block


def _sides(graph: Graph, op: Op) -> list[_Side]:
    image = graph.tensor(op.inputs[0]) if op.kind == "SPACE_TO_BATCH_ND" else graph.output_of(op)
    blocks, edges = constant_values(graph, op, 1), constant_values(graph, op, 2)
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [
        _Side(size, block, *pair)
        for size, block, pair in zip(image.shape[1 : 1 + len(blocks)], blocks, pairs, strict=True)
    ]


def _batch_shapes(graph: Graph, op: Op) -> str | None:
    """Tensors have 3 or 4 dimensions; block shape and paddings or crops are constant and fit the shapes."""
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    rank = len(source.shape)
    if rank not in (3, 4) or len(output.shape) != rank:
        return f"its tensors have {rank} and {len(output.shape)} dimensions"
    problem = constant_integers(graph, op, 1, "block shape", rank - 2) or constant_integers(
        graph, op, 2, "padding list", 2 * (rank - 2)
    )
    if problem:
        return problem
    if min(constant_values(graph, op, 1)) < 1 or min(constant_values(graph, op, 2)) < 0:
        return "a block is smaller than 1, or a padding negative"
    batched, image = (output, source) if op.kind == "SPACE_TO_BATCH_ND" else (source, output)
    sides = _sides(graph, op)
    if any((s.before + s.size + s.after) % s.block for s in sides):
        return "the padded image does not consist of whole blocks"
    expected = (image.shape[0] * math.prod(s.block for s in sides), *(s.blocks for s in sides), image.shape[-1])
    return shape_problem(batched, expected)


def _no_padding(graph: Graph, op: Op) -> str | None:
    """SPACE_TO_BATCH_ND does not pad: the reference never sets the value that it would pad with."""
    return "it pads, with a value that the reference leaves undefined" if any(constant_values(graph, op, 2)) else None


def _batch_moves(graph: Graph, op: Op) -> list[Move]:
    """One move per position in a block."""
    to_batch = op.kind == "SPACE_TO_BATCH_ND"
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    image, batched = (source, output) if to_batch else (output, source)
    in_image, in_batched = strides(image.shape), strides(batched.shape)
    sides = _sides(graph, op)
    moves = []
    for number, position in enumerate(itertools.product(*(range(s.block) for s in sides))):
        image_at, batched_at = 0, number * image.shape[0] * in_batched[0]
        loops = [(image.shape[0], in_image[0], in_batched[0])]
        for n, (side, at) in enumerate(zip(sides, position, strict=True), start=1):
            # Block k holds the pixel k · block + at − before: from the first inside the image to the last.
            first = max(-((at - side.before) // side.block), 0)
            last = min((side.size - 1 + side.before - at) // side.block, side.blocks - 1)
            loops.append((last - first + 1, side.block * in_image[n], in_batched[n]))
            image_at += (first * side.block + at - side.before) * in_image[n]
            batched_at += first * in_batched[n]
        loops.append((image.shape[-1], 1, 1))
        if min(count for count, _, _ in loops) < 1:
            continue
        ordered = tuple(Loop(n, i, b) if to_batch else Loop(n, b, i) for n, i, b in loops)
        starts = (image_at, batched_at) if to_batch else (batched_at, image_at)
        moves.append(Move(source.id, output.id, ordered, *starts))
    return moves


SPECS = (
    *(
        OpSpec(
            kind=kind,
            lower=lowering(_block_moves),
            constraints=(counts(1), not_empty, moved_types(_TYPES), _block_shapes),
            parse=_parse,
            evaluate=evaluation(_block_moves),
            types=type_names(_TYPES),
        )
        for kind in ("DEPTH_TO_SPACE", "SPACE_TO_DEPTH")
    ),
    OpSpec(
        kind="BATCH_TO_SPACE_ND",
        lower=lowering(_batch_moves),
        constraints=(counts(3), not_empty, moved_types(_TYPES), _batch_shapes, kernel_suffices(_batch_moves)),
        evaluate=evaluation(_batch_moves),
        types=type_names(_TYPES),
    ),
    OpSpec(
        kind="SPACE_TO_BATCH_ND",
        lower=lowering(_batch_moves),
        constraints=(
            counts(3),
            not_empty,
            moved_types(_TYPES),
            _batch_shapes,
            _no_padding,
            kernel_suffices(_batch_moves),
        ),
        evaluate=evaluation(_batch_moves),
        types=type_names(_TYPES),
    ),
)
