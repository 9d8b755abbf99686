"""Models of one convolution or fully connected layer, with random weights and scales that fit them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.kernels.single_op import TensorSpec, build_model, constant, options

ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}


@dataclass(frozen=True)
class Quantized:
    """How a test layer is quantized.

    `gain` multiplies the output's scale: 1 lets random inputs fill the int8 range, less saturates.
    `output_scale` overrides it.
    """

    per_channel: bool = True
    bias: bool = True
    input_zero: int = -5
    output_zero: int = 7
    weights_zero: int = 0
    input_scale: float = 0.05
    weights_scale: float = 0.01
    gain: float = 1.0
    output_scale: float | None = None
    activation: str = "NONE"
    seed: int = 0


def _layer(
    op: str,
    op_options: Any,
    image: tuple[int, ...],
    weights: NDArray[np.int8],
    output: tuple[int, ...],
    quant: Quantized,
    axis: int,
) -> bytes:
    rng = np.random.default_rng(quant.seed + 1)
    channels = weights.shape[axis]
    depth = weights.size // channels
    scales = (
        (quant.weights_scale * rng.uniform(0.3, 1.0, channels)).astype(np.float32).tolist()
        if quant.per_channel
        else quant.weights_scale
    )
    spread = quant.input_scale * quant.weights_scale * 74.0 * 73.0 * depth**0.5
    output_scale = quant.output_scale or spread * quant.gain / 40.0
    inputs: list[TensorSpec | None] = [
        TensorSpec(image, scale=quant.input_scale, zero_point=quant.input_zero),
        constant(weights, scales, quant.weights_zero, axis),
    ]
    if quant.bias:
        limit = int(74 * 73 * depth**0.5)
        bias = rng.integers(-limit, limit, channels, endpoint=True).astype(np.int32)
        bias_scales = np.float32(quant.input_scale) * np.atleast_1d(np.asarray(scales, np.float32))
        inputs.append(constant(bias, bias_scales.tolist()))
    made = TensorSpec(output, scale=output_scale, zero_point=quant.output_zero)
    return build_model(op, op_options, inputs, [made])


def random_weights(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.int8]:
    """Uniform in −127 … 127, with a few −128."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(-127, 127, shape, endpoint=True).astype(np.int8)
    weights[rng.random(shape) < 0.01] = -128
    return weights


def output_size(in_size: int, filter_size: int, stride: int, dilation: int, same: bool) -> int:
    if same:
        return -(-in_size // stride)
    return (in_size - ((filter_size - 1) * dilation + 1)) // stride + 1


def conv_model(
    image: tuple[int, int, int, int],
    filters: tuple[int, int, int],
    *,
    groups: int = 1,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    same: bool = True,
    quant: Quantized | None = None,
    weights: NDArray[np.int8] | None = None,
) -> bytes:
    """CONV_2D. `filters` is (output channels, height, width); `weights` are OHWI, random ones by default."""
    quant = quant or Quantized()
    channels, height, width = filters
    rows = output_size(image[1], height, stride[0], dilation[0], same)
    columns = output_size(image[2], width, stride[1], dilation[1], same)
    op_options = options(
        "Conv2DOptions",
        padding=0 if same else 1,
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        fusedActivationFunction=ACTIVATIONS[quant.activation],
    )
    if weights is None:
        weights = random_weights((channels, height, width, image[3] // groups), quant.seed)
    output = (image[0], rows, columns, channels)
    return _layer("CONV_2D", op_options, image, weights, output, quant, axis=0)


def depthwise_model(
    image: tuple[int, int, int, int],
    filters: tuple[int, int],
    *,
    multiplier: int = 1,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    same: bool = True,
    quant: Quantized | None = None,
) -> bytes:
    """DEPTHWISE_CONV_2D. `filters` is (height, width)."""
    quant = quant or Quantized()
    height, width = filters
    rows = output_size(image[1], height, stride[0], dilation[0], same)
    columns = output_size(image[2], width, stride[1], dilation[1], same)
    op_options = options(
        "DepthwiseConv2DOptions",
        padding=0 if same else 1,
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        depthMultiplier=multiplier,
        fusedActivationFunction=ACTIVATIONS[quant.activation],
    )
    channels = image[3] * multiplier
    weights = random_weights((1, height, width, channels), quant.seed)
    output = (image[0], rows, columns, channels)
    return _layer("DEPTHWISE_CONV_2D", op_options, image, weights, output, quant, axis=3)


def dense_model(
    source: tuple[int, ...],
    channels: int,
    depth: int,
    *,
    keep_dims: bool = False,
    output: tuple[int, ...] | None = None,
    quant: Quantized | None = None,
    weights: NDArray[np.int8] | None = None,
) -> bytes:
    """FULLY_CONNECTED. The output is [rows, channels] unless given."""
    quant = quant or Quantized(per_channel=False)
    op_options = options(
        "FullyConnectedOptions",
        fusedActivationFunction=ACTIVATIONS[quant.activation],
        keepNumDims=keep_dims,
    )
    if weights is None:
        weights = random_weights((channels, depth), quant.seed)
    output = output or (int(np.prod(source)) // depth, channels)
    return _layer("FULLY_CONNECTED", op_options, source, weights, output, quant, axis=0)


def tie_model(kind: str, input_scale: float, weights_scale: float, *, per_channel: bool) -> bytes:
    """A layer whose weights are 0, so that its accumulators are its biases: those around every tie of the output.

    The multiplier is about 2^-23, so that a difference in its last bits moves some of them across the tie.
    """
    real = np.float32(input_scale) * np.float32(weights_scale)
    output_scale = float(real) * 2.0**23
    ties = (np.arange(-60, 60) + 0.5) * 2.0**23
    bias = (ties[:, None] + np.arange(-4, 5) * 0.75).round().astype(np.int32).reshape(-1)
    channels = len(bias)
    scales = [weights_scale] * channels if per_channel else weights_scale
    conv = kind == "CONV_2D"
    table = options("Conv2DOptions", strideH=1, strideW=1) if conv else options("FullyConnectedOptions")
    image, shape, output = (
        ((1, 1, 1, 1), (channels, 1, 1, 1), (1, 1, 1, channels)) if conv else ((1, 1), (channels, 1), (1, channels))
    )
    inputs = [
        TensorSpec(image, scale=input_scale),
        constant(np.zeros(shape, np.int8), scales),
        constant(bias, float(real)),
    ]
    return build_model(kind, table, inputs, [TensorSpec(output, scale=output_scale)])


def distinct(results: list[list[NDArray[np.int8]]]) -> int:
    """How many different output values the results hold, together."""
    return len(np.unique(np.concatenate([output.reshape(-1) for sample in results for output in sample])))
