"""Formats that a model is written in, one file each: `FORMAT` in a module here. It is found by itself."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from mcugen.formats.types import Format


@functools.cache
def formats() -> Mapping[str, Format]:
    """All formats by name, in alphabetical order."""
    loaded = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    found = sorted((module.FORMAT for module in loaded if hasattr(module, "FORMAT")), key=lambda format: format.name)
    return MappingProxyType({format.name: format for format in found})
