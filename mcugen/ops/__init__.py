"""Operators of the ahead-of-time runtime: one module each, found by name."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from mcugen.ops.base import OpSpec


@functools.cache
def registry() -> Mapping[str, OpSpec]:
    """All operators by their TFLite name, in alphabetical order.

    Modules without a `SPEC` (one op) or `SPECS` (several) hold what ops share.
    """
    specs: dict[str, OpSpec] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for spec in getattr(loaded, "SPECS", None) or filter(None, [getattr(loaded, "SPEC", None)]):
            specs[spec.kind] = spec
    return MappingProxyType(dict(sorted(specs.items())))
