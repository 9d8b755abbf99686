"""What a Keras model's configuration may name. While it builds a model, Keras looks these names up and calls them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

from mcugen.errors import ModelError
from mcugen.guard import keras_names as names

_PACKAGE = re.compile(r"(tf_)?keras(\.src)?(\.[a-z0-9_]+)*|builtins")
_TF_INITIALIZERS = "tensorflow.python.ops.init_ops_v2"
_CLASS = re.compile(r"[A-Z][A-Za-z0-9]*")
_CLASSES = names.LAYERS | names.MODELS | names.SETTINGS | names.TRAINING
_MOST_OBJECTS = 1_000_000
_TRUST = "pass `trust_model` to run what the file names, in a process that can write nowhere"


def check_config(config: object, where: str, own: Container[str] = ()) -> None:
    """Check every object that a model's configuration describes.

    Args:
        own: names of what the user's own file defines, which the configuration may name.
        config: the JSON of `config.json` in a `.keras` file, or of `model_config` in an HDF5 file.

    Raises:
        ModelError: it names a class or function that is not Keras' own, or that does more than compute.
    """
    layer, networks = "", _networks(config)
    for number, item in enumerate(_objects(config)):
        if number > _MOST_OBJECTS:
            raise ModelError(f"its configuration has more than {_MOST_OBJECTS:,} parts", where=where)
        described = item.get("config")
        if isinstance(described, Mapping) and isinstance(described.get("name"), str):
            layer = described["name"]
        if (problem := _problem(item, own)) and not _is_own(item, own) and not _is_of(networks, item):
            place = f'{where}, layer "{_shown(layer)}"' if layer else where
            raise ModelError(problem, where=place, hint=_ways_on(item, where))


def _ways_on(item: Mapping[str, Any], where: str) -> str:
    """What somebody can do whose own model it is; the first is a line to paste."""
    name = Path(where).name
    folder = Path(name).stem or "model"
    if item.get("class_name") in ("Lambda", "__lambda__"):
        load = f"import keras; keras.saving.load_model({name!r}, safe_mode=False).export({folder!r})"
        first = f"export a SavedModel: python -c {_in_quotes(load)}, and give mcugen the folder {folder}"
    else:
        first = (
            "pass the Python file that defines it with `custom_objects=FILE.py`, or export a SavedModel where it is"
            f" defined: model.export({folder!r})"
        )
    by_hand = "hand the model object to mcugen.api in Python"
    return f"If it is your own, there are three ways on: {first}; {by_hand}; or {_TRUST}"


def _in_quotes(program: str) -> str:
    """As an argument in a shell; easy to read where no character of it is special between double quotes."""
    return shlex.quote(program) if set(program) & set('"$`\\!') else f'"{program}"'


def _is_own(item: Mapping[str, Any], own: Container[str]) -> bool:
    """Whether Keras finds what is named in the user's file, before it would import the module that the model names."""
    name, described = item.get("class_name"), item.get("config")
    if name == "function":
        return isinstance(described, str) and described in own
    registered = item.get("registered_name")
    if registered is None and item.get("module") is None:
        registered = name  # as old files have it
    return isinstance(registered, str) and registered in own


def _networks(config: object) -> tuple[str, ...]:
    """The names of all models in a configuration, the outermost and those inside it."""
    described = [item.get("config") for item in _objects(config) if item.get("class_name") in names.MODELS]
    return tuple(str(each["name"]) for each in described if isinstance(each, Mapping) and "name" in each)


def _is_of(networks: tuple[str, ...], item: Mapping[str, Any]) -> bool:
    """Whether an old file, which names no modules, means the layer that one of its networks of the applications has."""
    named = item.get("class_name")
    name = named.removeprefix("Custom>") if isinstance(named, str) else ""
    if name not in names.APPLICATIONS or item.get("module") is not None:
        return False
    registered = item.get("registered_name") in (None, named)
    return registered and any(network.startswith(names.APPLICATIONS[name]) for network in networks)


