"""Networks without a convolutional classifier's shape: dense ones, U-Net and transformer block."""

from __future__ import annotations

import numpy as np

from tests.convert.float_models import S
from tests.zoo.layers import Net


def sine() -> bytes:
    """y = sin x on [0, 2π]: two hidden layers of 16, the last layer fitted by least squares."""
    net = Net(6)
    x = net.input((1, 1), "angle")
    angles = np.linspace(0, 2 * np.pi, 200)[:, None]
    kinks = net.rng.uniform(0, 2 * np.pi, 16)
    first = np.full((16, 1), 0.5, np.float32)
    second = net.weights((16, 16), 16)
    bias1, bias2 = (-0.5 * kinks).astype(np.float32), net.bias(16)
    hidden = np.maximum(np.maximum(angles @ first.T + bias1, 0) @ second.T + bias2, 0)
    fitted = np.linalg.lstsq(np.hstack([hidden, np.ones_like(angles)]), np.sin(angles)[:, 0], rcond=1e-3)[0]
    x = net.dense_of(x, first, bias1, activation="RELU", name="hidden1")
    x = net.dense_of(x, second, bias2, activation="RELU", name="hidden2")
    return net.build(net.dense_of(x, fitted[None, :-1], fitted[-1:], name="sine"))


def autoencoder() -> bytes:
    """Anomaly detection: dense layers down to a bottleneck and up again."""
    net = Net(7)
    x = net.input((1, 160), "features")
    for number, width in enumerate((32, 32, 32, 32, 8, 32, 32, 32, 32)):
        x = net.dense(x, width, activation="RELU", name=f"dense{number}")
    return net.build(net.dense(x, 160, name="restored"))


def u_net() -> bytes:
    """Segmentation: down twice, up twice (once by TRANSPOSE_CONV, once by resizing), joined across by CONCATENATION."""
    net = Net(8)
    image = net.input((1, 16, 16, 1), "image")
    high = net.conv(net.conv(image, 6, name="down0/conv1"), 6, name="down0/conv2")
    middle = net.pool("MAX_POOL_2D", high, (2, 2), name="down0/pool")
    middle = net.conv(net.conv(middle, 12, name="down1/conv1"), 12, name="down1/conv2")
    low = net.conv(net.pool("MAX_POOL_2D", middle, (2, 2), name="down1/pool"), 24, name="bottom")
    weights, bias = net.weights((12, 2, 2, 24), 24), net.bias(12)
    up = net.op(
        "TRANSPOSE_CONV",
        [net.constant([1, 8, 8, 12], np.int32), net.constant(weights), low, net.constant(bias)],
        (1, 8, 8, 12),
        "up1/conv2d_transpose",
        S.TransposeConvOptionsT(padding=0, strideH=2, strideW=2),
    )
    up = net.conv(net.concat([middle, up], 3, name="up1/concat"), 12, name="up1/conv")
    up = net.op(
        "RESIZE_NEAREST_NEIGHBOR",
        [up, net.constant([16, 16], np.int32)],
        (1, 16, 16, 12),
        "up0/resize",
        S.ResizeNearestNeighborOptionsT(),
    )
    up = net.conv(net.concat([high, up], 3, name="up0/concat"), 6, name="up0/conv")
    return net.build(net.sigmoid(net.conv(up, 2, (1, 1), activation="NONE", name="mask")))


def _layer_norm(net: Net, x: int, name: str) -> int:
    width = net.shape(x)[-1]
    mean = net.mean(x, (2,), keep_dims=True, name=f"{name}/mean")
    squares = net.op("SQUARED_DIFFERENCE", [x, mean], net.shape(x), f"{name}/squares", S.SquaredDifferenceOptionsT())
    variance = net.mean(squares, (2,), keep_dims=True, name=f"{name}/variance")
    # As large as the smallest variance that int8 tells from zero: RSQRT has no value there.
    variance = net.add(variance, net.constant(np.full((1, 1, 1), 0.05)), name=f"{name}/epsilon")
    inverse = net.op("RSQRT", [variance], net.shape(variance), f"{name}/rsqrt")
    centred = net.op("SUB", [x, mean], net.shape(x), f"{name}/centred", S.SubOptionsT())
    scaled = net.mul(
        net.mul(centred, inverse, name=f"{name}/scaled"), net.constant(np.ones(width)), name=f"{name}/gain"
    )
    return net.add(scaled, net.constant(net.bias(width)), name=f"{name}/bias")


def transformer() -> bytes:
    """One encoder block of two heads over 8 tokens of 16 numbers, with layer norms, and a classifier on their mean."""
    net = Net(9)
    tokens, width, heads = 8, 16, 2
    part = width // heads
    x = net.input((1, tokens, width), "tokens")
    x = net.add(x, net.constant(net.rng.normal(size=(1, tokens, width)) * 0.3), name="positions")
    split = {}
    for which in ("query", "key", "value"):
        y = net.dense(x, width, keep_dims=True, name=which)
        y = net.reshape(y, (1, tokens, heads, part), name=f"{which}/heads")
        split[which] = net.transpose(y, (0, 2, 1, 3), name=f"{which}/transpose")
    scores = net.op(
        "BATCH_MATMUL",
        [split["query"], split["key"]],
        (1, heads, tokens, tokens),
        "scores",
        S.BatchMatMulOptionsT(adjY=True),
    )
    scores = net.mul(scores, net.constant(np.full((1, 1, 1, 1), part**-0.5)), name="scores/scaled")
    seen = net.op(
        "BATCH_MATMUL",
        [net.softmax(scores, name="attention"), split["value"]],
        (1, heads, tokens, part),
        "seen",
        S.BatchMatMulOptionsT(),
    )
    seen = net.reshape(net.transpose(seen, (0, 2, 1, 3), name="seen/transpose"), (1, tokens, width), name="seen/joined")
    x = _layer_norm(net, net.add(x, net.dense(seen, width, keep_dims=True, name="mixed"), name="add1"), "norm1")
    y = net.dense(x, 2 * width, activation="RELU", keep_dims=True, name="feed/up")
    x = _layer_norm(net, net.add(x, net.dense(y, width, keep_dims=True, name="feed/down"), name="add2"), "norm2")
    x = net.mean(x, (1,), name="pool")
    return net.build(net.softmax(net.dense(x, 5, name="classes")))
