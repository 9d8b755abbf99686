"""Networks that learn, made by hand: every kind of layer, borders, strides, odd channel counts, branches, losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcugen.training.types import Activation, Loss, Net, Node, NodeKind, Settings, Window


@dataclass
class Builder:
    """Adds layers to a network; `here` is the tensor that the last one made."""

    shape: tuple[int, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.sizes = [int(np.prod(self.shape))]
        self.shapes: list[tuple[int, ...]] = [self.shape]
        self.nodes: list[Node] = []
        self.parameters: list[np.ndarray] = []
        self.here = 0

    def _add(
        self, kind: NodeKind, made_shape: tuple[int, ...], inputs: Sequence[int] | None = None, **facts: object
    ) -> int:
        self.sizes.append(int(np.prod(made_shape)))
        self.shapes.append(made_shape)
        made = len(self.sizes) - 1
        node = Node(kind, f"{kind}{made}", tuple(inputs or (self.here,)), made, **facts)  # type: ignore[arg-type]
        self.nodes.append(node)
        self.here = made
        return made

    def _weighted(self, kind: NodeKind, shape: tuple[int, ...], weights: tuple[int, ...], **facts: object) -> int:
        offset = sum(len(p) for p in self.parameters)
        fan = max(1, int(np.prod(weights)) // weights[0 if kind != "depthwise" else 2])
        biases = shape[-1]
        made = self.rng.normal(size=int(np.prod(weights))) / np.sqrt(fan)
        self.parameters += [made.astype(np.float32), (0.1 * self.rng.normal(size=biases)).astype(np.float32)]
        return self._add(kind, shape, shape=weights, offset=offset, biases=biases, **facts)

    def dense(self, outputs: int, activation: Activation = "none") -> int:
        return self._weighted("dense", (outputs,), (outputs, self.sizes[self.here]), activation=activation)

    def conv(
        self,
        channels: int,
        size: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        pad: tuple[int, int, int, int] = (0, 0, 0, 0),
        activation: Activation = "none",
        depthwise: int = 0,
    ) -> int:
        """`pad`: top, bottom, left, right. `depthwise`: output channels per input channel."""
        window = self._window(size, stride, pad, channels)
        if depthwise:
            window = replace(window, output=(*window.output[:2], window.input[2] * depthwise))
            weights: tuple[int, ...] = (*size, window.output[2])
            return self._weighted("depthwise", window.output, weights, window=window, activation=activation)
        weights = (channels, *size, window.input[2])
        return self._weighted("conv_2d", window.output, weights, window=window, activation=activation)

    def pool(
        self,
        kind: NodeKind,
        size: tuple[int, int],
        stride: tuple[int, int],
        pad: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> int:
        window = self._window(size, stride, pad, self.shapes[self.here][2])
        return self._add(kind, window.output, window=window)

    def add(self, other: int, activation: Activation = "none") -> int:
        return self._add("add", self.shapes[self.here], (other, self.here), activation=activation)

    def _window(
        self, size: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int, int, int], channels: int
    ) -> Window:
        height, width, depth = self.shapes[self.here]
        rows = (height + pad[0] + pad[1] - size[0]) // stride[0] + 1
        columns = (width + pad[2] + pad[3] - size[1]) // stride[1] + 1
        return Window((height, width, depth), (rows, columns, channels), size, stride, (pad[0], pad[2]))

    def net(self, loss: Loss = "softmax", settings: Settings | None = None, scale: float = 0.0, zero: int = 0) -> Net:
        return Net(
            tuple(self.sizes),
            tuple(self.nodes),
            self.here,
            loss,
            settings or Settings(rate=0.05, momentum=0.5),
            np.concatenate(self.parameters),
            scale,
            zero,
            ("hand-made",),
        )


def dense_head(loss: Loss = "softmax", settings: Settings | None = None) -> Net:
    """One dense layer on an int8 body."""
    made = Builder((13,), 1)
    made.dense(5)
    return made.net(loss, settings, scale=0.03, zero=-7)


def two_layers(loss: Loss, outputs: int, settings: Settings | None = None) -> Net:
    made = Builder((9,), 2)
    made.dense(7, "relu")
    made.dense(outputs)
    return made.net(loss, settings)


def lenet_like(settings: Settings | None = None) -> Net:
    made = Builder((9, 8, 2), 3)
    made.conv(5, (3, 3), pad=(1, 1, 1, 1), activation="relu")
    made.pool("max_pool", (2, 2), (2, 2))
    made.conv(6, (2, 3), activation="relu")
    made.pool("average_pool", (2, 2), (1, 1))
    made.dense(6, "relu")
    made.dense(4)
    return made.net("softmax", settings)


def strided() -> Net:
    """Strides, uneven borders, and pools that reach over them."""
    made = Builder((7, 10, 3), 4)
    made.conv(4, (3, 2), stride=(2, 3), pad=(0, 1, 1, 0), activation="relu6")
    made.conv(0, (2, 2), stride=(1, 1), pad=(1, 0, 0, 1), activation="relu", depthwise=2)
    made.pool("max_pool", (3, 2), (1, 1), pad=(1, 1, 0, 1))
    made.pool("average_pool", (2, 3), (2, 1), pad=(0, 1, 1, 1))
    made.dense(3)
    return made.net("softmax")


def residual(settings: Settings | None = None) -> Net:
    """Branches: a tensor that a convolution and an addition read."""
    made = Builder((6, 6, 2), 5)
    first = made.conv(4, (3, 3), pad=(1, 1, 1, 1), activation="relu")
    made.conv(4, (3, 3), pad=(1, 1, 1, 1), activation="relu")
    made.conv(4, (1, 1))
    second = made.add(first, "relu")
    made.conv(0, (3, 3), pad=(1, 1, 1, 1), depthwise=1)
    made.add(second)
    made.pool("average_pool", (6, 6), (1, 1))
    made.dense(3)
    return made.net("softmax", settings)


BATCH = Settings(rate=0.05, momentum=0.5, batch=3)
ADAM = Settings(rate=0.01, optimizer="adam", momentum=0.0)
PLAIN = Settings(rate=0.05, momentum=0.0)

NETS = {
    "dense head": dense_head(),
    "dense head, no momentum": dense_head(settings=PLAIN),
    "dense head, batches": dense_head(settings=BATCH),
    "sigmoid": two_layers("sigmoid", 3),
    "one sigmoid": two_layers("sigmoid", 1),
    "mse": two_layers("mse", 4),
    "mse, batches without momentum": two_layers("mse", 4, replace(BATCH, momentum=0.0)),
    "lenet": lenet_like(),
    "lenet, batches": lenet_like(BATCH),
    "lenet, Adam": lenet_like(ADAM),
    "residual, batches with Adam": residual(replace(ADAM, batch=3)),
    "strided": strided(),
    "residual": residual(),
    "residual, batches": residual(BATCH),
}


def samples(net: Net, count: int, seed: int = 0) -> list[tuple[np.ndarray, int | np.ndarray]]:
    """Features as the body gives them, and targets."""
    rng = np.random.default_rng(seed)
    found: list[tuple[np.ndarray, int | np.ndarray]] = []
    for _ in range(count):
        features = (
            rng.integers(-128, 128, net.inputs).astype(np.int8)
            if net.scale
            else rng.normal(size=net.inputs).astype(np.float32)
        )
        target: int | np.ndarray = int(rng.integers(0, 2 if net.outputs == 1 else net.outputs))
        if net.loss == "mse":
            target = rng.normal(size=net.outputs).astype(np.float32)
        found.append((features, target))
    return found
