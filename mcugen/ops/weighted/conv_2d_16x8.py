"""CONV_2D: int16 activations with int8 weights, any stride, dilation, padding and number of groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph, Op
from mcugen.ops import with_weights
from mcugen.ops.base import Constant, KernelCall, Lowering, OpSpec, Target
from mcugen.ops.variants import fastest
from mcugen.ops.weighted import conv_2d, weighted_16x8


def accumulator_fits(graph: Graph, op: Op) -> str | None:
    """No sum of products and bias exceeds 47 bits (31 with an int32 bias), and none 31 when it is scaled."""
    return weighted_16x8.accumulator_problem(graph, op, _rows(with_weights.weights_of(graph, op)))


def _rows(weights: NDArray[np.int8]) -> NDArray[np.int8]:
    return weights.reshape(weights.shape[0], -1)


def _lower(graph: Graph, op: Op, target: Target) -> Lowering:
    return lower_filter(graph, op, target, with_weights.weights_of(graph, op), op.options)


def lower_filter(
    graph: Graph, op: Op, target: Target, weights: NDArray[np.int8], options: conv_2d.Conv2DOptions
) -> Lowering:
    """A convolution with an OHWI filter, by the kernel that fits its windows.

    DEPTHWISE_CONV_2D with a depth multiplier comes here too, as a grouped convolution.
    """
    stage = weighted_16x8.output_stage(graph, op, weights.shape[0], options.activation)
    direct = conv_2d.direct_params(graph, op, weights, options)
    geometry = direct or conv_2d.window_params(graph, op, weights.shape, options)
    shape = ",".join(str(d) for d in weights.shape)
    call = KernelCall(
        kernel="mcg_conv_direct_s16" if direct else "mcg_conv_2d_s16",
        params=(*geometry, *stage.params),
        inputs=(op.inputs[0],),
        outputs=op.outputs,
        constants=(Constant("weights", weights, f"[{shape}], OHWI"), *stage.constants),
        scratch_bytes=0 if direct else 2 * int(weights[0].size),
    )
    return Lowering((fastest(target, call),))


SPEC = OpSpec(
    kind="CONV_2D",
    lower=_lower,
    constraints=(
        weighted_16x8.int8_weights(DType.INT64, DType.INT32),
        with_weights.constant_weights,
        conv_2d.shapes_fit,
        conv_2d.filter_scales,
        with_weights.known_activation,
        accumulator_fits,
    ),
    parse=conv_2d.parse,
    macs=conv_2d.macs,
    types=("int16",),
)
