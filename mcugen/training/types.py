"""What is trained on a device: a network of float32 layers, its parameters, and how it learns."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mcugen.errors import TrainingError

NodeKind = Literal["dense", "conv_2d", "depthwise", "average_pool", "max_pool", "add"]
Activation = Literal["none", "relu", "relu6"]
Loss = Literal["softmax", "sigmoid", "mse"]
Optimizer = Literal["sgd", "adam"]
LOSSES: tuple[Loss, ...] = get_args(Loss)
OPTIMIZERS: tuple[Optimizer, ...] = get_args(Optimizer)

MOST_CLASSES = 65_535


@dataclass(frozen=True)
class Window:
    """Where the windows of a convolution or pool lie. Sizes are (height, width, channels) or (height, width)."""

    input: tuple[int, int, int]
    output: tuple[int, int, int]
    filter: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]


@dataclass(frozen=True)
class Node:
    """A layer.

    Attributes:
        inputs, output: tensors by their position in `Net.sizes`.
        activation: what its output goes through.
        window: of convolutions and pools.
        shape: of its weights; () without any. dense (outputs, inputs), conv_2d (channels, height, width, input
            channels), depthwise (height, width, channels).
        offset: of its weights in the head, in floats; its biases follow them.
        biases: how many.
    """

    kind: NodeKind
    name: str
    inputs: tuple[int, ...]
    output: int
    activation: Activation = "none"
    window: Window | None = None
    shape: tuple[int, ...] = ()
    offset: int = 0
    biases: int = 0

    @property
    def weights(self) -> int:
        return math.prod(self.shape) if self.shape else 0

    @property
    def parameters(self) -> int:
        """Floats of its weights and biases."""
        return self.weights + self.biases


@dataclass(frozen=True)
class Settings:
    """How a network learns.

    Attributes:
        loss: None takes what the network's last op suggests.
        rate: the learning rate; the firmware can change it.
        optimizer: stochastic gradient descent, or Adam.
        momentum: of stochastic gradient descent; 0 for none, which saves its memory, and with Adam.
        batch: samples whose gradients' mean makes a step.
        classes: outputs of the last layer, if more than the model has: the others wait for new classes.
    """

    loss: Loss | None = None
    optimizer: Optimizer = "sgd"
    rate: float = 0.01
    momentum: float = 0.9
    batch: int = 1
    classes: int = 0

    @property
    def states(self) -> int:
        """Floats that the optimizer keeps per parameter."""
        return 2 if self.optimizer == "adam" else int(self.momentum > 0)

    def to_dict(self) -> dict[str, Any]:
        return {
            "loss": self.loss,
            "optimizer": self.optimizer,
            "rate": self.rate,
            "momentum": self.momentum,
            "batch": self.batch,
            "classes": self.classes,
        }


def read_settings(given: str | Mapping[str, Any] | None) -> Settings:
    """Settings from "rate=0.01,momentum=0.9,batch=1,classes=12,loss=softmax,optimizer=sgd", or a mapping of the same.

    Raises:
        TrainingError: an unknown setting, or a value out of range.
    """
    if given is None:
        return Settings()
    pairs = given if isinstance(given, Mapping) else dict(_pair(part) for part in given.split(",") if part.strip())
    made = Settings()
    for name, value in pairs.items():
        made = _with(made, str(name).strip(), value)
    if made.optimizer == "adam":
        if "momentum" in pairs and made.momentum:
            raise TrainingError(
                "momentum is a setting of the optimizer sgd",
                where="`training`",
                hint="Leave it out with optimizer=adam",
            )
        made = replace(made, momentum=0.0)
    return made


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise TrainingError(f"{text.strip()[:40]!r} is no NAME=VALUE", where="`training`", hint=_KNOWN)
    return name.strip(), value.strip()


_KNOWN = "Known are rate, momentum, batch, classes, loss and optimizer, as in rate=0.01,momentum=0.9"


def _with(settings: Settings, name: str, value: Any) -> Settings:
    where = "`training`"
    if name == "loss":
        if value is None:
            return settings
        for loss in LOSSES:
            if value == loss:
                return replace(settings, loss=loss)
        raise TrainingError(f"{str(value)[:40]!r} is no loss", where=where, hint=f"Choose {', '.join(LOSSES)}")
    if name == "optimizer":
        for optimizer in OPTIMIZERS:
            if value == optimizer:
                return replace(settings, optimizer=optimizer)
        raise TrainingError(
            f"{str(value)[:40]!r} is no optimizer", where=where, hint=f"Choose {' or '.join(OPTIMIZERS)}"
        )
    if name not in ("rate", "momentum", "batch", "classes"):
        raise TrainingError(f"{name[:40]!r} is no setting", where=where, hint=_KNOWN)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    low, high = {"rate": (0, 1e3), "momentum": (0, 0.9999), "batch": (1, 65_535), "classes": (0, MOST_CLASSES)}[name]
    whole = name in ("batch", "classes")
    if not low <= number <= high or (whole and number != int(number)) or (name == "rate" and number == 0):
        kind = "a whole number" if whole else "a number"
        raise TrainingError(
            f"{name} is {str(value)[:40]!r}, not {kind} from {low} to {high:g}", where=where, hint="Correct it"
        )
    if name == "batch":
        return replace(settings, batch=int(number))
    if name == "classes":
        return replace(settings, classes=int(number))
    exact = float(np.float32(number))
    return replace(settings, rate=exact) if name == "rate" else replace(settings, momentum=exact)


@dataclass(frozen=True, eq=False)
class Net:
    """A network that is trained on the device.

    Attributes:
        sizes: floats of every tensor. Tensor 0 is the input.
        nodes: in the order of the forward pass.
        output: the tensor that the loss takes: logits, where the loss has a softmax or sigmoid.
        loss: what is made small.
        initial: (parameters,) float32: the head after a reset.
        scale, zero_point: of an int8 input, scale · (q − zero_point); scale 0 where the input is float32.
        names: of the layers, as the user knows them.
    """

    sizes: tuple[int, ...]
    nodes: tuple[Node, ...]
    output: int
    loss: Loss
    settings: Settings
    initial: NDArray[np.float32]
    scale: float = 0.0
    zero_point: int = 0
    names: tuple[str, ...] = field(default=())

    @property
    def inputs(self) -> int:
        return self.sizes[0]

    @property
    def outputs(self) -> int:
        return self.sizes[self.output]

    @property
    def parameters(self) -> int:
        return len(self.initial)

    @property
    def head_bytes(self) -> int:
        return 4 * self.parameters

    @property
    def fingerprint(self) -> int:
        """32 bits of the head's shape: heads of equal ones can take each other's place."""
        parts = [f"{node.kind}{node.shape}+{node.biases}" for node in self.nodes if node.parameters]
        return zlib.crc32(";".join([*parts, self.loss]).encode())

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the forward pass."""
        return sum(node_macs(node) for node in self.nodes)


def node_macs(node: Node) -> int:
    if node.kind == "dense":
        return node.weights
    if node.window is None:
        return 0
    height, width, _ = node.window.output
    return height * width * node.weights
