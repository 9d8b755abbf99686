"""CPU cores: a folder for each kind, with the cores' facts and, in `kernels.py`, the kernel variants made for them.

A folder is found by itself. Its `__init__.py` defines `CORES` and imports nothing heavy, since boards are listed with
it; its `kernels.py`, if there is one, defines `KERNELS` (see `mcugen.ops.variants`).
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from mcugen.cores.types import Core


@functools.cache
def cores() -> Mapping[str, Core]:
    """All cores by name, in alphabetical order."""
    folders = [module.name for module in pkgutil.iter_modules(__path__) if module.ispkg]
    found = [core for folder in folders for core in importlib.import_module(f"{__name__}.{folder}").CORES]
    return MappingProxyType({core.name: core for core in sorted(found, key=lambda core: core.name)})
