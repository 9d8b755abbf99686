"""Emulators, one file each: `EMULATOR` in a module here. It is found by itself."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from mcugen.emulators.types import Emulator

DEFAULT = "qemu"
"""The emulator that runs a board where none is named."""


@functools.cache
def emulators() -> Mapping[str, Emulator]:
    """All emulators by name, the default one first, the others in alphabetical order."""
    loaded = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    found = {module.EMULATOR.name: module.EMULATOR for module in loaded if hasattr(module, "EMULATOR")}
    return MappingProxyType({name: found[name] for name in sorted(found, key=lambda name: (name != DEFAULT, name))})
