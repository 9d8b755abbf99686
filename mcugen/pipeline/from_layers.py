"""A pipeline file for what a Keras model's first layers compute.

These are CenterCrop and Resizing, MelSpectrogram, Discretization and CategoryEncoding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mcugen.errors import PipelineError
from mcugen.pipeline.read import read_text
from mcugen.pipeline.types import Pipeline

_WHOLE = 32768.0
_EASILY = "Compute it before the model, in training and in the firmware, and save the model without it"


class FirstLayer(Protocol):
    """A layer's class, name and settings, as Keras writes them."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def settings(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class FrontOfLayers:
    """What takes the place of layers.

    Attributes:
        again: layers that stay behind the front end, by name: a scale commutes with cropping and resizing.
        unit: what an input of the model is, in the signal's integers: 32768 where they stand for −1 to 1.
        tolerance: how far the front end may be from the layers.
    """

    pipeline: Pipeline
    again: tuple[str, ...]
    unit: float
    tolerance: float


def front_of_layers(layers: Sequence[FirstLayer], shape: Sequence[int], dtype: str) -> FrontOfLayers | None:
    """What takes the place of a model's first layers; None where they had better stay ops of the model.

    Args:
        layers: the last is no Rescaling.
        shape, dtype: of the model's input, without the batch.

    Raises:
        PipelineError: no front end computes that; names the layer and the setting.
    """
    kind = layers[-1].kind
    if kind in ("CenterCrop", "Resizing"):
        return _image(layers, shape)
    if kind == "MelSpectrogram":
        return _sound(layers, shape)
    return _columns(layers, shape, dtype)


def _made(
    given: Mapping[str, Any], front: Mapping[str, Any], again: Sequence[str], unit: float, tolerance: float
) -> FrontOfLayers:
    """The same as text, as it will be read again from a project's folder."""
    tables = {"input": given, "frontend": front, "model": {"file": "model.tflite", "window": 1}}
    lines = [
        line
        for name, fields in tables.items()
        for line in (f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in fields.items()), "")
    ]
    text = "\n".join(lines).rstrip("\n") + "\n"
    return FrontOfLayers(read_text(text, Path("the model's first layers")), tuple(again), unit, tolerance)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value)


def _image(layers: Sequence[FirstLayer], shape: Sequence[int]) -> FrontOfLayers | None:
    if len(shape) != 3 or shape[2] not in (1, 3) or max(shape[:2]) > 4096:
        return None
    (top, left), (height, width) = (0, 0), shape[:2]
    resized: tuple[int, int] | None = None
    method, again = "area", []
    for layer in layers:
        settings = layer.settings
        if layer.kind == "Rescaling":
            again.append(layer.name)
            continue
        if layer.kind not in ("CenterCrop", "Resizing") or settings.get("data_format") == "channels_first":
            return None
        if resized is not None:
            return None  # in pixels of the result
        wanted = int(settings["height"]), int(settings["width"])
        if layer.kind == "CenterCrop":
            if wanted[0] > height or wanted[1] > width:
                return None  # which resizes
            top, left = top + (height - wanted[0]) // 2, left + (width - wanted[1]) // 2
            height, width = wanted
            continue
        method = settings.get("interpolation", "bilinear")
        if method not in ("area", "bilinear") or settings.get("antialias") or settings.get("pad_to_aspect_ratio"):
            return None
        if settings.get("crop_to_aspect_ratio"):
            kept = (
                max(1, min(height, int(float(width * wanted[0]) / wanted[1]))),
                max(1, min(width, int(float(height * wanted[1]) / wanted[0]))),
            )
            top, left = top + int((height - kept[0]) / 2), left + int((width - kept[1]) / 2)
            height, width = kept
        resized = wanted
    resized = resized or (height, width)
    if max(resized) > 1024:
        return None
    grey = shape[2] == 1
    given = {"kind": "image", "format": "grey" if grey else "rgb888", "width": shape[1], "height": shape[0]}
    front = {
        "kind": "image",
        **{"left": left, "top": top, "crop_width": width, "crop_height": height},
        **{"width": resized[1], "height": resized[0], "method": method},
    }
    return _made(given, front, again, 1.0, 1.0)


