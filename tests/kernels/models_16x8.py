"""Models of one layer with int16 activations and int8 weights, with random weights and scales that fit them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.kernels.single_op import TensorSpec, build_model, constant, options
from tests.kernels.weighted_models import ACTIVATIONS, output_size, random_weights

INPUT_SCALE, WEIGHTS_SCALE = 2.0**-13, 0.01


def int16(shape: tuple[int, ...], scale: float = 0.01) -> TensorSpec:
    return TensorSpec(shape, "int16", scale)


def layer(
    kind: str,
    op_options: Any,
    image: tuple[int, ...],
    weights: NDArray[np.int8],
    output: tuple[int, ...],
    *,
    axis: int = 0,
    bias: str | None = "int64",
    per_channel: bool = True,
    gain: float = 1.0,
    seed: int = 0,
    first: Sequence[TensorSpec] = (),
) -> bytes:
    """A model of one layer whose outputs fill the int16 range for random inputs (`gain` 1), or saturate (less)."""
    rng = np.random.default_rng(seed + 1)
    channels = weights.shape[axis]
    spread = 19000.0 * 74.0 * (weights.size // channels) ** 0.5
    scales = (WEIGHTS_SCALE * rng.uniform(0.3, 1.0, channels)).astype(np.float32).tolist()
    source = TensorSpec(image, "int16", INPUT_SCALE)
    filters = constant(weights, scales if per_channel else WEIGHTS_SCALE, axis=axis)
    inputs = [*first, filters, source] if first else [source, filters]
    if bias is not None:
        limit = int(min(spread, np.iinfo(bias).max))
        values = rng.integers(-limit, limit, channels, endpoint=True).astype(bias)
        inputs.append(constant(values, float(np.float32(INPUT_SCALE) * np.float32(WEIGHTS_SCALE))))
    scale = INPUT_SCALE * WEIGHTS_SCALE * spread * gain / 9000.0
    return build_model(kind, op_options, inputs, [TensorSpec(output, "int16", scale)])


def conv(
    image: tuple[int, int, int, int],
    filters: tuple[int, int, int],
    *,
    groups: int = 1,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    same: bool = True,
    activation: str = "NONE",
    bias_type: int = 0,
    **quant: Any,
) -> bytes:
    channels, height, width = filters
    output = (
        image[0],
        output_size(image[1], height, stride[0], dilation[0], same),
        output_size(image[2], width, stride[1], dilation[1], same),
        channels,
    )
    op_options = options(
        "Conv2DOptions",
        padding=0 if same else 1,
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        fusedActivationFunction=ACTIVATIONS[activation],
        quantizedBiasType=bias_type,
    )
    weights = random_weights((channels, height, width, image[3] // groups), quant.get("seed", 0))
    return layer("CONV_2D", op_options, image, weights, output, **quant)


def depthwise(
    image: tuple[int, int, int, int],
    filters: tuple[int, int],
    *,
    multiplier: int = 1,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    same: bool = True,
    **quant: Any,
) -> bytes:
    sizes = (output_size(image[n + 1], filters[n], stride[n], dilation[n], same) for n in (0, 1))
    channels = image[3] * multiplier
    op_options = options(
        "DepthwiseConv2DOptions",
        padding=0 if same else 1,
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        depthMultiplier=multiplier,
    )
    weights = random_weights((1, *filters, channels))
    return layer("DEPTHWISE_CONV_2D", op_options, image, weights, (image[0], *sizes, channels), axis=3, **quant)


def dense(source: tuple[int, ...], channels: int, *, activation: str = "NONE", **quant: Any) -> bytes:
    op_options = options("FullyConnectedOptions", fusedActivationFunction=ACTIVATIONS[activation])
    weights = random_weights((channels, source[-1]), quant.get("seed", 0))
    rows = int(np.prod(source[:-1]))
    return layer("FULLY_CONNECTED", op_options, source, weights, (rows, channels), **quant)


def pool(
    kind: str,
    image: tuple[int, int, int, int],
    same: bool = True,
    activation: str = "NONE",
    filters: tuple[int, int] = (3, 2),
    stride: tuple[int, int] = (2, 1),
) -> bytes:
    sizes = [output_size(image[n + 1], filters[n], stride[n], 1, same) for n in (0, 1)]
    op_options = options(
        "Pool2DOptions",
        padding=0 if same else 1,
        strideH=stride[0],
        strideW=stride[1],
        filterHeight=filters[0],
        filterWidth=filters[1],
        fusedActivationFunction=ACTIVATIONS[activation],
    )
    output = int16((image[0], *sizes, image[3]), 0.0005)
    return build_model(kind, op_options, [int16(image, 0.0005)], [output])
