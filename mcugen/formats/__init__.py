"""Formats that a model is written in, one file each: `FORMAT` in a module here. It is found by itself."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType

from mcugen.formats.types import Format
from mcugen.resources import declared


@functools.cache
def formats() -> Mapping[str, Format]:
    """All formats by name, in alphabetical order."""
    found: list[Format] = sorted(declared(__name__, __path__, "FORMAT"), key=lambda format: format.name)
    return MappingProxyType({format.name: format for format in found})
