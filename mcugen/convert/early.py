"""Data is looked at before a framework is started for the model: what is missing or does not fit is said at once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mcugen.convert import data_files
from mcugen.convert.data import TABLES, DataSource, load_samples
from mcugen.convert.data_folders import IMAGES, SOUNDS, look_into
from mcugen.convert.data_objects import Part, is_frame
from mcugen.convert.keras_inputs import read_configuration
from mcugen.convert.sources import Source, identify
from mcugen.errors import DataError, ModelError
from mcugen.reading import parsing
from mcugen.tflite.types import TensorSpec

_GLANCE = 20
"""Files, or rows of a table, that are looked at."""
_KNOWN = (".npy", ".npz", *TABLES, *IMAGES, *SOUNDS)
_TYPES = ("float32", "int32", "int64", "uint8", "int8", "bool")
_HINT = "Pass a .npy, .npz or .csv file, or a folder of images or .wav files"


def check_early(model: object, data: DataSource | None, part: Part = "calibration", names: Sequence[str] = ()) -> None:
    """Refuse data that cannot be read, or does not fit a model that states its inputs; nothing is loaded for that.

    What this passes may still be refused later, when all of it is read.

    Args:
        model: a model's file or object; anything else, such as a project, says nothing.
        names: of the classes, by number, for labels that are text.

    Raises:
        DataError: as :func:`mcugen.convert.load_samples`.
    """
    if data is None or (isinstance(data, str) and data == "random"):
        return
    try:
        inputs = stated_inputs(identify(model))
    except ModelError:
        inputs = None  # refused by whoever loads it
    if isinstance(data, (str, os.PathLike)):
        _check_path(Path(data), part)
    elif not isinstance(data, Mapping | np.ndarray) and not is_frame(data):
        return  # going through it may be slow, or possible once only
    if inputs is not None:
        load_samples(data, inputs, part=part, names=names, glance=_GLANCE)


def stated_inputs(source: Source) -> tuple[TensorSpec, ...] | None:
    """The inputs that a Keras model states, in its file or as an object; None where it does not, and for others."""
    if source.kind == "keras object":
        described = [(str(t.name), tuple(t.shape), _type(t.dtype)) for t in getattr(source.model, "inputs", None) or []]
    elif source.kind == "keras" and source.path is not None:
        try:
            described = _in_archive(source.path)
        except ModelError:
            return None
    else:
        return None
    made = []
    for name, shape, dtype in described:
        if len(shape) < 2 or dtype not in _TYPES or not all(isinstance(d, int) and d > 0 for d in shape[1:]):
            return None
        # Named as they will be when the model is converted.
        made.append(TensorSpec(re.sub(r"\W", "_", name.split(":")[0], flags=re.ASCII), (1, *shape[1:]), dtype))
    return tuple(made) or None


def _check_path(path: Path, part: Part) -> None:
    where = str(path)
    if not path.exists():
        raise DataError("there is no such file or folder", where=where, hint=_HINT)
    if path.is_dir():
        look_into(path, part == "calibration", [], most=1)
        return
    suffix = path.suffix.lower()
    if suffix not in _KNOWN:
        raise DataError(f'"{suffix or path.name}" is not a data format that mcugen reads', where=where, hint=_HINT)
    if not path.stat().st_size:
        raise DataError("the file is empty", where=where, hint=_HINT)
    if suffix == ".npy":
        data_files.read_npy(path)
    elif suffix == ".npz":
        data_files.read_npz(path)


def _in_archive(path: Path) -> list[tuple[str, tuple[Any, ...], str]]:
    """Name, shape and type of every input that the configuration of a `.keras` file describes."""
    model = read_configuration(path)
    with parsing(lambda _: ModelError("cannot be read")):
        layers = model["config"]["layers"]
        found = {}
        for layer in layers:
            settings = layer["config"]
            shape = settings.get("batch_shape") or settings.get("batch_input_shape")
            if layer["class_name"] == "InputLayer" and shape:
                dtype = settings.get("dtype") or "float32"
                found[settings["name"]] = (str(settings["name"]), tuple(shape), dtype if isinstance(dtype, str) else "")
        if model["class_name"] == "Sequential":
            return list(found.values())[:1]
        order = _names(model["config"]["input_layers"])
        return [found[name] for name in order]


def _names(given: Any) -> list[str]:
    """The layers of `input_layers`: one triple ["image", 0, 0], a list of them, or a mapping."""
    if isinstance(given, Mapping):
        given = list(given.values())
    if len(given) == 3 and isinstance(given[0], str) and isinstance(given[1], int):
        return [given[0]]
    return [name for item in given for name in _names(item)]


def _type(dtype: Any) -> str:
    """The name of a type of Keras 3, which is text, or of Keras 2."""
    return dtype if isinstance(dtype, str) else str(getattr(dtype, "name", ""))
