"""A user's own layers: a Python file that the confined process runs, so that a Keras file may name what it defines.

The file's author is the user; the model may still be a stranger's. So the model's configuration is checked as ever, and
names beyond Keras' own must be defined by that file.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FunctionType
from typing import Any

from mcugen.errors import ModelError
from mcugen.guard.keras_names import APPLICATIONS

_MOST_BYTES = 1 << 20
_given: ContextVar[Path | None] = ContextVar("own_objects", default=None)


def given_objects() -> Path | None:
    """The user's file; None without one."""
    return _given.get()


@contextmanager
def using_objects(file: str | Path | None) -> Iterator[None]:
    """Let Keras files name what a Python file defines, within.

    Raises:
        ModelError: there is no such file, or it is not Python's.
    """
    path = Path(file).resolve() if file is not None else None
    if path is not None and (path.suffix != ".py" or not path.is_file() or path.stat().st_size > _MOST_BYTES):
        what = "is not a Python file" if path.exists() else "there is no such file"
        raise ModelError(what, where=str(file), hint="Pass the .py file that defines your layers with `custom_objects`")
    token = _given.set(path)
    try:
        yield
    finally:
        _given.reset(token)


def define_objects(file: Path, registered: Any) -> Mapping[str, Any]:
    """Run the user's file, and give its classes and functions by the names that Keras files have for them.

    Args:
        registered: Keras' function from an object to the name that it is registered by.

    Raises:
        ModelError: the file fails, with the line; or it defines nothing.
    """
    name = file.stem if file.stem not in sys.modules else f"own_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's code raises
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        line = f", line {error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else '?'}"
        raise ModelError(
            f"fails: {type(error).__name__}: {str(error)[:200]}",
            where=f"{file.name}{line}",
            hint="It runs in a process that can write nowhere and reaches no network; it can import what is installed",
        ) from error
    found: dict[str, Any] = {}
    for key, value in vars(module).items():
        if isinstance(value, type | FunctionType) and value.__module__ == name:
            found.update({key: value, f"Custom>{key}": value, str(registered(value)): value})
    if not found:
        raise ModelError("defines neither a class nor a function", where=file.name)
    return found


def layers_of_applications() -> dict[str, Any]:
    """The layers that networks of Keras 2's `applications` define for themselves, by class name.

    Its HDF5 files name no modules, and Keras itself does not find these layers again.
    """
    found = {}
    for name, module in APPLICATIONS.items():
        with contextlib.suppress(ImportError, AttributeError):  # another version keeps it elsewhere
            found[name] = getattr(importlib.import_module(f"tf_keras.src.applications.{module}"), name)
    return found
