"""Gradients are what they should be: by differences of the loss, and by TensorFlow's own."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest

from mcugen.training import maths
from mcugen.training.reference import Trainer, targets_of
from mcugen.training.types import Net, Node
from tests.training.nets import NETS, samples

DIRECTIONS = 6
STEP = 2e-3
"""Of the differences: float32's rounding and the loss's curvature then both stay below the tolerance."""


@pytest.mark.parametrize("name", [name for name in NETS if "batches" not in name])
def test_gradients_are_slopes_of_the_loss(name: str) -> None:
    """Along random directions: (L(w + εd) − L(w − εd)) / 2ε against the gradient times d, in 64 bits."""
    net = NETS[name]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    for features, target in samples(net, 2, seed=3):
        trainer = Trainer(net)
        x = trainer.features(features)
        _, gradient = trainer.gradient(x, target)
        for _ in range(DIRECTIONS):
            direction = rng.normal(size=net.parameters)
            direction /= np.linalg.norm(direction)
            losses = []
            for sign in (1, -1):
                trainer.head = (net.initial + sign * STEP * direction).astype(np.float32)
                losses.append(float(trainer.gradient(x, target)[0].loss))
            slope = (losses[0] - losses[1]) / (2 * STEP)
            assert slope == pytest.approx(float(gradient.astype(np.float64) @ direction), rel=0.05, abs=3e-3)


def test_exp_log_and_sigmoid_are_accurate() -> None:
    x = np.linspace(-86.9, 0, 20_001, dtype=np.float32)
    assert np.abs(maths.exp(x) / np.exp(x.astype(np.float64)) - 1).max() < 2.5e-7
    assert maths.exp(np.array([0, -87.1, -1e30, -np.inf], np.float32)).tolist() == [1, 0, 0, 0]
    assert np.isnan(maths.exp(np.array([np.nan], np.float32))).all()
    y = np.geomspace(1e-30, 1e30, 20_001).astype(np.float32)
    assert np.abs(maths.log(y) - np.log(y.astype(np.float64))).max() < 1e-5
    assert maths.log(np.ones(1, np.float32))[0] == 0
    z = np.linspace(-80, 80, 20_001, dtype=np.float32)
    assert np.abs(maths.sigmoid(z) - 1 / (1 + np.exp(-z.astype(np.float64)))).max() < 1.5e-7


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", NETS)
def test_tensorflow_finds_the_same_gradients(name: str) -> None:
    """Its GradientTape, on the same network written with its own ops: within 2e-5 of the largest gradient."""
    net = NETS[name]
    for features, target in samples(net, 3, seed=5):
        trainer = Trainer(net)
        x = trainer.features(features)
        step, gradient = trainer.gradient(x, target)
        loss, expected = tape(net, x, targets_of(net, target))
        assert float(step.loss) == pytest.approx(loss, rel=2e-6, abs=1e-6)
        assert np.abs(gradient - expected).max() <= 2e-5 * np.abs(expected).max()


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["lenet", "lenet, Adam"])
def test_tensorflow_learns_the_same(name: str) -> None:
    """Keras's SGD with momentum, and its Adam, over 20 steps of one sample each."""
    import tensorflow as tf

    net = NETS[name]
    trainer = Trainer(net)
    head = net.initial.copy()
    variable = tf.Variable(head)
    optimizer = (
        tf.keras.optimizers.Adam(net.settings.rate)
        if net.settings.optimizer == "adam"
        else tf.keras.optimizers.SGD(net.settings.rate, momentum=net.settings.momentum)
    )
    for features, target in samples(net, 20, seed=6):
        _, gradient = tape(replace(net, initial=variable.numpy()), features, targets_of(net, target))
        optimizer.apply_gradients([(tf.constant(gradient), variable)])
        trainer.step(features, target)
    moved = np.abs(variable.numpy() - net.initial).max()
    assert moved > 0.05
    assert np.abs(variable.numpy() - trainer.head).max() < 1e-4 * moved


def tape(net: Net, x: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """Loss and gradient by TensorFlow, (parameters,)."""
    import tensorflow as tf

    head = tf.Variable(net.initial)
    with tf.GradientTape() as recorded:
        values = {0: tf.constant(x)}
        for node in net.nodes:
            made = _forward(tf, node, [values[i] for i in node.inputs], head)
            values[node.output] = _activated(tf, tf.reshape(made, [-1]), node)
        y, wanted = values[net.output], tf.constant(target)
        if net.loss == "softmax":
            loss = tf.nn.softmax_cross_entropy_with_logits(wanted, y)
        elif net.loss == "sigmoid":
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(wanted, y))
        else:
            loss = tf.reduce_mean((y - wanted) ** 2)
    return float(loss), recorded.gradient(loss, head).numpy()


def _activated(tf, y, node: Node):  # type: ignore[no-untyped-def]
    return {"none": tf.identity, "relu": tf.nn.relu, "relu6": tf.nn.relu6}[node.activation](y)


def _forward(tf, node: Node, inputs, head):  # type: ignore[no-untyped-def]
    if node.kind == "add":
        return inputs[0] + inputs[1]
    middle, end = node.offset + node.weights, node.offset + node.parameters
    if node.kind == "dense":
        return tf.linalg.matvec(tf.reshape(head[node.offset : middle], node.shape), inputs[0]) + head[middle:end]
    window = node.window
    assert window is not None
    image = tf.reshape(inputs[0], (1, *window.input))
    above = [
        max(0, (window.output[n] - 1) * window.stride[n] + window.filter[n] - window.input[n] - window.pad[n])
        for n in (0, 1)
    ]
    pads = [[0, 0], [window.pad[0], above[0]], [window.pad[1], above[1]], [0, 0]]
    if node.kind == "max_pool":
        padded = tf.pad(image, pads, constant_values=-1e30)
        return tf.nn.max_pool2d(padded, window.filter, window.stride, "VALID")
    if node.kind == "average_pool":
        # Only the pixels inside the image count.
        total = tf.nn.avg_pool2d(tf.pad(image, pads), window.filter, window.stride, "VALID")
        ones = tf.nn.avg_pool2d(tf.pad(tf.ones_like(image), pads), window.filter, window.stride, "VALID")
        return total / ones
    padded = tf.pad(image, pads)
    used = [(window.output[n] - 1) * window.stride[n] + window.filter[n] for n in (0, 1)]
    padded = padded[:, : used[0], : used[1]]
    weights = tf.reshape(head[node.offset : middle], node.shape)
    if node.kind == "conv_2d":
        return tf.nn.conv2d(padded, tf.transpose(weights, (1, 2, 3, 0)), window.stride, "VALID") + head[middle:end]
    multiplier = window.output[2] // window.input[2]
    filters = tf.reshape(weights, (*window.filter, window.input[2], multiplier))
    # tf.nn.depthwise_conv2d takes equal strides only: each column of windows is then every so many-th one.
    made = tf.nn.depthwise_conv2d(padded, filters, (1, 1, 1, 1), "VALID")
    return made[:, :: window.stride[0], :: window.stride[1]] + head[middle:end]
