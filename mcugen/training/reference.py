"""Training on the host, in the device's arithmetic: every float32 operation in the same order, so results are equal."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcugen.training import kernels, maths
from mcugen.training.types import Net, Node

Floats = NDArray[np.float32]
_F = np.float32


@dataclass(frozen=True, eq=False)
class Step:
    """What a step gave: the loss of its sample, and the outputs before the update, (outputs,)."""

    loss: np.float32
    outputs: Floats


class Trainer:
    """A network that learns. `head` is (parameters,) float32.

    `rate` may be set between steps.
    """

    def __init__(self, net: Net) -> None:
        self.net = net
        self.rate = _F(net.settings.rate)
        self.reset()

    def reset(self) -> None:
        """Begin anew, with the initial head and an optimizer that has seen nothing."""
        self.head = self.net.initial.copy()
        self._velocity = np.zeros_like(self.head)
        self._squares = np.zeros_like(self.head)
        self._powers = (_F(1), _F(1))
        self._gradient = np.zeros_like(self.head)
        self._samples = 0

    @property
    def crc(self) -> int:
        return zlib.crc32(self.head.astype("<f4").tobytes())

    def features(self, raw: NDArray[np.generic]) -> Floats:
        """The network's input of what the body gives: (inputs,) float32."""
        flat = raw.reshape(-1)
        if not self.net.scale:
            return flat.astype(np.float32)
        made: Floats = _F(self.net.scale) * (flat.astype(np.int32) - self.net.zero_point).astype(np.float32)
        return made

    def predict(self, x: Floats) -> Floats:
        """The outputs: probabilities, or what the last layer gives where the loss is "mse"."""
        return _outputs(self.net, self._forward(x)[self.net.output])

    def gradient(self, x: Floats, target: int | Floats) -> tuple[Step, Floats]:
        """The loss and its gradient (parameters,); nothing changes."""
        found = np.zeros_like(self.head)
        return self._backward(x, target, found), found

    def step(self, x: Floats, target: int | Floats) -> Step:
        """Learn one sample: a class, or the target of every output. The head changes when a batch is complete."""
        net, settings = self.net, self.net.settings
        done = self._backward(x, target, self._gradient)
        self._samples += 1
        if self._samples == settings.batch:
            gradient = self._gradient
            if settings.batch > 1:
                gradient = gradient * (_F(1) / _F(settings.batch))
            if settings.optimizer == "adam":
                self._adam(gradient)
            elif settings.momentum:
                self._velocity = _F(settings.momentum) * self._velocity - self.rate * gradient
                self.head = self.head + self._velocity
            else:
                self.head = self.head - self.rate * gradient
            self._gradient = np.zeros_like(net.initial)
            self._samples = 0
        return done

    def _adam(self, g: Floats) -> None:
        """In the order of firmware/train/mcg_train_adam.h."""
        beta1, beta2, one = _F(0.9), _F(0.999), _F(1)
        self._powers = first, second = self._powers[0] * beta1, self._powers[1] * beta2
        rate = self.rate * np.sqrt(one - second) / (one - first)
        self._velocity = self._velocity + (one - beta1) * (g - self._velocity)
        self._squares = self._squares + (one - beta2) * (g * g - self._squares)
        self.head = self.head - rate * self._velocity / (np.sqrt(self._squares) + _F(1e-7))

    def _forward(self, x: Floats) -> dict[int, Floats]:
        values: dict[int, Floats] = {0: x.astype(np.float32).reshape(-1)}
        for node in self.net.nodes:
            made = _node_forward(node, [values[i] for i in node.inputs], self._of(self.head, node))
            values[node.output] = kernels.activate(made, node.activation).reshape(-1)
        return values

    def _of(self, head: Floats, node: Node) -> tuple[Floats, Floats]:
        """Views of a node's weights and biases."""
        middle, end = node.offset + node.weights, node.offset + node.parameters
        return head[node.offset : middle].reshape(node.shape or (0,)), head[middle:end]

    def _backward(self, x: Floats, target: int | Floats, into: Floats) -> Step:
        net = self.net
        values = self._forward(x)
        outputs = _outputs(net, values[net.output])
        loss, g = _loss(net, values[net.output], outputs, target)
        gradients: dict[int, Floats] = {net.output: g}
        for node in reversed(net.nodes):
            y = values[node.output]
            g = kernels.activation_gradient(y, gradients.pop(node.output), node.activation)
            self._node_backward(node, values, g, gradients, into)
        return Step(loss, outputs)

    def _node_backward(
        self, node: Node, values: dict[int, Floats], g: Floats, gradients: dict[int, Floats], into: Floats
    ) -> None:
        """Add a node's gradients: of its parameters to `into`, of its inputs to `gradients`."""
        if node.kind == "add":
            for i in node.inputs:
                if i:
                    gradients[i] = gradients[i] + g if i in gradients else g
            return
        source, x = node.inputs[0], values[node.inputs[0]]
        before = gradients.get(source, np.zeros(len(x), np.float32))
        weights, _ = self._of(self.head, node)
        if node.kind == "dense":
            if source:
                gradients[source] = kernels.dense_input_gradient(g, weights, before)
            kernels.dense_gradient(x, g, *self._of(into, node))
            return
        window = node.window
        assert window is not None
        image, before, g = x.reshape(window.input), before.reshape(window.input), g.reshape(window.output)
        if source:
            if node.kind == "average_pool":
                made = kernels.average_pool_backward(g, before, window)
            elif node.kind == "max_pool":
                y = values[node.output].reshape(window.output)
                made = kernels.max_pool_backward(image, y, g, before, window)
            elif node.kind == "conv_2d":
                made = kernels.conv_input_gradient(g, weights, before, window)
            else:
                made = kernels.depthwise_input_gradient(g, weights, before, window)
            gradients[source] = made.reshape(-1)
        if node.kind == "conv_2d":
            kernels.conv_gradient(image, g, *self._of(into, node), window)
        elif node.kind == "depthwise":
            kernels.depthwise_gradient(image, g, *self._of(into, node), window)


