"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR: which pixels make an output pixel is known at generation time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import int8_in_and_out, keeps_quantization, not_empty
from mcugen.ops.movement import constant_integers, constant_values, counts, moved_types, shape_problem, type_names

_NEAREST_TYPES = (DType.INT8, DType.INT16, DType.FLOAT32)
_ONE = 1 << 10
"""Positions and weights of RESIZE_BILINEAR are in 1/1024 of a pixel."""


@dataclass(frozen=True)
class ResizeOptions:
    align_corners: bool
    half_pixel_centers: bool


def parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> ResizeOptions:
    if raw is None:
        return ResizeOptions(False, False)
    return ResizeOptions(bool(raw.alignCorners), bool(raw.halfPixelCenters))


def shapes_fit(graph: Graph, op: Op) -> str | None:
    """Images are NHWC; the size is two constant int32, and the output's height and width."""
    shape = graph.tensor(op.inputs[0]).shape
    if len(shape) != 4:
        return f"the input has {len(shape)} dimensions"
    problem = constant_integers(graph, op, 1, "size", 2)
    return problem or shape_problem(graph.output_of(op), (shape[0], *constant_values(graph, op, 1), shape[3]))


def one_alignment(_graph: Graph, op: Op) -> str | None:
    """Corners are not aligned where pixels count by their centres."""
    options: ResizeOptions = op.options
    return "it asks for both kinds of alignment" if options.align_corners and options.half_pixel_centers else None


def _bilinear_inside(graph: Graph, op: Op) -> str | None:
    """The reference's rounded step does not lead beyond the last pixel."""
    shape, output = graph.tensor(op.inputs[0]).shape, graph.output_of(op).shape
    for n in (1, 2):
        first, _, _ = _bilinear_axis(shape[n], output[n], op.options)
        if first.max() >= shape[n]:
            return f"growing {shape[n]} to {output[n]} reads beyond the last pixel"
    return None


def _nearest_axis(size: int, made: int, options: ResizeOptions) -> NDArray[np.int32]:
    """The input index of each output index, in float32 as `GetNearestNeighbor`."""
    aligned = options.align_corners
    scale = np.float32(size - 1) / np.float32(made - 1) if aligned and made > 1 else np.float32(size) / np.float32(made)
    positions = (np.arange(made).astype(np.float32) + np.float32(0.5 * options.half_pixel_centers)) * scale
    # Positions are not negative, so halves away from zero are halves up; the sum is exact in double.
    indices = np.floor(positions.astype(np.float64) + (0.5 if aligned else 0.0))
    nearest: NDArray[np.int32] = np.minimum(indices, size - 1).astype(np.int32)
    return nearest


def _bilinear_axis(
    size: int, made: int, options: ResizeOptions
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Lower and upper input index of each output index, and the upper one's weight (`ResizeBilinearInteger`)."""
    step = (_ONE * size + made // 2) // made
    if options.align_corners and made > 1:
        step = (_ONE * (size - 1) + (made - 1) // 2) // (made - 1)
    at = np.arange(made, dtype=np.int64) * step
    if options.half_pixel_centers:
        at += step // 2 - _ONE // 2
    # Before the first pixel's centre and behind the last one's both indices are the same, whatever the weight.
    lower = np.maximum(at, 0) // _ONE
    upper = np.minimum((np.maximum(at, 0) + _ONE - 1) // _ONE, size - 1)
    weight = np.where(lower == upper, 0, at - lower * _ONE)
    return lower.astype(np.int32), upper.astype(np.int32), weight.astype(np.int32)


def _lower_nearest(graph: Graph, op: Op, _target: Target) -> Lowering:
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    batches, height, width, channels = source.shape
    pixel = channels * source.dtype.itemsize
    rows, columns = (_nearest_axis(source.shape[n], output.shape[n], op.options) for n in (1, 2))
    call = KernelCall(
        kernel="mcg_resize_nearest",
        params=(
            ("batches", batches),
            ("batch_bytes", height * width * pixel),
            ("rows", output.shape[1]),
            ("columns", output.shape[2]),
            ("pixel_bytes", pixel),
        ),
        inputs=(source.id,),
        constants=(
            Constant("row", (rows * (width * pixel)).astype(np.int32), "bytes to the input row of every output row"),
            Constant("column", (columns * pixel).astype(np.int32), "bytes to the input pixel of every output column"),
        ),
        outputs=op.outputs,
    )
    return Lowering((call,))


def _lower_bilinear(graph: Graph, op: Op, _target: Target) -> Lowering:
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    batches, height, width, channels = source.shape
    rows, columns = (np.stack(_bilinear_axis(source.shape[n], output.shape[n], op.options), axis=1) for n in (1, 2))
    what = "elements to the first and the second pixel, and the second one's weight in 1/1024"
    call = KernelCall(
        kernel="mcg_resize_bilinear_s8",
        params=(
            ("batches", batches),
            ("batch_size", height * width * channels),
            ("rows", output.shape[1]),
            ("columns", output.shape[2]),
            ("channels", channels),
        ),
        inputs=(source.id,),
        constants=(
            Constant("row", rows * np.array([width * channels, width * channels, 1], np.int32), what),
            Constant("column", columns * np.array([channels, channels, 1], np.int32), what),
        ),
        outputs=op.outputs,
    )
    return Lowering((call,))


def bilinear_macs(graph: Graph, op: Op) -> int:
    return 4 * math.prod(graph.output_of(op).shape)


SPECS = (
    OpSpec(
        kind="RESIZE_NEAREST_NEIGHBOR",
        lower=_lower_nearest,
        constraints=(counts(2), not_empty, moved_types(_NEAREST_TYPES), shapes_fit),
        parse=parse,
        types=type_names(_NEAREST_TYPES),
    ),
    OpSpec(
        kind="RESIZE_BILINEAR",
        lower=_lower_bilinear,
        constraints=(
            counts(2),
            not_empty,
            int8_in_and_out,
            keeps_quantization,
            shapes_fit,
            one_alignment,
            _bilinear_inside,
        ),
        parse=parse,
        macs=bilinear_macs,
    ),
)
