"""Models with variable tensors, which the quantizer does not make: SVDF and LSTM, put together in int8."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options
from tests.state.models import with_variables


def _weights(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Normal, up to ±127 as the quantizer leaves them."""
    values: NDArray[np.float64] = rng.normal(size=shape)
    largest = float(np.abs(values).max())
    return np.round(values * 127 / largest).astype(np.int8)


def _product(a: TensorSpec, b: TensorSpec) -> float:
    """The scale of a bias."""
    assert isinstance(a.scale, float)
    assert isinstance(b.scale, float)
    return float(np.float32(a.scale) * np.float32(b.scale))


class _Int8Net:
    """An int8 network in the making: layers whose output scales suit inputs that fill their range."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Node] = []
        self.states: set[str] = set()

    def constant(self, shape: tuple[int, ...], spread: float) -> TensorSpec:
        """Weights of the standard deviation `spread`."""
        values = _weights(self.rng, shape)
        return constant(values, float(np.float32(spread / values.std())))

    def bias(self, channels: int, scale: float) -> TensorSpec:
        return constant(np.round(self.rng.normal(size=channels) * 0.1 / scale).astype(np.int32), scale)

    def dense(self, x: TensorSpec, channels: int, name: str) -> TensorSpec:
        depth = int(np.prod(x.shape[1:]))
        weights = self.constant((channels, depth), depth**-0.5)
        y = TensorSpec((1, channels), "int8", 4 / 127, 5, name=name)
        inputs = [x, weights, self.bias(channels, _product(x, weights))]
        self.nodes.append(Node("FULLY_CONNECTED", options("FullyConnectedOptions"), inputs, [y]))
        return y

    def svdf(self, x: TensorSpec, units: int, memory: int, name: str) -> TensorSpec:
        """SVDF of rank 1 with its memory of `memory` inferences."""
        weights = self.constant((units, x.shape[1]), x.shape[1] ** -0.5)
        times = self.constant((units, memory), memory**-0.5)
        state = TensorSpec((1, units * memory), "int8", 4 / 127, 0, name=f"{name}/state")
        self.states.add(state.name)
        bias = self.bias(units, _product(state, times))
        y = TensorSpec((1, units), "int8", 4 / 127, -3, name=name)
        chosen = options("SVDFOptions", rank=1, fusedActivationFunction=0)
        self.nodes.append(Node("SVDF", chosen, [x, weights, times, bias, state], [y]))
        return y

    def lstm(self, x: TensorSpec, units: int, name: str) -> TensorSpec:
        """A sequence of (1, steps, inputs), whose states stay for the next."""
        _, steps, inputs = x.shape
        hidden = TensorSpec((1, units), "int8", 1 / 127, 0, name=f"{name}/hidden")
        cell = TensorSpec((1, units), "int16", 2.0**-12, 0, name=f"{name}/cell")
        self.states |= {hidden.name, cell.name}
        operands: list[TensorSpec | None] = [None] * 24
        for gate in range(4):
            operands[1 + gate] = read = self.constant((units, inputs), inputs**-0.5)
            operands[5 + gate] = self.constant((units, units), units**-0.5)
            operands[12 + gate] = self.bias(units, _product(x, read))
        operands[0], operands[18], operands[19] = x, hidden, cell
        y = TensorSpec((1, steps, units), "int8", 1 / 127, 0, name=name)
        chosen = options("UnidirectionalSequenceLSTMOptions", fusedActivationFunction=4, cellClip=10.0)
        self.nodes.append(Node("UNIDIRECTIONAL_SEQUENCE_LSTM", chosen, operands, [y]))
        return y

    def convert(self, kind: str, op_options: object, x: TensorSpec, y: TensorSpec) -> TensorSpec:
        self.nodes.append(Node(kind, op_options, [x], [y]))
        return y

    def build(self, output: TensorSpec) -> bytes:
        return with_variables(build_graph(self.nodes, [output]), self.states)


def svdf() -> bytes:
    """Keyword spotting with SVDF: int16 in, int32 out, short memories first and long ones last."""
    net = _Int8Net(10)
    x = TensorSpec((1, 24), "int16", 4 / 32767, 0, name="features")
    y = net.convert("QUANTIZE", None, x, TensorSpec((1, 24), "int8", 4 / 127, 0, name="features_int8"))
    for layer in range(3):
        y = net.svdf(y, 16, 8, f"svdf{layer}")
        y = net.dense(y, 8, f"bottleneck{layer}")
    y = net.svdf(net.svdf(y, 12, 16, "svdf3"), 12, 16, "svdf4")
    y = net.dense(y, 2, "keyword")
    scores = TensorSpec((1, 2), "int16", 2.0**-16, -32768, name="scores")
    y = net.convert("SOFTMAX", options("SoftmaxOptions", beta=1.0), y, scores)
    return net.build(
        net.convert("QUANTIZE", None, y, TensorSpec((1, 2), "int32", 2.0**-16, -32768, name="scores_int32"))
    )


def lstm() -> bytes:
    """Rows of an image through an LSTM, then a dense layer over all its steps."""
    net = _Int8Net(11)
    y = net.lstm(TensorSpec((1, 14, 10), "int8", 3 / 127, -2, name="rows"), 12, "lstm")
    flat = TensorSpec((1, 14 * 12), "int8", y.scale, y.zero_point, name="flatten")
    shape = constant(np.array([1, 14 * 12], np.int32))
    net.nodes.append(Node("RESHAPE", options("ReshapeOptions", newShape=[1, 14 * 12]), [y, shape], [flat]))
    y = net.dense(flat, 10, "digits")
    scores = TensorSpec((1, 10), "int8", 1 / 256, -128, name="scores")
    return net.build(net.convert("SOFTMAX", options("SoftmaxOptions", beta=1.0), y, scores))
