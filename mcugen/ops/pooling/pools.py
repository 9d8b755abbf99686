"""What AVERAGE_POOL_2D and MAX_POOL_2D share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.numerics.quantized import activation_range
from mcugen.ops import checks, windows
from mcugen.ops.base import Constraint, KernelCall, Lowering, ParamValue, Target
from mcugen.ops.common import Pads, fused_activation_name
from mcugen.ops.variants import fastest
from mcugen.ops.with_weights import known_activation


@dataclass(frozen=True)
class Pool2DOptions:
    pads: Pads
    stride_h: int
    stride_w: int
    filter_h: int
    filter_w: int
    activation: str


def parse(raw: Any, inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> Pool2DOptions:
    if raw is None or inputs[0] is None:
        raise ValueError("it has no options or no input")
    return Pool2DOptions(
        pads=windows.read_pads(raw, inputs[0], (raw.filterHeight, raw.filterWidth)),
        stride_h=raw.strideH,
        stride_w=raw.strideW,
        filter_h=raw.filterHeight,
        filter_w=raw.filterWidth,
        activation=fused_activation_name(raw.fusedActivationFunction),
    )


def same_scale(graph: Graph, op: Op) -> str | None:
    """Input and output have the same scale (within 1e-6) and zero point."""
    image, output = graph.tensor(op.inputs[0]), graph.output_of(op)
    # TFLM subtracts in float32.
    difference = abs(np.float32(image.scale) - np.float32(output.scale))
    if float(difference) > 1.0e-6 or image.zero_point != output.zero_point:
        return (
            f"the input has scale {image.scale:.8g} and zero point {image.zero_point}, "
            f"the output {output.scale:.8g} and {output.zero_point}"
        )
    return None


def shapes_fit(graph: Graph, op: Op) -> str | None:
    """Input and output are NHWC, and the output has one pixel for every window."""
    options: Pool2DOptions = op.options
    channels = graph.tensor(op.inputs[0]).shape[3]
    return windows.output_shape_problem(graph, op, options, (options.filter_h, options.filter_w), channels)


CONSTRAINTS: tuple[Constraint, ...] = (
    checks.one_input,
    checks.int8_in_and_out,
    same_scale,
    shapes_fit,
    known_activation,
)


def window_params(graph: Graph, op: Op) -> tuple[tuple[str, int], ...]:
    """Where the windows of a pool lie: what the kernels of all types take first."""
    options: Pool2DOptions = op.options
    batches, height, width, channels = graph.tensor(op.inputs[0]).shape
    _, rows, columns, _ = graph.output_of(op).shape
    return (
        ("batches", batches),
        ("input_height", height),
        ("input_width", width),
        ("channels", channels),
        ("filter_height", options.filter_h),
        ("filter_width", options.filter_w),
        ("output_height", rows),
        ("output_width", columns),
        ("stride_h", options.stride_h),
        ("stride_w", options.stride_w),
        ("pad_top", options.pads.top),
        ("pad_left", options.pads.left),
    )


def pool_params(graph: Graph, op: Op, *, counts: bool) -> tuple[tuple[str, ParamValue], ...]:
    """The parameters of a pooling kernel; `counts` if it wants to know whether windows can be cut short."""
    options: Pool2DOptions = op.options
    output = graph.output_of(op)
    assert output.quant is not None, op.where
    low, high = activation_range(options.activation, output.quant, output.dtype)
    padded = windows.reaches_outside(graph, op, options, (options.filter_h, options.filter_w))
    cut: tuple[tuple[str, ParamValue], ...] = (("padded", int(padded)),) if counts else ()
    return (
        *window_params(graph, op),
        *cut,
        ("output_min", low),
        ("output_max", high),
    )


def lower_pool(graph: Graph, op: Op, target: Target, kernel: str, *, counts: bool) -> Lowering:
    """One call of a pooling kernel for int8."""
    call = KernelCall(
        kernel=kernel,
        params=pool_params(graph, op, counts=counts),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
    )
    if counts:
        return Lowering((fastest(target, call),))
    return Lowering((fastest(target, call),))
