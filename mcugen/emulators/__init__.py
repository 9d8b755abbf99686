"""Emulators, one file each: `EMULATOR` in a module here. It is found by itself."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType

from mcugen.emulators.types import Emulator
from mcugen.resources import declared

DEFAULT = "qemu"
"""The emulator that runs a board where none is named."""


@functools.cache
def emulators() -> Mapping[str, Emulator]:
    """All emulators by name, the default one first, the others in alphabetical order."""
    found = {emulator.name: emulator for emulator in declared(__name__, __path__, "EMULATOR")}
    return MappingProxyType({name: found[name] for name in sorted(found, key=lambda name: (name != DEFAULT, name))})
