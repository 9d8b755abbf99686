"""What a Keras model itself does with its inputs first, told from its layers.

The converter folds a leading Rescaling into the weights of the next convolution, so that nothing of it is left to see.
A configuration still has it. It is data here: nothing is imported or built.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mcugen.convert.types import OwnScaling
from mcugen.errors import ModelError
from mcugen.reading import parsing

Statistics = Callable[[Sequence[str]], tuple[Any, Any] | None]
"""Mean and variance that a layer learned, by the names of the models around it and its own; None if nobody knows."""

_PASSING = frozenset(
    {
        "InputLayer",
        "Reshape",
        "Flatten",
        "Permute",
        "Identity",
        "Dropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "GaussianNoise",
        "GaussianDropout",
        "ZeroPadding1D",
        "ZeroPadding2D",
        "Cropping1D",
        "Cropping2D",
        "CenterCrop",
        "Resizing",
        "AveragePooling1D",
        "AveragePooling2D",
        "MaxPooling1D",
        "MaxPooling2D",
        "RandomFlip",
        "RandomRotation",
        "RandomTranslation",
        "RandomZoom",
        "RandomCrop",
        "RandomContrast",
        "ExpandDims",
        "Squeeze",
        "Cast",
        "FakeQuantize",
    }
)
"""Layers and operations behind which values are as large as before."""
_MODELS = frozenset({"Functional", "Model", "Sequential"})
_MULTIPLY = frozenset({"Multiply", "math.multiply", "__operators__.mul"})
_DIVIDE = frozenset({"TrueDivide", "Divide", "math.truediv", "math.divide", "__operators__.truediv", "realdiv"})
_SHIFT = frozenset({"Add", "Subtract", "math.add", "math.subtract", "__operators__.add", "__operators__.sub"})
_MOST_STEPS = 1000
_MOST_CONFIG_BYTES = 64 << 20


def own_scaling(class_name: str, config: Mapping[str, Any], statistics: Statistics | None = None) -> OwnScaling | None:
    """What the layers at a model's input multiply its values by.

    Where the input goes several ways, or there are several, the one that makes the values smallest counts.

    Args:
        class_name: of the model: "Functional", "Sequential", …
        config: its configuration, of Keras 2 or 3.
        statistics: finds what layers learned, which no configuration holds.

    Returns:
        None where the configuration does not tell.
    """
    try:
        ways = list(_ways(class_name, config, statistics or (lambda _names: None)))
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return None  # a model that describes itself in words of its own
    if not ways or any(way is None for way in ways):
        return None
    return min((way for way in ways if way is not None), key=lambda way: way.scale)


def own_scaling_of_file(path: Path) -> OwnScaling | None:
    """The same of a `.keras` file; None where its configuration does not tell."""
    try:
        model = read_configuration(path)
        return own_scaling(model["class_name"], model["config"])
    except (ModelError, LookupError, TypeError):
        return None


def read_configuration(path: Path) -> Any:
    """What the configuration in a `.keras` file says.

    Raises:
        ModelError: it cannot be read.
    """
    with parsing(lambda _: ModelError("cannot be read", where=str(path))), zipfile.ZipFile(path) as archive:
        if archive.getinfo("config.json").file_size > _MOST_CONFIG_BYTES:
            raise ModelError("its configuration is too large", where=str(path))
        return json.loads(archive.read("config.json"))


def _ways(class_name: str, config: Mapping[str, Any], statistics: Statistics) -> Iterator[OwnScaling | None]:
    """One scaling per layer that computes with the model's input; None where it is not known."""
    pending = [(LayerOrder(class_name, config), "", OwnScaling(1.0, ""))]
    for _ in range(_MOST_STEPS):
        if not pending:
            return
        model, name, before = pending.pop()
        followers = model.followers(name)
        if not followers:
            # The end of a model inside another one; the whole one has no layer that computes.
            if model.outer is None:
                yield before
            else:
                pending.append((model.outer, model.name, before))
        for entry, constants in followers:
            kind, settings = entry["class_name"], entry["config"]
            path = (*model.path, settings["name"])
            if kind in _MODELS:
                pending.append((LayerOrder(kind, settings, model, settings["name"]), "", before))
                continue
            after = _behind(kind, settings, constants, before, statistics, path)
            if isinstance(after, OwnScaling):
                pending.append((model, settings["name"], after))
            else:
                yield before if after == "computes" else None
    yield None


