"""The kinds of Keras models that people deploy, small and with random weights.

Each function takes a Keras module (`keras` or `tf_keras`) and gives a model; `samples` draws inputs for one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Zoo = dict[str, Callable[[Any], Any]]


def mobilenet_v2(k: Any) -> Any:
    """An inverted residual: expand, depthwise, project, add."""
    x = k.Input((16, 16, 3), name="image")
    y = _conv_norm(k, x, 8, 3, strides=2)
    z = k.layers.ReLU(6.0)(_conv_norm(k, y, 24, 1))
    z = k.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(z)
    z = k.layers.ReLU(6.0)(k.layers.BatchNormalization()(z))
    z = k.layers.Add()([y, _conv_norm(k, z, 8, 1)])
    z = k.layers.GlobalAveragePooling2D()(z)
    return k.Model(x, k.layers.Dense(4, activation="softmax")(z), name="mobilenet_v2")


def mobilenet_v3(k: Any) -> Any:
    """Hard-swish, and squeeze and excite with a hard sigmoid."""
    x = k.Input((16, 16, 3), name="image")
    y = _hard_swish(k, _conv_norm(k, x, 16, 3, strides=2))
    y = _hard_swish(k, k.layers.BatchNormalization()(k.layers.DepthwiseConv2D(5, padding="same")(y)))
    s = k.layers.GlobalAveragePooling2D(keepdims=True)(y)
    s = k.layers.Conv2D(4, 1, activation="relu")(s)
    s = _hard_sigmoid(k, k.layers.Conv2D(16, 1)(s))
    y = k.layers.Multiply()([y, s])
    y = k.layers.GlobalAveragePooling2D()(_conv_norm(k, y, 12, 1))
    return k.Model(x, k.layers.Dense(4, activation="softmax")(y), name="mobilenet_v3")


def accelerometer(k: Any) -> Any:
    """A one-dimensional CNN over a window of three axes."""
    x = k.Input((64, 3), name="acceleration")
    y = k.layers.Conv1D(8, 5, padding="same", activation="relu")(x)
    y = k.layers.MaxPooling1D(2)(y)
    y = k.layers.SeparableConv1D(16, 3, padding="same", activation="relu")(y)
    y = k.layers.Conv1D(16, 3, dilation_rate=2, padding="causal", activation="relu")(y)
    y = k.layers.AveragePooling1D(2)(y)
    y = k.layers.Flatten()(y)
    return k.Model(x, k.layers.Dense(5, activation="softmax")(y), name="accelerometer")


def u_net(k: Any) -> Any:
    """An autoencoder that goes up again by transposed convolutions and by resizing, with skips."""
    x = k.Input((16, 16, 1), name="image")
    a = k.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    b = k.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(a)
    c = k.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(b)
    d = k.layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(c)
    d = k.layers.Concatenate()([d, b])
    e = k.layers.UpSampling2D(2, interpolation="bilinear")(d)
    e = k.layers.Concatenate()([k.layers.Conv2D(4, 3, padding="same")(e), a])
    f = k.layers.UpSampling2D(2, interpolation="nearest")(k.layers.MaxPooling2D()(e))
    return k.Model(x, k.layers.Conv2D(1, 1, activation="sigmoid")(f), name="u_net")


def lstm(k: Any) -> Any:
    x = k.Input((6, 4), name="sequence")
    y = k.layers.LSTM(8, unroll=True)(x)
    return k.Model(x, k.layers.Dense(3, activation="softmax")(y), name="lstm")


def gru(k: Any) -> Any:
    x = k.Input((6, 4), name="sequence")
    y = k.layers.Bidirectional(k.layers.GRU(5, unroll=True, return_sequences=True))(x)
    y = k.layers.GlobalMaxPooling1D()(y)
    return k.Model(x, k.layers.Dense(3, activation="softmax")(y), name="gru")


def sensor_fusion(k: Any) -> Any:
    """Two sensors of different shape and a scalar, two outputs."""
    motion, spectrum = k.Input((32, 6), name="motion"), k.Input((8, 8, 1), name="spectrum")
    ambient = k.Input((2,), name="ambient")
    a = k.layers.GlobalAveragePooling1D()(k.layers.Conv1D(8, 3, activation="relu")(motion))
    b = k.layers.Flatten()(k.layers.MaxPooling2D()(k.layers.Conv2D(4, 3, activation="relu")(spectrum)))
    y = k.layers.Concatenate()([a, b, k.layers.Dense(4, activation="tanh")(ambient)])
    y = k.layers.Dense(12, activation="relu")(y)
    outputs = [k.layers.Dense(3, activation="softmax", name="state")(y), k.layers.Dense(1, name="level")(y)]
    return k.Model([motion, spectrum, ambient], outputs, name="sensor_fusion")


def transformer(k: Any) -> Any:
    """One encoder block: attention, layer normalisation, feed forward."""
    x = k.Input((8, 16), name="tokens")
    y = k.layers.MultiHeadAttention(num_heads=2, key_dim=8)(x, x)
    y = k.layers.LayerNormalization()(k.layers.Add()([x, y]))
    z = k.layers.Dense(16)(k.layers.Dense(24, activation="relu")(y))
    z = k.layers.LayerNormalization()(k.layers.Add()([y, z]))
    z = k.layers.GlobalAveragePooling1D()(z)
    return k.Model(x, k.layers.Dense(3, activation="softmax")(z), name="transformer")


def tokens(k: Any) -> Any:
    """Words as numbers, looked up in an embedding."""
    x = k.Input((6,), dtype="int32", name="words")
    y = k.layers.GlobalAveragePooling1D()(k.layers.Embedding(20, 8)(x))
    return k.Model(x, k.layers.Dense(3, activation="softmax")(y), name="tokens")


ZOO: Zoo = {
    model.__name__: model
    for model in (mobilenet_v2, mobilenet_v3, accelerometer, u_net, lstm, gru, sensor_fusion, transformer, tokens)
}


def samples(model: Any, count: int = 24, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Inputs by name: normal numbers, or indices from 0 to 19."""
    rng = np.random.default_rng(seed)
    found = {}
    for tensor in model.inputs:
        shape = (count, *(int(n) for n in tensor.shape[1:]))
        whole = "int" in str(getattr(tensor.dtype, "name", tensor.dtype))
        values = rng.integers(0, 20, shape).astype(np.int32) if whole else rng.normal(size=shape).astype(np.float32)
        found[tensor.name.split(":")[0]] = values
    return found


def _conv_norm(k: Any, x: Any, channels: int, size: int, strides: int = 1) -> Any:
    y = k.layers.Conv2D(channels, size, strides=strides, padding="same", use_bias=False)(x)
    return k.layers.BatchNormalization()(y)


def _hard_sigmoid(k: Any, x: Any) -> Any:
    """As MobileNetV3 writes it: relu6(x + 3) / 6."""
    return k.layers.Rescaling(1 / 6)(k.layers.ReLU(6.0)(k.layers.Rescaling(1.0, offset=3.0)(x)))


def _hard_swish(k: Any, x: Any) -> Any:
    return k.layers.Multiply()([x, _hard_sigmoid(k, x)])
