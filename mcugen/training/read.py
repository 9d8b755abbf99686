"""Reads the network that is trained from a float32 graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mcugen.errors import TrainingError
from mcugen.graph.types import DType, Graph, Op, Tensor
from mcugen.training.types import Activation, Loss, Net, Node, NodeKind, Settings, Window

_ACTIVATIONS: Mapping[str, Activation] = {"NONE": "none", "RELU": "relu", "RELU6": "relu6"}
_LAST: Mapping[str, Loss] = {"SOFTMAX": "softmax", "LOGISTIC": "sigmoid"}
_SAME = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
_RELUS = {"RELU": "RELU", "RELU6": "RELU6"}
_HINT = (
    "Trained are dense layers, 2D and depthwise convolutions, average and max pools, ReLU, ReLU6, flatten and residual"
    " additions: name only the dense layers at the end"
)


@dataclass
class _Reader:
    """Numbers tensors and lays parameters out while it goes through the ops."""

    graph: Graph
    settings: Settings
    tensors: dict[int, int] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)
    floats: int = 0

    def tensor(self, op: Op, tensor_id: int) -> int:
        if tensor_id not in self.tensors:
            raise _refused(op, "takes a constant or a second input")
        return self.tensors[tensor_id]

    def new(self, tensor: Tensor) -> int:
        self.tensors[tensor.id] = len(self.sizes)
        self.sizes.append(tensor.elements)
        return self.tensors[tensor.id]

    def add(self, op: Op, kind: NodeKind, inputs: tuple[int, ...], **facts: Any) -> None:
        made = self.new(self.graph.output_of(op))
        self.nodes.append(Node(kind, op.name, inputs, made, **facts))

    def weighted(self, op: Op, kind: NodeKind, weights: Any, biases: int, window: Window | None) -> None:
        """A layer with parameters, which are copied into the head."""
        given = self.graph.input_of(op, 2)
        bias = np.zeros(biases, np.float32) if given is None else given.data
        if bias is None or weights is None:
            raise _refused(op, "has weights or biases that the model computes")
        offset = self.floats
        self.parameters += [np.asarray(weights, np.float32).reshape(-1), np.asarray(bias, np.float32).reshape(-1)]
        self.floats += weights.size + biases
        source = self.tensor(op, op.inputs[0])
        activation = _activation(op, op.options.activation)
        self.add(
            op, kind, (source,), activation=activation, window=window, shape=weights.shape, offset=offset, biases=biases
        )


def read_net(
    graph: Graph, settings: Settings, *, scale: float = 0.0, zero_point: int = 0, names: tuple[str, ...] = ()
) -> Net:
    """The network of a float32 graph with one input and output; a softmax or logistic at its end goes into the loss.

    Args:
        scale, zero_point: of the body's int8 output, which is the input; 0 where it is float32.

    Raises:
        TrainingError: an op, or a use of it, that is not trained; settings that do not go with the network.
    """
    reader = _Reader(graph, settings)
    reader.new(graph.tensor(graph.inputs[0]))
    ops, suggested = list(graph.ops), None
    if ops and ops[-1].kind in _LAST and ops[-1].outputs[0] == graph.outputs[0]:
        suggested = _LAST[ops[-1].kind]
        if ops[-1].kind == "SOFTMAX" and getattr(ops[-1].options, "beta", 1.0) != 1.0:
            raise _refused(ops[-1], "has a beta other than 1")
        reader_output = ops.pop().inputs[0]
    else:
        reader_output = graph.outputs[0]
    for op in ops:
        _read_op(reader, op)
    if not reader.floats:
        raise TrainingError("has no weights", where="`trainable`", hint=_HINT)
    net = Net(
        tuple(reader.sizes),
        tuple(reader.nodes),
        reader.tensors[reader_output],
        settings.loss or suggested or "mse",
        settings,
        np.concatenate(reader.parameters).astype(np.float32),
        scale,
        zero_point,
        names,
    )
    if net.output == 0 or net.nodes[-1].output != net.output:
        raise TrainingError("its last op is not the one that gives its output", where="`trainable`", hint=_HINT)
    if not np.isfinite(net.initial).all():
        raise TrainingError("has weights that are NaN or infinite", where="`trainable`", hint="Train the model again")
    if net.nodes[-1].activation != "none" and net.loss != "mse":
        raise _refused(ops[-1], f"has an activation before a {net.loss} loss")
    return _with_classes(net)


def _read_op(reader: _Reader, op: Op) -> None:
    graph = reader.graph
    output = graph.output_of(op)
    if output.dtype is not DType.FLOAT32 or (output.shape and output.shape[0] != 1):
        raise _refused(op, f"gives {output.dtype.value} {list(output.shape)}, not float32 of one sample")
    if op.kind in _SAME:
        reader.tensors[output.id] = reader.tensor(op, op.inputs[0])
    elif op.kind == "FULLY_CONNECTED":
        weights = graph.tensor(op.inputs[1])
        if op.options.weights_format or graph.tensor(op.inputs[0]).elements != weights.shape[1]:
            raise _refused(op, "takes several rows, or has weights in a format of its own")
        reader.weighted(op, "dense", weights.data, weights.shape[0], None)
    elif op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        _read_conv(reader, op)
    elif op.kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        options = op.options
        window = _window(graph, op, (options.filter_h, options.filter_w))
        kind: NodeKind = "average_pool" if op.kind == "AVERAGE_POOL_2D" else "max_pool"
        activation = _activation(op, options.activation)
        reader.add(op, kind, (reader.tensor(op, op.inputs[0]),), window=window, activation=activation)
    elif op.kind == "MEAN":
        _read_mean(reader, op)
    elif op.kind == "ADD":
        a, b = (reader.tensor(op, i) for i in op.inputs)
        if reader.sizes[a] != reader.sizes[b]:
            raise _refused(op, "adds tensors of different shapes")
        reader.add(op, "add", (a, b), activation=_activation(op, op.options.activation))
    elif op.kind in _RELUS:
        _read_relu(reader, op)
    else:
        raise _refused(op, "is not trained on devices")


def _read_relu(reader: _Reader, op: Op) -> None:
    """An activation of its own becomes part of the layer that it alone follows."""
    source = reader.tensor(op, op.inputs[0])
    last = next((n for n, node in enumerate(reader.nodes) if node.output == source), None)
    if last is None or reader.nodes[last].activation != "none" or len(reader.graph.consumers(op.inputs[0])) > 1:
        raise _refused(op, "does not follow a layer that is trained, and it alone")
    reader.nodes[last] = replace(reader.nodes[last], activation=_ACTIVATIONS[op.kind])
    reader.tensors[op.outputs[0]] = source


def _read_conv(reader: _Reader, op: Op) -> None:
    graph, options = reader.graph, op.options
    weights, image = graph.tensor(op.inputs[1]), graph.tensor(op.inputs[0])
    if (options.dilation_h, options.dilation_w) != (1, 1):
        raise _refused(op, "is dilated")
    window = _window(graph, op, weights.shape[1:3])
    if op.kind == "CONV_2D":
        if weights.shape[3] != image.shape[3]:
            raise _refused(op, "has groups of channels")
        reader.weighted(op, "conv_2d", weights.data, weights.shape[0], window)
    else:
        data = None if weights.data is None else weights.data[0]
        reader.weighted(op, "depthwise", data, weights.shape[3], window)


def _read_mean(reader: _Reader, op: Op) -> None:
    """The mean over height and width is a pool over the whole image."""
    graph = reader.graph
    image, axes = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1]).data
    rank = len(image.shape)
    if rank != 4 or axes is None or {int(a) % rank for a in np.asarray(axes).reshape(-1)} != {1, 2}:
        raise _refused(op, "is not over height and width")
    _, height, width, channels = image.shape
    window = Window((height, width, channels), (1, 1, channels), (height, width), (1, 1), (0, 0))
    reader.add(op, "average_pool", (reader.tensor(op, op.inputs[0]),), window=window)


def _window(graph: Graph, op: Op, size: tuple[int, ...]) -> Window:
    image, output, options = graph.tensor(op.inputs[0]).shape, graph.output_of(op).shape, op.options
    return Window(
        (image[1], image[2], image[3]),
        (output[1], output[2], output[3]),
        (size[0], size[1]),
        (options.stride_h, options.stride_w),
        (options.pads.top, options.pads.left),
    )


def _activation(op: Op, name: str) -> Activation:
    if name not in _ACTIVATIONS:
        raise _refused(op, f"has the activation {name}")
    return _ACTIVATIONS[name]


def _with_classes(net: Net) -> Net:
    """The network with as many outputs as the settings say. Those that are added have weights and a bias of zero."""
    wanted = net.settings.classes
    if not wanted or wanted == net.outputs:
        return net
    last = net.nodes[-1]
    if last.kind != "dense" or net.loss == "mse" or wanted < net.outputs:
        raise TrainingError(
            f"{wanted} classes, and the model has {net.outputs} outputs of its {last.kind} layer, loss {net.loss}",
            where="`training`",
            hint="`classes` adds outputs to a last dense layer with a softmax or sigmoid loss",
        )
    new, inputs = wanted - net.outputs, last.shape[1]
    head = net.initial
    middle = last.offset + last.weights
    grown = np.concatenate(
        [head[:middle], np.zeros(new * inputs, np.float32), head[middle:], np.zeros(new, np.float32)]
    )
    node = replace(last, shape=(wanted, inputs), biases=wanted)
    sizes = list(net.sizes)
    sizes[net.output] = wanted
    assert math.prod(node.shape) + node.biases + last.offset == len(grown)
    return replace(net, sizes=tuple(sizes), nodes=(*net.nodes[:-1], node), initial=grown)


def _refused(op: Op, why: str) -> TrainingError:
    return TrainingError(f"{why}", where=op.where, hint=_HINT)