def _behind(
    kind: str,
    settings: Mapping[str, Any],
    constants: Sequence[Any],
    before: OwnScaling,
    statistics: Statistics,
    path: Sequence[str],
) -> OwnScaling | str:
    """The scaling behind a layer; or "computes" if it does more than scale, "unknown" if nobody knows by how much."""
    function = settings.get("function") if kind == "TFOpLambda" else kind
    factor: float | None = None
    if kind == "Rescaling":
        factor = _largest(settings["scale"])
        if factor:
            moved = _largest(settings.get("offset") or 0) / (before.scale * factor)
            before = OwnScaling(before.scale, before.layer, max(before.offset, moved))
    elif kind == "Activation" and settings.get("activation") == "linear":
        return before
    elif kind in ("Normalization", "BatchNormalization"):
        known = statistics(path)
        if known is None and kind == "Normalization" and settings.get("variance") is not None:
            known = settings["mean"], settings["variance"]
        if known is None:
            return "unknown"
        deviation = np.sqrt(np.maximum(np.asarray(known[1], np.float64), 1e-14))
        factor = float(np.max(deviation if settings.get("invert") else 1 / deviation))
    elif kind in _PASSING:
        return before
    elif function in _SHIFT and constants:
        moved = _largest(constants[0]) / before.scale
        return OwnScaling(before.scale, before.layer or path[-1], max(before.offset, moved))
    elif function in _MULTIPLY and constants:
        factor = _largest(constants[0])
    elif function in _DIVIDE and constants:
        divisor = _largest(constants[0])
        factor = 1 / divisor if divisor else None
    if factor is None or not np.isfinite(factor) or factor == 0:
        return "computes"
    return OwnScaling(before.scale * factor, before.layer or path[-1], before.offset)


def _largest(value: Any) -> float:
    """The largest size among the numbers of a setting: one, a list, or how Keras writes an array."""
    if isinstance(value, Mapping):
        value = value["config"]["value"] if "value" in value.get("config", {}) else value["value"]
    return float(np.max(np.abs(np.asarray(value, np.float64))))


class LayerOrder:
    """Who follows whom in a model's configuration. Before the first layer of a model stands ""."""

    def __init__(self, kind: str, config: Mapping[str, Any], outer: LayerOrder | None = None, name: str = "") -> None:
        self.outer, self.name = outer, name
        self.path: tuple[str, ...] = (*outer.path, name) if outer is not None else ()
        self._after: dict[str, list[tuple[Mapping[str, Any], tuple[Any, ...]]]] = {}
        entries = config["layers"]
        if kind == "Sequential":
            last = ""
            for entry in entries:
                self._after[last] = [(entry, ())]
                last = entry["config"]["name"]
            return
        for entry in entries:
            nodes = entry.get("inbound_nodes") or []
            if entry["class_name"] == "InputLayer" or not nodes:
                self._after.setdefault("", []).append((entry, ()))
            for node in nodes:
                sources, constants = _parts(node)
                for source in dict.fromkeys(sources):
                    self._after.setdefault(source, []).append((entry, tuple(constants)))

    def followers(self, name: str) -> list[tuple[Mapping[str, Any], tuple[Any, ...]]]:
        return self._after.get(name, [])


def _parts(node: Any) -> tuple[list[str], list[Any]]:
    """The names of the layers that a call takes its tensors from, and the numbers in it."""
    sources: list[str] = []
    constants: list[Any] = []
    pending = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, Mapping):
            if item.get("class_name") == "__keras_tensor__":
                sources.append(item["config"]["keras_history"][0])
            elif item.get("class_name") in ("__tensor__", "__numpy__"):
                constants.append(item)
            else:
                pending.extend(value for key, value in item.items() if key not in ("training", "mask", "name"))
        elif isinstance(item, list | tuple):
            if len(item) in (3, 4) and isinstance(item[0], str) and all(isinstance(i, int) for i in item[1:3]):
                sources.append(item[0])
                pending.extend(item[3:])
            else:
                pending.extend(item)
        elif isinstance(item, float | int) and not isinstance(item, bool):
            constants.append(item)
    return sources, constants


def live_scaling(model: Any) -> OwnScaling | None:
    """The same of a Keras object, whose layers also tell what they learned."""

    def statistics(names: Sequence[str]) -> tuple[Any, Any] | None:
        layer = model
        for name in names:
            layer = layer.get_layer(name)
        mean = getattr(layer, "mean", None) if hasattr(layer, "mean") else getattr(layer, "moving_mean", None)
        variance = (
            getattr(layer, "variance", None) if hasattr(layer, "variance") else getattr(layer, "moving_variance", None)
        )
        return None if mean is None or variance is None else (np.asarray(mean), np.asarray(variance))

    try:
        kind = "Sequential" if type(model).__name__ == "Sequential" else "Functional"
        return own_scaling(kind, model.get_config(), statistics)
    except Exception:  # a class of the user's, whose configuration is whatever it returns
        return None
