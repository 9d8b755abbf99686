"""Convolutional classifiers in the shape of the usual ones: DS-CNN, MobileNetV1 and V2, ResNet-8, and one of speech."""

from __future__ import annotations

from tests.zoo.layers import Net


def ds_cnn() -> bytes:
    """Keyword spotting: a convolution over the spectrogram, then four equal separable blocks."""
    net = Net(14)
    x = net.conv(net.input((1, 25, 10, 1), "spectrogram"), 24, (10, 4), (2, 2), name="first")
    for block in range(4):
        x = net.depthwise(x, name=f"block{block}")
        x = net.conv(x, 24, (1, 1), name=f"block{block}/pointwise")
    x = net.global_pool(x, name="pool")
    return net.build(net.softmax(net.dense(x, 12, gain=4, name="words")))


def mobilenet_v1() -> bytes:
    """Visual wake words: 13 separable blocks of many shapes, a third of whose filters are dead."""
    net = Net(2, biases=0.01)
    x = net.conv(net.input((1, 48, 48, 3), "image"), 8, (3, 3), (2, 2), dead=2, name="first")
    blocks = [(8, 1), (16, 2), (16, 1), (32, 2), (32, 1), (64, 2), *[(64, 1)] * 5, (96, 2), (96, 1)]
    for number, (channels, stride) in enumerate(blocks):
        depth = net.shape(x)[3]
        x = net.depthwise(x, (3, 3), (stride, stride), dead=depth // 8, name=f"block{number}")
        x = net.conv(x, channels, (1, 1), dead=channels // 3, name=f"block{number}/pointwise")
    x = net.global_pool(x, name="pool")
    return net.build(net.softmax(net.centred_dense(x, 2, gain=0.5, name="person")))


def mobilenet_v2() -> bytes:
    """Inverted residuals with RELU6, linear bottlenecks, and explicit PAD before strides, as Keras has it."""
    net = Net(3)
    x = net.pad(net.input((1, 32, 32, 3), "image"), 0, 1, 0, 1, name="first_pad")
    x = net.conv(x, 8, (3, 3), (2, 2), activation="RELU6", same=False, name="first")
    blocks = [(8, 1, 1), (12, 6, 2), (12, 6, 1), (16, 6, 2), (16, 6, 1), (24, 6, 1)]
    for number, (channels, expansion, stride) in enumerate(blocks):
        name, start = f"block{number}", x
        if expansion > 1:
            x = net.conv(x, net.shape(x)[3] * expansion, (1, 1), activation="RELU6", name=f"{name}/expand")
        if stride == 2:
            x = net.pad(x, 0, 1, 0, 1, name=f"{name}/pad")
        x = net.depthwise(x, (3, 3), (stride, stride), activation="RELU6", same=stride == 1, name=name)
        x = net.conv(x, channels, (1, 1), activation="NONE", name=f"{name}/project")
        if net.shape(start) == net.shape(x):
            x = net.add(start, x, name=f"{name}/add")
    x = net.conv(x, 48, (1, 1), activation="RELU6", name="last")
    x = net.mean(x, (1, 2), name="pool")
    return net.build(net.softmax(net.dense(x, 6, name="classes")))


def resnet() -> bytes:
    """ResNet-8: three stages of two convolutions, each with a skip connection, two through a 1×1 convolution."""
    net = Net(4)
    x = net.conv(net.input((1, 16, 16, 3), "image"), 8, name="first")
    for stage, (channels, stride) in enumerate(((8, 1), (16, 2), (32, 2))):
        name, start = f"stage{stage}", x
        y = net.conv(x, channels, (3, 3), (stride, stride), name=f"{name}/conv1")
        y = net.conv(y, channels, activation="NONE", name=f"{name}/conv2")
        if stride > 1:
            start = net.conv(x, channels, (1, 1), (stride, stride), activation="NONE", name=f"{name}/shortcut")
        x = net.add(start, y, activation="RELU", name=f"{name}/add")
    x = net.global_pool(x, name="pool")
    return net.build(net.softmax(net.dense(x, 10, name="classes")))


def speech() -> bytes:
    """Yes or no: one depthwise convolution that makes 8 channels of one, with large windows, and a wide dense layer."""
    net = Net(5)
    x = net.reshape(net.input((1, 490), "features"), (1, 49, 10, 1), name="as_image")
    x = net.depthwise(x, (10, 8), (2, 2), multiplier=8, name="windows")
    return net.build(net.softmax(net.dense(x, 4, name="words")))
