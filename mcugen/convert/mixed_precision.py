"""Keras models trained in mixed precision, in float32: TensorFlow Lite converts no float16 layers.

Their weights are float32 already; only what a layer computes with is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MIXED = ("mixed_float16", "mixed_bfloat16")


def in_float32(model: Any) -> Any:
    """A Keras model with its layers' float16 policies changed to float32; the model itself where it has none.

    Args:
        model: Keras 3 or tf_keras, built from layers or of a class with a configuration.
    """
    layers = _layers(model)
    if not {_policy(layer) for layer in layers} & set(_MIXED):
        return model
    classes = {type(layer).__name__: type(layer) for layer in layers}
    made = type(model).from_config(_changed(model.get_config()), custom_objects=classes)
    made.set_weights(model.get_weights())
    return made


def _layers(model: Any) -> list[Any]:
    flattened = getattr(model, "_flatten_layers", None)
    return list(flattened()) if callable(flattened) else list(getattr(model, "layers", []))


def _policy(layer: Any) -> str:
    policy = getattr(layer, "dtype_policy", None)
    return str(getattr(policy, "name", policy or ""))


def _changed(config: Any) -> Any:
    """A configuration with every policy's name changed, wherever it stands."""
    if isinstance(config, Mapping):
        return {key: _changed(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_changed(value) for value in config)
    return "float32" if config in _MIXED else config
