"""Where the files that ship beside the Python code are: boards, firmware, templates, the licence; and modules that are
found by themselves."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """Folder of the shipped resource `name` ("boards", "firmware" or "templates").

    A wheel carries them inside the package; a source checkout has them at its top level.
    """
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


def declared(package: str, folders: Iterable[str], name: str) -> list[Any]:
    """What modules of a package declare by a name, in the order of the modules: files that are found by themselves.

    Args:
        package, folders: its `__name__` and `__path__`.
    """
    modules = [importlib.import_module(module.name) for module in pkgutil.iter_modules(folders, f"{package}.")]
    return [getattr(module, name) for module in modules if hasattr(module, name)]


@functools.cache
def kernel_headers() -> Mapping[str, Path]:
    """The headers of firmware/kernels by their file names, which are unique over its folders, in alphabetical order."""
    return _headers("kernels", "*/*.h")


@functools.cache
def frontend_headers() -> Mapping[str, Path]:
    """The headers of firmware/frontends by their file names, in alphabetical order."""
    return _headers("frontends", "*.h")


@functools.cache
def decision_headers() -> Mapping[str, Path]:
    """The headers of firmware/decisions by their file names, in alphabetical order."""
    return _headers("decisions", "*.h")


def _headers(folder: str, pattern: str) -> Mapping[str, Path]:
    found = sorted((resource_dir("firmware") / folder).glob(pattern), key=lambda path: path.name)
    return MappingProxyType({path.name: path for path in found})


def licence_text() -> str:
    """The licence that mcugen is under, and the C that it copies into projects."""
    packaged = _PACKAGE / "_data" / "LICENSE"
    path = packaged if packaged.is_file() else _PACKAGE.parent / "LICENSE"
    return path.read_text(encoding="utf-8")
