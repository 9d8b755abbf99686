"""A Keras model of another width or input size, untrained: what would it need? Runs in the worker process."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from mcugen.errors import ConversionError

Dimension = Literal["width", "input"]

WIDTHS = {
    "Conv1D": "filters",
    "Conv2D": "filters",
    "Conv1DTranspose": "filters",
    "Conv2DTranspose": "filters",
    "SeparableConv1D": "filters",
    "SeparableConv2D": "filters",
    "Dense": "units",
    "LSTM": "units",
    "GRU": "units",
}
"""Layer classes that have a width, and the name of it in their configuration."""

_SHAPES = ("batch_shape", "batch_input_shape")
"""Keras 3's and Keras 2's name for an input's shape."""

_CHANNELS = 4
"""Widths are rounded to multiples of this, which kernels like."""
_PIXELS = 8
_SMALL_IMAGE = 32
"""Input sizes are rounded to multiples of 8 pixels from 32 pixels on, so that strides divide them."""


def scaled_model(model: Any, dimension: Dimension, factor: float) -> Any:
    """The architecture with every width, or the input's height and width, times `factor`; weights are new.

    Layers behind which no other layer with a width comes keep theirs: they are the model's classes.

    Args:
        model: a Keras 3 or tf_keras Functional or Sequential model.
        factor: above 0, up to 4.

    Raises:
        ConversionError: the architecture cannot be built anew, or says nothing of `dimension`.
    """
    if not hasattr(model, "layers") or not hasattr(type(model), "from_config"):
        raise ConversionError(
            "only Functional and Sequential models can be scaled", hint="Build it from Keras layers with keras.Model"
        )
    config = _without_built_shapes(copy.deepcopy(model.get_config()))
    touched = _scale_width(model, config, factor) if dimension == "width" else _scale_input(config, factor)
    if not touched:
        what = "layer with filters or units before its last" if dimension == "width" else "image input"
        raise ConversionError(f"the model has no {what}, so there is nothing to scale", hint="Omit `scale`")
    try:
        return type(model).from_config(config)
    except Exception as error:  # whatever Keras raises where shapes no longer fit
        raise ConversionError(
            f"the model cannot be built {factor:g} times as {'wide' if dimension == 'width' else 'large'}: "
            f"{_reason(error)}",
            hint="A layer with a fixed shape (Reshape, a number in code) prevents it",
        ) from error


def _reason(error: Exception) -> str:
    """What Keras says, without where in Keras."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith("Exception encountered")]
    return said[0][:200] if said else type(error).__name__


def _scale_width(
    model: Any, config: dict[str, Any], factor: float, *, is_last: bool = True, is_fed: bool = False
) -> int:
    """Change the widths in a model's configuration; how many were changed.

    Args:
        is_last: the model's last widths are to stay.
        is_fed: the model is inside another, and gets what a layer of changed width computes.
    """
    layers = {layer.name: layer for layer in model.layers}
    last = _last_with_width(model) if is_last else set()
    fed = {follower.name for layer in model.layers if _has_width(layer) for follower in _followers(layer)}
    touched = 0
    for entry in config["layers"]:
        layer = layers.get(entry["config"].get("name", ""))
        for key in _SHAPES if is_fed and entry["class_name"] == "InputLayer" else ():
            if entry["config"].get(key):
                *rest, channels = entry["config"][key]
                entry["config"][key] = [*rest, scaled_width(channels, factor)]
        if layer is not None and hasattr(layer, "layers"):
            touched += _scale_width(
                layer, entry["config"], factor, is_last=layer.name in last, is_fed=is_fed or layer.name in fed
            )
        elif entry["class_name"] in WIDTHS and (layer is None or layer.name not in last):
            key = WIDTHS[entry["class_name"]]
            entry["config"][key] = scaled_width(entry["config"][key], factor)
            touched += 1
    return touched


def scaled_width(width: int, factor: float) -> int:
    """A width times `factor`: a multiple of 4 from 8 on, and never nothing."""
    wanted = width * factor
    if width < 2 * _CHANNELS:
        return max(1, round(wanted))
    return max(_CHANNELS, round(wanted / _CHANNELS) * _CHANNELS)


def _last_with_width(model: Any) -> set[str]:
    """Layers with a width (or models that hold some) that no other such layer depends on."""
    return {
        layer.name
        for layer in model.layers
        if _has_width(layer) and not any(_has_width(follower) for follower in _followers(layer))
    }


def _has_width(layer: Any) -> bool:
    if hasattr(layer, "layers"):
        return any(_has_width(inner) for inner in layer.layers)
    return type(layer).__name__ in WIDTHS


def _followers(layer: Any) -> Iterator[Any]:
    """All layers that depend on a layer's output, in any number of steps."""
    seen: set[int] = set()
    pending = [layer]
    while pending:
        for node in getattr(pending.pop(), "_outbound_nodes", ()):
            follower = getattr(node, "operation", None) or getattr(node, "layer", None)
            if follower is not None and id(follower) not in seen:
                seen.add(id(follower))
                pending.append(follower)
                yield follower


def _scale_input(config: Mapping[str, Any], factor: float) -> int:
    """Change the height and width of image inputs in a configuration; how many were changed."""
    touched = 0
    for entry in config["layers"]:
        settings = entry["config"]
        if isinstance(settings.get("layers"), list):
            _free_input(settings)
        for key in _SHAPES:
            shape = settings.get(key)
            if isinstance(shape, list | tuple) and len(shape) == 4 and all(isinstance(d, int) for d in shape[1:]):
                settings[key] = [shape[0], *(scaled_pixels(d, factor) for d in shape[1:3]), shape[3]]
                touched += 1
    return touched


def _free_input(config: Mapping[str, Any]) -> None:
    """Let a model inside another take images of any size."""
    for entry in config["layers"]:
        settings = entry["config"]
        if isinstance(settings.get("layers"), list):
            _free_input(settings)
        for key in _SHAPES:
            shape = settings.get(key)
            if isinstance(shape, list | tuple) and len(shape) == 4:
                settings[key] = [shape[0], None, None, shape[3]]


def _without_built_shapes(config: Any) -> Any:
    """A configuration without the shapes that its layers were built with, which hold no more."""
    if isinstance(config, dict):
        built = ("build_config", "build_input_shape")
        return {key: _without_built_shapes(value) for key, value in config.items() if key not in built}
    if isinstance(config, list | tuple):
        return [_without_built_shapes(value) for value in config]
    return config


def scaled_pixels(size: int, factor: float) -> int:
    """An image's height or width times `factor`: a multiple of 8 from 32 on, and never nothing."""
    if size < _SMALL_IMAGE:
        return max(1, round(size * factor))
    return max(_PIXELS, round(size * factor / _PIXELS) * _PIXELS)