def _sound(layers: Sequence[FirstLayer], shape: Sequence[int]) -> FrontOfLayers:
    layer = layers[-1]
    settings = layer.settings
    if len(shape) != 1:
        raise _refused(layer, f"takes {'×'.join(map(str, shape))} values, not the samples of one channel")
    unit, before = _WHOLE, layers[:-1]
    if before:
        one = before[0].settings
        integers = len(before) == 1 and before[0].kind == "Rescaling" and not one.get("offset")
        if not integers or not isinstance(one.get("scale"), int | float) or not math.isclose(one["scale"] * _WHOLE, 1):
            raise _refused(
                layer, f"comes behind {before[0].kind}, which scales by something else than 1/32768, for int16 samples"
            )
        unit = 1.0
    fft = int(settings["fft_length"])
    decibels, power = bool(settings["power_to_db"]), settings["mag_exp"]
    reference = settings["ref_power"]
    if settings["window"] != "hann":
        raise _refused(layer, f'has the window "{settings["window"]}", and front ends take "hann"')
    if power not in (1, 2):
        raise _refused(layer, f"has mag_exp={power}, and front ends take 1 and 2")
    if not isinstance(reference, int | float):
        raise _refused(layer, "has a function as ref_power, and front ends take a number")
    floor = float(settings["min_power"])
    rate = settings["sampling_rate"]
    front = {
        "kind": "spectrogram",
        "clip": int(shape[0]),
        "window": int(settings["sequence_length"] or fft),
        "stride": int(settings["sequence_stride"]),
        "fft": fft,
        "channels": int(settings["num_mel_bins"]),
        "low_hz": float(settings["min_freq"]),
        "high_hz": float(settings["max_freq"] or rate / 2),
        "power": int(power),
        "log": "db" if decibels else "none",
        "floor": floor,
    }
    if decibels:
        front["reference_db"] = 10 * math.log10(max(abs(float(reference)), floor))
        front["range_db"] = float(settings["top_db"])
    # Near silence, decibels show the last bits of sums that are made in another order.
    return _made({"kind": "audio", "rate": int(rate)}, front, (), unit, 0.05 if decibels else 1e-3)


def _columns(layers: Sequence[FirstLayer], shape: Sequence[int], dtype: str) -> FrontOfLayers:
    first, last = layers[0], layers[-1]
    if len(shape) != 1:
        raise _refused(first, f"takes {'×'.join(map(str, shape))} values, not a row of columns")
    kinds = tuple(layer.kind for layer in layers)
    if kinds not in (("Discretization",), ("CategoryEncoding",), ("Discretization", "CategoryEncoding")):
        raise _refused(last, f"comes behind {kinds[-2]}, which no front end computes before it")
    front: dict[str, Any] = {"kind": "categories"}
    if first.kind == "Discretization":
        limits, mode = first.settings["bin_boundaries"], first.settings["output_mode"]
        if not limits:
            raise _refused(first, "has no boundaries: it was not adapted to data")
        front["boundaries"] = [float(limit) for limit in limits]
        front["output"] = "index" if mode == "int" else mode
    elif dtype == "float32":
        raise _refused(first, "takes float32 values: give its input a type of integers")
    if last.kind == "CategoryEncoding":
        if front.get("output", "index") != "index":
            raise _refused(last, "comes behind a Discretization that does not give numbers")
        front["tokens"], front["output"] = int(last.settings["num_tokens"]), last.settings["output_mode"]
    given = {"kind": "table", "format": "float32" if dtype == "float32" else "int16", "channels": int(shape[0])}
    return _made(given, front, (), 1.0, 0.0)


def _refused(layer: FirstLayer, what: str) -> PipelineError:
    return PipelineError(what, where=f'layer "{layer.name}" ({layer.kind})', hint=_EASILY)
