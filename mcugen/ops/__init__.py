"""Operators of the ahead-of-time runtime: one module each, found by name."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from mcugen.ops.base import OpSpec

_HELPERS = {"base", "checks", "common", "elementwise", "pools", "weighted", "windows"}


@functools.cache
def registry() -> Mapping[str, OpSpec]:
    """All operators by their TFLite name, in alphabetical order."""
    specs: dict[str, OpSpec] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name in _HELPERS:
            continue
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for spec in getattr(loaded, "SPECS", None) or (loaded.SPEC,):
            specs[spec.kind] = spec
    return MappingProxyType(dict(sorted(specs.items())))
