"""Small models of the architectures that people deploy, made here: seeded weights, int8 by the project's own quantizer.

    zoo.model("resnet")        its bytes, int8 (or as the name says)
    zoo.float_model("resnet")  the float32 model that it was quantized from
    zoo.samples("resnet", 8)   inputs of that float model, seeded
    zoo.path("resnet")         a file with the model, for what takes files

They take no TensorFlow and no file, so tests on them run in every clone. Models in production use, which no generator
imitates in full, are a second layer: tests/models.py.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcugen.convert import convert
from mcugen.tflite.schema import unpack_model
from tests.convert import recurrent_models
from tests.zoo import convolutional, others, recurrent, streaming
from tests.zoo.layers import draw
from tests.zoo.wide import with_int16_activations

_CALIBRATION_SAMPLES = 12

_FLOAT: dict[str, Callable[[], bytes]] = {
    "autoencoder": others.autoencoder,
    "ds_cnn": convolutional.ds_cnn,
    "gru": lambda: recurrent_models.recurrent("gru"),
    "mobilenet_v1": convolutional.mobilenet_v1,
    "mobilenet_v2": convolutional.mobilenet_v2,
    "resnet": convolutional.resnet,
    "sine": others.sine,
    "speech": convolutional.speech,
    "transformer": others.transformer,
    "u_net": others.u_net,
}
_MADE: dict[str, Callable[[], bytes]] = {
    "lstm": recurrent.lstm,
    "svdf": recurrent.svdf,
    "wake_word": streaming.wake_word,
}
_WITH_INT16 = {"ds_cnn_16x8": "ds_cnn"}
FLOAT_NAMES = tuple(_FLOAT)
STATEFUL = ("lstm", "svdf", "wake_word")
"""Models that keep something between inferences."""

NAMES = tuple(sorted((*_FLOAT, *_MADE, *_WITH_INT16)))


@functools.cache
def float_model(name: str) -> bytes:
    """A float32 `.tflite`."""
    return _FLOAT[name]()


def samples(name: str, count: int, seed: int = 0) -> NDArray[np.float32]:
    """Inputs of a float model, (count, …)."""
    main = unpack_model(float_model(name)).subgraphs[0]
    shape = tuple(int(n) for n in main.tensors[main.inputs[0]].shape)[1:]
    rng = np.random.default_rng(seed)
    if name == "sine":
        return rng.uniform(0, 2 * np.pi, (count, *shape)).astype(np.float32)
    return draw(rng, count, shape)


@functools.cache
def model(name: str) -> bytes:
    """A model that runs on a device: quantized, or as its name says."""
    if name in _MADE:
        return _MADE[name]()
    if name in _WITH_INT16:
        return with_int16_activations(model(_WITH_INT16[name]))
    return convert(float_model(name), samples(name, _CALIBRATION_SAMPLES)).tflite


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="mcugen-zoo-")


@functools.cache
def path(name: str) -> Path:
    """A file that holds `model(name)`, for as long as the process lives."""
    file = Path(_folder().name) / f"{name}.tflite"
    file.write_bytes(model(name))
    return file


@functools.cache
def float_path(name: str) -> Path:
    """A file that holds `float_model(name)`."""
    file = Path(_folder().name) / f"{name}_float.tflite"
    file.write_bytes(float_model(name))
    return file
