"""Keras layers, each with what makes a small model of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Build = Callable[[Any], Any]
"""From the module `keras.layers` and the input tensor to the output tensor."""

IMAGE, SEQUENCE, VECTOR = (8, 8, 4), (12, 4), (16,)


def _after_dense(make: Callable[[Any], Any]) -> Build:
    return lambda k, x: k.Dense(3)(make(k)(k.Dense(8)(x)))


def _activation(name: str) -> tuple[tuple[int, ...], Build]:
    return VECTOR, lambda k, x: k.Dense(3)(k.Dense(8, activation=name)(x))


def _on_image(make: Callable[[Any], Any]) -> tuple[tuple[int, ...], Build]:
    return IMAGE, lambda k, x: k.Dense(3)(k.Flatten()(make(k)(k.Conv2D(4, 3)(x))))


def _on_sequence(make: Callable[[Any], Any]) -> tuple[tuple[int, ...], Build]:
    return SEQUENCE, lambda k, x: k.Dense(3)(k.Flatten()(make(k)(x)))


CASES: dict[str, tuple[tuple[int, ...], Build]] = {
    "Conv1D": _on_sequence(lambda k: k.Conv1D(8, 3, activation="relu")),
    "Conv2D": _on_image(lambda k: k.Conv2D(4, 3, padding="same", activation="relu6")),
    "Conv2D, dilated": _on_image(lambda k: k.Conv2D(4, 3, dilation_rate=2)),
    "Conv2D, in groups": _on_image(lambda k: k.Conv2D(4, 3, groups=2)),
    "Conv3D": ((6, 6, 6, 1), lambda k, x: k.Dense(3)(k.Flatten()(k.Conv3D(2, 3)(x)))),
    "DepthwiseConv1D": _on_sequence(lambda k: k.DepthwiseConv1D(3)),
    "DepthwiseConv2D": _on_image(lambda k: k.DepthwiseConv2D(3)),
    "SeparableConv2D": _on_image(lambda k: k.SeparableConv2D(4, 3)),
    "Conv1DTranspose": _on_sequence(lambda k: k.Conv1DTranspose(4, 3, strides=2)),
    "Conv2DTranspose": _on_image(lambda k: k.Conv2DTranspose(4, 3, strides=2)),
    "MaxPooling2D": _on_image(lambda k: k.MaxPooling2D()),
    "AveragePooling1D": _on_sequence(lambda k: k.AveragePooling1D(2)),
    "GlobalMaxPooling1D": (SEQUENCE, lambda k, x: k.Dense(3)(k.GlobalMaxPooling1D()(x))),
    "GlobalAveragePooling2D": (IMAGE, lambda k, x: k.Dense(3)(k.GlobalAveragePooling2D()(k.Conv2D(4, 3)(x)))),
    "UpSampling2D, nearest": _on_image(lambda k: k.UpSampling2D()),
    "UpSampling2D, bilinear": _on_image(lambda k: k.UpSampling2D(interpolation="bilinear")),
    "ZeroPadding2D, Cropping2D": (
        IMAGE,
        lambda k, x: k.Dense(3)(k.Flatten()(k.Cropping2D(1)(k.Conv2D(4, 3)(k.ZeroPadding2D(2)(x))))),
    ),
    "Permute": _on_sequence(lambda k: k.Permute((2, 1))),
    "RepeatVector": (VECTOR, lambda k, x: k.Dense(3)(k.Flatten()(k.RepeatVector(5)(k.Dense(4)(x))))),
    "Embedding": ((12,), lambda k, x: k.Dense(3)(k.GlobalAveragePooling1D()(k.Embedding(20, 8)(x)))),
    "BatchNormalization": (VECTOR, _after_dense(lambda k: k.BatchNormalization())),
    "LayerNormalization": (VECTOR, _after_dense(lambda k: k.LayerNormalization())),
    "GroupNormalization": _on_image(lambda k: k.GroupNormalization(2)),
    "UnitNormalization": (VECTOR, _after_dense(lambda k: k.UnitNormalization())),
    "PReLU": (VECTOR, _after_dense(lambda k: k.PReLU(alpha_initializer="random_uniform"))),
    "LeakyReLU": (VECTOR, _after_dense(lambda k: k.LeakyReLU())),
    "ELU": (VECTOR, _after_dense(lambda k: k.ELU())),
    "Softmax": (VECTOR, _after_dense(lambda k: k.Softmax())),
    "selu": _activation("selu"),
    "silu": _activation("silu"),
    "gelu": _activation("gelu"),
    "mish": _activation("mish"),
    "softplus": _activation("softplus"),
    "softsign": _activation("softsign"),
    "hard_sigmoid": _activation("hard_sigmoid"),
    "exponential": _activation("exponential"),
    "tanh": _activation("tanh"),
    "sigmoid": _activation("sigmoid"),
    "Attention": (SEQUENCE, lambda k, x: k.Dense(3)(k.GlobalAveragePooling1D()(k.Attention()([x, x])))),
    "MultiHeadAttention": (
        SEQUENCE,
        lambda k, x: k.Dense(3)(k.GlobalAveragePooling1D()(k.MultiHeadAttention(2, 4)(x, x))),
    ),
    "LSTM": _on_sequence(lambda k: k.LSTM(8)),
    "LSTM, return_sequences": _on_sequence(lambda k: k.LSTM(8, return_sequences=True)),
    "LSTM, dropout": _on_sequence(lambda k: k.LSTM(8, dropout=0.2, recurrent_dropout=0.1)),
    "GRU": _on_sequence(lambda k: k.GRU(8)),
    "SimpleRNN": _on_sequence(lambda k: k.SimpleRNN(8)),
    "Bidirectional(LSTM)": _on_sequence(lambda k: k.Bidirectional(k.LSTM(6))),
    "TimeDistributed(Dense)": _on_sequence(lambda k: k.TimeDistributed(k.Dense(6, activation="relu"))),
    "Masking": (SEQUENCE, lambda k, x: k.Dense(3)(k.LSTM(8)(k.Masking()(x)))),
}


def write(name: str, folder: Path) -> Path:
    """The case as a `.keras` file, its weights seeded."""
    import keras

    shape, build = CASES[name]
    keras.utils.set_random_seed(0)
    x = keras.Input(shape, name="x", dtype="int32" if name == "Embedding" else "float32")
    path = folder / "layer.keras"
    keras.Model(x, build(keras.layers, x)).save(path)
    return path
