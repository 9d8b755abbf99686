"""TRANSPOSE_CONV: every output pixel gathers the input pixels whose window it lies in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops import with_weights
from mcugen.ops.base import Constant, Constraint, KernelCall, Lowering, OpSpec, ParamValue, Target
from mcugen.ops.common import describe, fused_activation_name, same_or_valid_padding
from mcugen.ops.movement import constant_integers, constant_values, shape_problem


@dataclass(frozen=True)
class TransposeConvOptions:
    """`pad_top` and `pad_left` are cut off the output."""

    pad_top: int
    pad_left: int
    stride_h: int
    stride_w: int
    activation: str


def parse(raw: Any, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> TransposeConvOptions:
    weights, output = inputs[1], outputs[0]
    if raw is None or weights is None or len(weights.shape) != 4 or len(output.shape) != 4:
        raise ValueError("it has no options, or filter or output do not have four dimensions")
    if raw.padding not in (0, 1) or min(raw.strideH, raw.strideW, *weights.shape) < 1:
        raise ValueError("a padding, stride or filter size does not exist")
    same = raw.padding == 0
    _, top, _ = same_or_valid_padding(same, output.shape[1], weights.shape[1], raw.strideH)
    _, left, _ = same_or_valid_padding(same, output.shape[2], weights.shape[2], raw.strideW)
    activation = fused_activation_name(getattr(raw, "fusedActivationFunction", 0))
    return TransposeConvOptions(top, left, raw.strideH, raw.strideW, activation)


def as_convolution(op: Op) -> Op:
    """The op with its operands where other ops with weights have them: image, filter, bias."""
    return replace(op, inputs=(op.inputs[2], op.inputs[1], *op.inputs[3:]))


def operands(graph: Graph, op: Op) -> str | None:
    """Output shape, filter, image, and perhaps a bias; one output; the output shape is constant and true."""
    if len(op.inputs) not in (3, 4) or len(op.outputs) != 1 or min(op.inputs[:3]) < 0:
        return f"it has {len(op.inputs)} inputs and {len(op.outputs)} outputs"
    problem = constant_integers(graph, op, 0, "output shape", 4)
    return problem or shape_problem(graph.output_of(op), constant_values(graph, op, 0))


def of_convolution(constraint: Constraint) -> Constraint:
    """A constraint on ops with weights, with this op's operands."""

    def moved(graph: Graph, op: Op) -> str | None:
        return constraint(graph, as_convolution(op))

    moved.__doc__ = constraint.__doc__
    return moved


def shapes_fit(graph: Graph, op: Op) -> str | None:
    """Image and output are NHWC, the filter OHWI; the output is as large as padding and stride say."""
    weights, image, output = graph.tensor(op.inputs[1]), graph.tensor(op.inputs[2]), graph.output_of(op)
    options: TransposeConvOptions = op.options
    channels, filter_h, filter_w, depth = weights.shape
    if len(image.shape) != 4 or min(image.shape) < 1 or image.shape[3] != depth:
        return f"the image is {describe(image)}, the filter {describe(weights)}"
    if output.elements == 0 or (output.shape[0], output.shape[3]) != (image.shape[0], channels):
        return f"image {describe(image)} and filter {describe(weights)} do not give {describe(output)}"
    sides = ((filter_h, options.stride_h, 1), (filter_w, options.stride_w, 2))
    for size, stride, n in sides:
        if not (image.shape[n] - 1) * stride < output.shape[n] + size:
            return f"{describe(output)} is too small for {describe(image)} and a stride of {stride}"
    return with_weights.bias_size_problem(graph, as_convolution(op), channels)


def filter_scales(graph: Graph, op: Op) -> str | None:
    """The filter is quantized per tensor or per output channel, with zero point 0."""
    return with_weights.channel_scales_problem(graph.tensor(op.inputs[1]), axis=0)


def _accumulator_fits(graph: Graph, op: Op) -> str | None:
    """No sum of products and bias can exceed 32 bits."""
    return with_weights.overflow_problem(graph, as_convolution(op), filter_rows(graph, op))


def filter_rows(graph: Graph, op: Op) -> NDArray[np.int8]:
    weights = with_weights.weights_of(graph, op)
    return weights.reshape(weights.shape[0], -1)


def geometry_params(graph: Graph, op: Op) -> tuple[tuple[str, ParamValue], ...]:
    """The first fields of the kernels' parameter structs."""
    weights, image, output = graph.tensor(op.inputs[1]), graph.tensor(op.inputs[2]), graph.output_of(op)
    options: TransposeConvOptions = op.options
    _, filter_h, filter_w, depth = weights.shape
    return (
        ("batches", image.shape[0]),
        ("input_height", image.shape[1]),
        ("input_width", image.shape[2]),
        ("depth", depth),
        ("filter_height", filter_h),
        ("filter_width", filter_w),
        ("output_height", output.shape[1]),
        ("output_width", output.shape[2]),
        ("channels", output.shape[3]),
        ("stride_h", options.stride_h),
        ("stride_w", options.stride_w),
        ("pad_top", options.pad_top),
        ("pad_left", options.pad_left),
    )


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    weights, image = graph.tensor(op.inputs[1]), graph.tensor(op.inputs[2])
    options: TransposeConvOptions = op.options
    rows = filter_rows(graph, op)
    convolution = as_convolution(op)
    scales = with_weights.effective_scales(graph, convolution)
    stage = with_weights.output_stage(graph, convolution, rows, scales, options.activation)
    # Every output pixel has other taps, so that the input's zero point cannot be folded into the bias.
    plain = Constant("bias", with_weights.bias_of(graph, convolution, len(rows)).astype(np.int32), f"[{len(rows)}]")
    call = KernelCall(
        kernel="mcg_transpose_conv_s8",
        params=(*geometry_params(graph, op), ("input_zero_point", image.zero_point), *stage.params),
        inputs=(image.id,),
        outputs=op.outputs,
        constants=(
            Constant("weights", with_weights.weights_of(graph, op), f"{list(weights.shape)}, OHWI"),
            plain,
            *stage.constants[1:],
        ),
    )
    return Lowering((call,))


def macs(graph: Graph, op: Op) -> int:
    """Every input pixel meets every weight once (those that fall off the border counted too)."""
    image, weights = graph.tensor(op.inputs[2]), graph.tensor(op.inputs[1])
    return image.elements // image.shape[3] * weights.elements


SPEC = OpSpec(
    kind="TRANSPOSE_CONV",
    lower=_lower,
    constraints=(
        operands,
        of_convolution(with_weights.int8_with_int32_bias),
        of_convolution(with_weights.constant_weights),
        shapes_fit,
        filter_scales,
        with_weights.known_activation,
        _accumulator_fits,
    ),
    parse=parse,
    macs=macs,
    typed_by=2,
)