def _objects(config: object) -> Iterator[Mapping[str, Any]]:
    """Every dictionary in a configuration, outer ones first."""
    pending = [config]
    while pending:
        item = pending.pop()
        if isinstance(item, Mapping):
            yield item
            # What a model was compiled with is not loaded; inside another model it is.
            skipped = "compile_config" if item is config else ""
            pending.extend(reversed([value for key, value in item.items() if key != skipped]))
        elif isinstance(item, list):
            pending.extend(reversed(item))


def _problem(item: Mapping[str, Any], own: Container[str] = ()) -> str:
    """What is wrong with one dictionary of a configuration; "" if nothing."""
    for key, value in item.items():
        if key.endswith("activation") and isinstance(value, str) and value not in names.FUNCTIONS and value not in own:
            return f'its activation "{_shown(value)}" is not one of Keras'
    if "class_name" not in item and "registered_name" not in item and "spec_name" not in item:
        return ""
    name, described = item.get("class_name"), item.get("config")
    if name in names.VALUES or name in names.TENSOR_VALUES:
        return ""
    if name == "__lambda__" or name == "Lambda":
        return "is a Lambda layer: its Python code is stored in the file and is not run from there"
    if name == "TFOpLambda":
        function = described.get("function") if isinstance(described, Mapping) else None
        return "" if _is_tensor_function(function) else f"calls tf.{_shown(function)}, which does more than compute"
    if name == "SlicingOpLambda":
        function = described.get("function") if isinstance(described, Mapping) else None
        return "" if function == "__operators__.getitem" else f"calls tf.{_shown(function)} as if it were a slice"
    registered, module = item.get("registered_name"), item.get("module")
    if registered in names.OWN and isinstance(name, str) and registered == f"mcugen>{name}":
        return "" if module in (None, "mcugen.qat.layers") else f"looks for {_shown(name)} in {_shown(module)}"
    if name == "function":
        return _function_problem(described, registered, module)
    if (
        isinstance(name, str)
        and name in names.APPLICATIONS
        and registered in (*(None, name), *(f"{package}>{name}" for package in ("keras", "Custom")))
    ):
        home = rf"(tf_)?keras\.src\.applications\.{names.APPLICATIONS[name]}"
        if isinstance(module, str) and re.fullmatch(home, module):
            return ""
    known = isinstance(name, str) and (
        name in _CLASSES or (module in names.OP_MODULES and bool(_CLASS.fullmatch(name)))
    )
    if not known:
        return f"uses the class {_shown(_full(module, name))}, which is not one of Keras that only compute"
    if not _is_keras(module) and not (name in names.SETTINGS and module == _TF_INITIALIZERS):
        return f"looks for {_shown(name)} in the module {_shown(module)}, which is not of Keras"
    if registered not in (None, name) and registered not in (f"keras>{name}", f"Keras>{name}"):
        return f"uses the registered class {_shown(registered)}, which is not one of Keras"
    return ""


def _function_problem(function: object, registered: object, module: object) -> str:
    if not isinstance(function, str) or function not in names.FUNCTIONS:
        return f"uses the function {_shown(_full(module, function))}, which is not one of Keras"
    if registered not in (None, function):
        return f"uses the function {_shown(_full(module, registered))}, which is not one of Keras"
    if not _is_keras(module):
        return f"looks for {_shown(function)} in the module {_shown(module)}, which is not of Keras"
    return ""


def _is_keras(module: object) -> bool:
    return module is None or (isinstance(module, str) and _PACKAGE.fullmatch(module) is not None)


def _is_tensor_function(function: object) -> bool:
    if not isinstance(function, str):
        return False
    parts = function.split(".")
    in_module = len(parts) == 2 and parts[0] in names.TF_MODULES and re.fullmatch(r"\w+", parts[1]) is not None
    return in_module or function in names.TF_FUNCTIONS


def _full(module: object, name: object) -> str:
    return f"{module}.{name}" if isinstance(module, str) and module else str(name)


def _shown(name: object) -> str:
    """A name from the file, fit to be printed."""
    return re.sub(r"[^\w.>/ -]", "?", str(name))[:80]
