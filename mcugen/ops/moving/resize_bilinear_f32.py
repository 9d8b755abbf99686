"""RESIZE_BILINEAR, float32: which pixels mix, and in which parts, is known at generation time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Graph, Op
from mcugen.ops import float32
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.checks import not_empty
from mcugen.ops.movement import counts
from mcugen.ops.moving import resize


def _axis(size: int, made: int, options: resize.ResizeOptions) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Lower and upper input index of each output index, [made, 2], and the upper one's weight, [made].

    In float32 as the reference (`ComputeInterpolationValues`). Before the first pixel's centre its weight is
    negative, but both indices are the same there.
    """
    aligned = options.align_corners and made > 1
    scale = np.float32(size - 1) / np.float32(made - 1) if aligned else np.float32(size) / np.float32(made)
    numbers = np.arange(made, dtype=np.float32)
    half = np.float32(0.5)
    at = (numbers + half) * scale - half if options.half_pixel_centers else numbers * scale
    lower = np.maximum(np.floor(at).astype(np.int32), 0)
    upper = np.minimum(np.ceil(at).astype(np.int32), size - 1)
    return np.stack([lower, upper], axis=1), at - lower.astype(np.float32)


def _inside(graph: Graph, op: Op) -> str | None:
    """The reference's rounded step does not lead beyond the last pixel."""
    shape, output = graph.tensor(op.inputs[0]).shape, graph.output_of(op).shape
    for n in (1, 2):
        if _axis(shape[n], output[n], op.options)[0].max() >= shape[n]:
            return f"resizing {shape[n]} to {output[n]} reads beyond the last pixel"
    return None


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    source, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    batches, height, width, channels = source.shape
    rows, down = _axis(height, output.shape[1], op.options)
    columns, right = _axis(width, output.shape[2], op.options)
    call = KernelCall(
        kernel="mcg_resize_bilinear_f32",
        params=(
            ("batches", batches),
            ("batch_size", height * width * channels),
            ("rows", output.shape[1]),
            ("columns", output.shape[2]),
            ("channels", channels),
        ),
        inputs=(source.id,),
        constants=(
            Constant("row", rows * np.int32(width * channels), "elements to the first and the second input row"),
            Constant("down", down, "part of the second row"),
            Constant("column", columns * np.int32(channels), "elements to the first and the second input column"),
            Constant("right", right, "part of the second column"),
        ),
        outputs=op.outputs,
    )
    return Lowering((call,))


SPEC = OpSpec(
    kind="RESIZE_BILINEAR",
    lower=_lower,
    constraints=(counts(2), not_empty, float32.in_and_out, resize.shapes_fit, resize.one_alignment, _inside),
    parse=resize.parse,
    macs=resize.bilinear_macs,
    types=float32.TYPES,
)
