"""Keras layers at a model's input that a front end takes over: which they are, and the model behind them.

Which layers there are is told by the model's configuration, which is data here. The model is cut in the worker process,
where Keras is; there its own layers also prove the front end that took their place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcugen.convert.early import stated_inputs
from mcugen.convert.keras_inputs import LayerOrder, read_configuration
from mcugen.convert.sources import Source
from mcugen.errors import ConversionError, ModelError
from mcugen.text import enumerated
from mcugen.tflite.types import TensorSpec

IMAGE_LAYERS = ("CenterCrop", "Resizing")
"""They are ops of the model, too: nothing has to become of them."""

OTHER_LAYERS = ("MelSpectrogram", "Discretization", "CategoryEncoding")
NO_STEPS = (
    "STFTSpectrogram",
    "Hashing",
    "HashedCrossing",
    "StringLookup",
    "IntegerLookup",
    "TextVectorization",
)
"""Layers of preprocessing that no front end computes, and that no int8 model can hold."""

_MOST_LAYERS = 100


@dataclass(frozen=True)
class Layer:
    """A layer at the input: its class, name and settings."""

    kind: str
    name: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Leading:
    """The layers that a model's one input goes through first, in order; the last is no Rescaling."""

    input: TensorSpec
    layers: tuple[Layer, ...]

    @property
    def names(self) -> str:
        """For messages: "resize" (Resizing) and "bins" (Discretization)."""
        return enumerated([f'"{one.name}" ({one.kind})' for one in self.layers if one.kind != "Rescaling"])


def leading_layers(source: Source) -> Leading | None:
    """The layers at a model's input that a front end may take over; None where there are none.

    Raises:
        ConversionError: there are some that no front end can take over, and that have no form in integers.
    """
    if source.kind != "keras" or source.path is None:
        return None
    try:
        model = read_configuration(source.path)
        kind, config = model["class_name"], model["config"]
        found = _chain(kind, config) if kind in ("Sequential", "Functional", "Model") else ()
        others = _needing_steps(config) - {layer.name for layer in found}
    except (ModelError, LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return None  # refused by whoever loads it, or a model that describes itself in words of its own
    for layer in sorted(others):
        raise ConversionError(
            "computes no numbers that a network of integers can hold, and does not stand, alone, at a model's one "
            "input, where it would become a front end",
            where=f"layer {layer}",
            hint="Compute it before the model, in training and in the firmware, and save the model without it",
        )
    inputs = stated_inputs(source)
    if not found or inputs is None or len(inputs) != 1:
        if any(layer.kind in OTHER_LAYERS for layer in found):
            raise ConversionError(
                "becomes a front end, for which the model must have one input of a known shape",
                where=f"layer {found[-1].name}",
                hint="Build the model with keras.Input(shape) and one input",
            )
        return None
    return Leading(inputs[0], found)


def _chain(kind: str, config: Mapping[str, Any]) -> tuple[Layer, ...]:
    order, name, found = LayerOrder(kind, config), "", list[Layer]()
    for _ in range(_MOST_LAYERS):
        followers = order.followers(name)
        if len(followers) != 1:
            break
        entry = followers[0][0]
        name = entry["config"]["name"]
        if entry["class_name"] in (*IMAGE_LAYERS, *OTHER_LAYERS, "Rescaling"):
            found.append(Layer(entry["class_name"], name, entry["config"]))
        elif entry["class_name"] != "InputLayer":
            break
    while found and found[-1].kind == "Rescaling":
        found.pop()
    return tuple(found)


def _needing_steps(config: Mapping[str, Any]) -> set[str]:
    """The names of all layers that only a front end could compute."""
    found = set()
    for entry in config["layers"]:
        if entry["class_name"] in (*OTHER_LAYERS, *NO_STEPS):
            found.add(entry["config"]["name"])
        elif isinstance(entry["config"].get("layers"), list):
            found |= _needing_steps(entry["config"])
    return found


def without_leading(model: Any, cut: Mapping[str, Any], folder: Path) -> tuple[Any, float]:
    """The model behind its first layers, and how far these are from the front end that takes their place.

    Runs in the worker process. `cut` is a :attr:`mcugen.convert.cut.CutModel.request`; `probe.npz` in the folder has
    what to compare.

    Raises:
        ConversionError: they are further from each other than the tolerance.
    """
    import keras

    layers = [model.get_layer(name) for name in cut["layers"]]
    with np.load(folder / "probe.npz", allow_pickle=False) as stored:
        values, rows = stored["probe"], stored["rows"]
    made = []
    for value in values:  # one by one: some layers look at the whole batch
        one: Any = value[np.newaxis]
        for layer in layers:
            one = one if layer.name in cut["again"] else layer(one)
        made.append(np.asarray(one)[0])
    computed = np.stack(made).astype(np.float64)
    difference = float(np.max(np.abs(computed.reshape(len(rows), -1) - rows.reshape(len(rows), -1))))
    if computed.size != rows.size or not difference <= cut["tolerance"]:
        raise ConversionError(
            f"gives other values than the front end that would take its place, by up to {difference:g}",
            where=f"layer {cut['layers'][-1]}",
            hint="Compute it before the model, in training and in the firmware, and save the model without it",
        )
    return _behind(keras, model, layers, cut["again"]), difference


def _behind(keras: Any, model: Any, layers: Sequence[Any], again: Sequence[str]) -> Any:
    """The model behind these layers, but with those of `again`."""
    first = layers[-1].output
    given = value = keras.Input(batch_shape=first.shape, dtype=first.dtype, name="rows")
    for layer in layers:
        value = layer(value) if layer.name in again else value
    if type(model).__name__ == "Sequential":
        for layer in model.layers[model.layers.index(layers[-1]) + 1 :]:
            value = layer(value)
    else:
        value = keras.Model(inputs=first, outputs=model.output, name=model.name)(value)
    return keras.Model(inputs=given, outputs=value, name=model.name)
