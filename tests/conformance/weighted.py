"""Cases of convolutions, matrix products and pools."""

from __future__ import annotations

import numpy as np

from tests.conformance.draw import Case, Draw, Generate, ints, real
from tests.kernels.single_op import TensorSpec, constant
from tests.kernels.weighted_models import output_size, random_weights

SAME, VALID = 0, 1


def layer_weights(
    d: Draw, shape: tuple[int, ...], axis: int, x: TensorSpec, per_channel: bool
) -> tuple[TensorSpec, list[TensorSpec]]:
    """Weights of a layer and, most times, its bias."""
    channels = shape[axis]
    has_bias = d.integer(0, 3) > 0
    if d.dtype == "float32":
        values = d.rng.uniform(-1, 1, shape).astype(np.float32)
        return constant(values), [constant(d.rng.uniform(-1, 1, channels).astype(np.float32))] * has_bias
    count = channels if per_channel else 1
    scales = [float(np.float32(s)) for s in d.scale(-3, -1) * d.rng.uniform(0.3, 1, count)]
    weights = constant(random_weights(shape, d.integer(0, 1 << 30)), scales, [0] * count, axis)
    if not has_bias:
        return weights, []
    limit = int(60 * d.steps)
    bias = d.rng.integers(-limit, limit, channels).astype(np.int64 if d.dtype == "int16" else np.int32)
    return weights, [constant(bias, [float(np.float32(s) * np.float32(real(x))) for s in scales], [0] * count)]


def layer_output(d: Draw, shape: tuple[int, ...], x: TensorSpec, weights: TensorSpec, depth: int) -> TensorSpec:
    """The output of a layer of inner products over `depth` inputs, its scale near what they need."""
    if not d.quantized:
        return d.tensor(shape)
    scale = max(weights.scale) if isinstance(weights.scale, list) else weights.scale
    return d.near(real(x) * float(scale) * 50 * depth**0.5, shape, 0.5)  # type: ignore[arg-type]


def _convolution(d: Draw) -> Case:
    depthwise = d.kind == "DEPTHWISE_CONV_2D"
    same = d.chance()
    stride = (d.integer(1, 3), d.integer(1, 3))
    dilation = (d.integer(1, 2), d.integer(1, 2)) if same else (1, 1)
    size = (d.integer(1, 4), d.integer(1, 4))
    depth, batches = d.integer(1, 9), d.integer(1, 2)
    if depth >= 8 and not depthwise:  # which some cores compute by tiles
        size, stride, dilation = (3, 3), (1, 1), (1, 1)
    if depth >= 6 and depthwise:  # for which some cores have a loop of their own
        size, dilation = (3, 3), (1, 1)
    image = (batches, d.integer(4, 10), d.integer(4, 10), depth)
    multiplier = d.pick([1, 1, 2, 3])
    channels = depth * multiplier if depthwise else d.integer(1, 9)
    rows, columns = (output_size(image[n + 1], size[n], stride[n], dilation[n], same) for n in range(2))
    x = d.tensor(image, d.scale(-3, 0))
    shape, axis = ((1, *size, channels), 3) if depthwise else ((channels, *size, depth), 0)
    weights, bias = layer_weights(d, shape, axis, x, d.dtype == "int16" or d.chance())
    taps = size[0] * size[1] * (1 if depthwise else depth)
    y = layer_output(d, (batches, rows, columns, channels), x, weights, taps)
    fields = {"depthMultiplier": multiplier} if depthwise else {}
    return d.node(
        [x, weights, *bias],
        [y],
        "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions",
        padding=SAME if same else VALID,
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        fusedActivationFunction=d.pick([0, 0, 1, 3]),
        **fields,
    )


def _transposed(d: Draw) -> Case:
    batches, height, width, depth = (d.integer(1, n) for n in (2, 5, 5, 5))
    size, stride = (d.integer(1, 5), d.integer(1, 5)), (d.integer(1, 3), d.integer(1, 3))
    channels, padding = d.integer(1, 5), d.integer(0, 1)
    if padding == SAME:
        made = (height * stride[0], width * stride[1])
    else:
        made = ((height - 1) * stride[0] + size[0], (width - 1) * stride[1] + size[1])
    x = d.tensor((batches, height, width, depth), d.scale(-3, 0))
    weights, bias = layer_weights(d, (channels, *size, depth), 0, x, d.dtype == "int16" or d.chance())
    shape = (batches, *made, channels)
    y = layer_output(d, shape, x, weights, depth * size[0] * size[1])
    inputs = [ints(shape), weights, x, *bias]
    return d.node(inputs, [y], "TransposeConvOptions", padding=padding, strideH=stride[0], strideW=stride[1])


def _fully_connected(d: Draw) -> Case:
    rows, depth, channels = d.integer(1, 4), d.integer(1, 40), d.integer(1, 12)
    x = d.tensor((rows, depth), d.scale(-3, 0))
    weights, bias = layer_weights(d, (channels, depth), 0, x, False)
    y = layer_output(d, (rows, channels), x, weights, depth)
    return d.node([x, weights, *bias], [y], "FullyConnectedOptions", fusedActivationFunction=d.pick([0, 0, 1, 3]))


def _batch_matmul(d: Draw) -> Case:
    adjoint_x, adjoint_y = d.chance(), d.chance()
    first, second = d.pick([((), ()), ((3,), (3,)), ((2, 1), (2, 3)), ((1, 3), (2, 3)), ((2,), ())])
    m, k, n = (d.integer(1, 8) for _ in range(3))
    a = d.tensor((*first, *((k, m) if adjoint_x else (m, k))))
    b = d.tensor((*second, *((n, k) if adjoint_y else (k, n))))
    y = d.near(real(a) * real(b) * d.steps * k**0.5, (*np.broadcast_shapes(first, second), m, n), 0.3)
    return d.node([a, d.maybe_constant(b)], [y], "BatchMatMulOptions", adjX=adjoint_x, adjY=adjoint_y)


def _pool(d: Draw) -> Case:
    same = d.chance()
    size, stride = (d.integer(1, 4), d.integer(1, 4)), (d.integer(1, 3), d.integer(1, 3))
    image = (d.integer(1, 2), d.integer(4, 9), d.integer(4, 9), d.integer(1, 9))
    x = d.tensor(image)
    rows, columns = (output_size(image[n + 1], size[n], stride[n], 1, same) for n in range(2))
    return d.node(
        [x],
        [d.like(x, (image[0], rows, columns, image[3]))],
        "Pool2DOptions",
        padding=SAME if same else VALID,
        strideH=stride[0],
        strideW=stride[1],
        filterHeight=size[0],
        filterWidth=size[1],
        fusedActivationFunction=d.pick([0, 0, 1, 3]),
    )


GENERATORS: dict[str, Generate] = {
    "AVERAGE_POOL_2D": _pool,
    "BATCH_MATMUL": _batch_matmul,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "FULLY_CONNECTED": _fully_connected,
    "L2_POOL_2D": _pool,
    "MAX_POOL_2D": _pool,
    "TRANSPOSE_CONV": _transposed,
}
