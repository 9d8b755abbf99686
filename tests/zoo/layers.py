"""A float32 network in the making: layers with seeded weights, whose output shapes follow from their inputs'."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.oracle.oracle import Oracle
from tests.convert.float_models import FloatModel, S
from tests.kernels.weighted_models import ACTIVATIONS, output_size

Shape = tuple[int, ...]
Pair = tuple[int, int]


def draw(rng: np.random.Generator, count: int, shape: Shape) -> NDArray[np.float32]:
    """Inputs (count, *shape) that differ in more than noise, which a global pool would average out."""
    each = (count, *[1] * len(shape))
    contrast, brightness = rng.uniform(0.3, 1.5, each), rng.normal(size=each) * 0.5
    return (rng.normal(size=(count, *shape)) * contrast + brightness).astype(np.float32)


class Net:
    """One network. Tensors are named by their ids, as in `FloatModel`; every layer takes and returns one.

    `dead` output channels have weights of zero. Behind a RELU, the first half of them is always zero and the other
    half another constant, as in networks whose training switched filters off. `biases` is their standard deviation:
    a deep network needs small ones, or its outputs depend on them more than on its inputs.
    """

    def __init__(self, seed: int, biases: float = 0.1) -> None:
        self.rng = np.random.default_rng(seed)
        self._biases = biases
        self.made = FloatModel()
        self._codes: dict[str, int] = {}

    def shape(self, tensor: int) -> Shape:
        return tuple(int(n) for n in self.made.tensors[tensor].shape)

    def input(self, shape: Shape, name: str = "input") -> int:
        return self.made.input(shape, name=name)

    def build(self, *outputs: int) -> bytes:
        return self.made.build(*outputs)

    def constant(self, values: Any, dtype: Any = np.float32) -> int:
        return self.made.constant(values, dtype)

    def op(self, kind: str, inputs: list[int], shape: Shape, name: str, options: Any = None) -> int:
        tensor = int(self.made.op(kind, inputs, shape, options=options, name=name))
        self._share_code(kind)
        return tensor

    def ops(self, kind: str, inputs: list[int], shapes: list[Shape], name: str, options: Any = None) -> list[int]:
        """An op of several outputs."""
        tensors = self.made.op(kind, inputs, *shapes, options=options, name=name)
        self._share_code(kind)
        return list(tensors)

    def _share_code(self, kind: str) -> None:
        """Every operator code once, as converters write them."""
        code = self._codes.setdefault(kind, len(self.made.codes) - 1)
        if code != len(self.made.codes) - 1:
            self.made.codes.pop()
            self.made.ops[-1].opcodeIndex = code

    def weights(self, shape: Shape, depth: int, gain: float = 2.0) -> NDArray[np.float32]:
        """Normal, so that `depth` products keep the variance of their input behind a RELU (gain 2) or without (1)."""
        values: NDArray[np.float64] = self.rng.normal(size=shape) * (gain / depth) ** 0.5
        return values.astype(np.float32)

    def bias(self, channels: int) -> NDArray[np.float32]:
        return (self.rng.normal(size=channels) * self._biases).astype(np.float32)

    def _dead(self, weights: NDArray[np.float32], bias: NDArray[np.float32], axis: int, count: int) -> None:
        for number, channel in enumerate(np.sort(self.rng.permutation(len(bias))[:count])):
            np.moveaxis(weights, axis, 0)[channel] = 0
            bias[channel] = abs(bias[channel]) * (-1 if number < (count + 1) // 2 else 1)

    def conv(
        self,
        x: int,
        channels: int,
        kernel: Pair = (3, 3),
        stride: Pair = (1, 1),
        *,
        activation: str = "RELU",
        same: bool = True,
        dead: int = 0,
        name: str,
    ) -> int:
        _, height, width, depth = self.shape(x)
        gain = 1 if activation == "NONE" else 2
        weights = self.weights((channels, *kernel, depth), kernel[0] * kernel[1] * depth, gain)
        # Without a mean, or what is common to all inputs grows from layer to layer until nothing else is left.
        weights -= weights.mean(axis=(1, 2, 3), keepdims=True)
        bias = self.bias(channels)
        self._dead(weights, bias, 0, dead)
        options = S.Conv2DOptionsT(
            padding=0 if same else 1,
            strideH=stride[0],
            strideW=stride[1],
            fusedActivationFunction=ACTIVATIONS[activation],
        )
        out = (1, *(output_size(n, k, s, 1, same) for n, k, s in zip((height, width), kernel, stride, strict=True)))
        return self.op(
            "CONV_2D", [x, self.constant(weights), self.constant(bias)], (*out, channels), f"{name}/Conv2D", options
        )

    def depthwise(
        self,
        x: int,
        kernel: Pair = (3, 3),
        stride: Pair = (1, 1),
        *,
        multiplier: int = 1,
        activation: str = "RELU",
        same: bool = True,
        dead: int = 0,
        name: str,
    ) -> int:
        _, height, width, depth = self.shape(x)
        channels = depth * multiplier
        weights, bias = self.weights((1, *kernel, channels), kernel[0] * kernel[1]), self.bias(channels)
        self._dead(weights, bias, 3, dead)
        options = S.DepthwiseConv2DOptionsT(
            padding=0 if same else 1,
            strideH=stride[0],
            strideW=stride[1],
            depthMultiplier=multiplier,
            fusedActivationFunction=ACTIVATIONS[activation],
        )
        out = (1, *(output_size(n, k, s, 1, same) for n, k, s in zip((height, width), kernel, stride, strict=True)))
        inputs = [x, self.constant(weights), self.constant(bias)]
        return self.op("DEPTHWISE_CONV_2D", inputs, (*out, channels), f"{name}/depthwise", options)

    def dense(
        self, x: int, channels: int, *, activation: str = "NONE", keep_dims: bool = False, gain: float = 1.0, name: str
    ) -> int:
        """`gain` beyond 1 makes a classifier surer of itself."""
        shape = self.shape(x)
        depth = shape[-1] if keep_dims else int(np.prod(shape[1:]))
        weights = self.weights((channels, depth), depth, gain**2 * (1 if activation == "NONE" else 2))
        return self.dense_of(x, weights, self.bias(channels), activation=activation, keep_dims=keep_dims, name=name)

    def dense_of(
        self, x: int, weights: Any, bias: Any, *, activation: str = "NONE", keep_dims: bool = False, name: str
    ) -> int:
        options = S.FullyConnectedOptionsT(fusedActivationFunction=ACTIVATIONS[activation], keepNumDims=keep_dims)
        channels = np.shape(weights)[0]
        out = (*self.shape(x)[:-1], channels) if keep_dims else (1, channels)
        inputs = [x, self.constant(weights), self.constant(bias)]
        return self.op("FULLY_CONNECTED", inputs, out, f"{name}/MatMul", options)

    def centred_dense(self, x: int, channels: int, *, gain: float, name: str) -> int:
        """A dense layer behind one that varies little: it weighs how far x is from its mean."""
        source = self.shape(self.made.inputs[0])
        with Oracle(self.build(x)) as oracle:
            seen = [oracle.run([one[None]])[0] for one in draw(self.rng, 12, source[1:])]
        features = np.stack([np.asarray(one, np.float64).reshape(-1) for one in seen])
        spread = float(features.std(axis=0).mean())
        weights = self.weights((channels, features.shape[1]), features.shape[1], gain**2) / spread
        return self.dense_of(x, weights, -weights @ features.mean(axis=0), name=name)

    def add(self, a: int, b: int, *, activation: str = "NONE", name: str) -> int:
        shape = np.broadcast_shapes(self.shape(a), self.shape(b))
        options = S.AddOptionsT(fusedActivationFunction=ACTIVATIONS[activation])
        return self.op("ADD", [a, b], tuple(shape), name, options)

    def mul(self, a: int, b: int, *, name: str) -> int:
        shape = np.broadcast_shapes(self.shape(a), self.shape(b))
        return self.op("MUL", [a, b], tuple(shape), name, S.MulOptionsT())

    def pool(self, kind: str, x: int, size: Pair, *, name: str) -> int:
        """Windows side by side."""
        _, height, width, channels = self.shape(x)
        options = S.Pool2DOptionsT(
            padding=1, strideH=size[0], strideW=size[1], filterHeight=size[0], filterWidth=size[1]
        )
        return self.op(kind, [x], (1, height // size[0], width // size[1], channels), name, options)

    def global_pool(self, x: int, *, name: str) -> int:
        """AVERAGE_POOL_2D over the whole image, and RESHAPE."""
        _, height, width, channels = self.shape(x)
        return self.reshape(self.pool("AVERAGE_POOL_2D", x, (height, width), name=name), (1, channels), name="flatten")

    def mean(self, x: int, axes: tuple[int, ...], *, keep_dims: bool = False, name: str) -> int:
        shape = self.shape(x)
        out = tuple(1 if n in axes else size for n, size in enumerate(shape) if keep_dims or n not in axes)
        inputs = [x, self.constant(list(axes), np.int32)]
        return self.op("MEAN", inputs, out, name, S.ReducerOptionsT(keepDims=keep_dims))

    def pad(self, x: int, top: int, bottom: int, left: int, right: int, *, name: str) -> int:
        _, height, width, channels = self.shape(x)
        amounts = self.constant([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        out = (1, height + top + bottom, width + left + right, channels)
        return self.op("PAD", [x, amounts], out, name, S.PadOptionsT())

    def reshape(self, x: int, shape: Shape, *, name: str) -> int:
        options = S.ReshapeOptionsT(newShape=np.array(shape, np.int32))
        return self.op("RESHAPE", [x, self.constant(list(shape), np.int32)], shape, name, options)

    def transpose(self, x: int, order: tuple[int, ...], *, name: str) -> int:
        shape = self.shape(x)
        inputs = [x, self.constant(list(order), np.int32)]
        return self.op("TRANSPOSE", inputs, tuple(shape[n] for n in order), name, S.TransposeOptionsT())

    def concat(self, parts: list[int], axis: int, *, name: str) -> int:
        shape = list(self.shape(parts[0]))
        shape[axis] = sum(self.shape(part)[axis] for part in parts)
        return self.op("CONCATENATION", parts, tuple(shape), name, S.ConcatenationOptionsT(axis=axis))

    def softmax(self, x: int, *, name: str = "softmax") -> int:
        return self.op("SOFTMAX", [x], self.shape(x), name, S.SoftmaxOptionsT(beta=1.0))

    def sigmoid(self, x: int, *, name: str = "sigmoid") -> int:
        return self.op("LOGISTIC", [x], self.shape(x), name)
