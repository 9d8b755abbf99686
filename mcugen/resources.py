"""Where the files that ship beside the Python code are: boards, firmware, templates, the licence."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """Folder of the shipped resource `name` ("boards", "firmware" or "templates").

    A wheel carries them inside the package; a source checkout has them at its top level.
    """
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


@functools.cache
def kernel_headers() -> Mapping[str, Path]:
    """The headers of firmware/kernels by their file names, which are unique over its folders, in alphabetical order."""
    found = sorted((resource_dir("firmware") / "kernels").glob("*/*.h"), key=lambda path: path.name)
    return MappingProxyType({path.name: path for path in found})


@functools.cache
def frontend_headers() -> Mapping[str, Path]:
    """The headers of firmware/frontends by their file names, in alphabetical order."""
    found = sorted((resource_dir("firmware") / "frontends").glob("*.h"))
    return MappingProxyType({path.name: path for path in found})


@functools.cache
def decision_headers() -> Mapping[str, Path]:
    """The headers of firmware/decisions by their file names, in alphabetical order."""
    found = sorted((resource_dir("firmware") / "decisions").glob("*.h"))
    return MappingProxyType({path.name: path for path in found})


def licence_text() -> str:
    """The licence that mcugen is under, and the C that it copies into projects."""
    packaged = _PACKAGE / "_data" / "LICENSE"
    path = packaged if packaged.is_file() else _PACKAGE.parent / "LICENSE"
    return path.read_text(encoding="utf-8")