def _node_forward(node: Node, inputs: list[Floats], parameters: tuple[Floats, Floats]) -> Floats:
    if node.kind == "dense":
        return kernels.dense_forward(inputs[0], *parameters)
    if node.kind == "add":
        return inputs[0] + inputs[1]
    window = node.window
    assert window is not None
    image = inputs[0].reshape(window.input)
    if node.kind == "conv_2d":
        return kernels.conv_forward(image, *parameters, window)
    if node.kind == "depthwise":
        return kernels.depthwise_forward(image, *parameters, window)
    if node.kind == "average_pool":
        return kernels.average_pool_forward(image, window)
    return kernels.max_pool_forward(image, window)


def _sum(values: Floats) -> np.float32:
    """In ascending order, from +0."""
    total: np.float32 = _F(0)
    for value in values:
        total = total + value
    return total


def _softmax(x: Floats) -> tuple[Floats, np.float32, np.float32]:
    """Probabilities, the largest logit, and the sum of e^(logit − largest)."""
    most = x[0]
    for value in x[1:]:
        most = value if value > most else most
    e = maths.exp(x - most)
    total = _sum(e)
    shares: Floats = (e / total).astype(np.float32, copy=False)
    return shares, most, total


def _outputs(net: Net, y: Floats) -> Floats:
    if net.loss == "softmax":
        return _softmax(y)[0]
    return maths.sigmoid(y) if net.loss == "sigmoid" else y


def targets_of(net: Net, target: int | Floats) -> Floats:
    """The target of every output; a class is a one, and zeros."""
    if isinstance(target, int | np.integer):
        one_hot = np.zeros(net.outputs, np.float32)
        if net.outputs == 1:
            one_hot[0] = target
        else:
            one_hot[target] = 1
        return one_hot
    return np.asarray(target, np.float32).reshape(-1)


def _loss(net: Net, y: Floats, outputs: Floats, target: int | Floats) -> tuple[np.float32, Floats]:
    """The loss, and its gradient by the output tensor."""
    wanted = targets_of(net, target)
    if net.loss == "softmax":
        _, most, total = _softmax(y)
        spread = maths.log(np.asarray([total], np.float32))[0]
        each = np.where(wanted != 0, wanted * (spread - (y - most)), _F(0))
        return _sum(each), outputs - wanted
    share = _F(1) / _F(net.outputs)
    if net.loss == "sigmoid":
        e = maths.exp(-np.abs(y))
        each = np.where(y > 0, y, _F(0)) - y * wanted + maths.log(_F(1) + e)
        return _sum(each) * share, (outputs - wanted) * share
    difference = y - wanted
    return _sum(difference * difference) * share, (difference + difference) * share
