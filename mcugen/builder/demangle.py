"""Names of C++ as people write them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping

_FILTERS = ("arm-none-eabi-c++filt", "c++filt")
_SECONDS = 20.0


def demangled(names: Iterable[str]) -> Mapping[str, str]:
    """Mangled names and what they mean; without the tool that knows, none."""
    mangled = sorted({name for name in names if name.startswith("_Z")})
    tool = next((found for name in _FILTERS if (found := shutil.which(name)) is not None), None)
    if not mangled or tool is None:
        return {}
    try:
        done = subprocess.run(
            [tool], input="\n".join(mangled), capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    lines = done.stdout.splitlines()
    return dict(zip(mangled, lines, strict=True)) if len(lines) == len(mangled) else {}
