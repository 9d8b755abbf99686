"""The user's own PlatformIO, for boards whose firmware starts with a framework from PlatformIO's registry.

mcugen downloads nothing: platforms, compilers and frameworks of hundreds of megabytes are installed by the user's
command, once, and found here.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from mcugen.boards.types import Framework
from mcugen.errors import ToolError


def user_core_dir() -> Path:
    """PlatformIO's core folder of this user: `$PLATFORMIO_CORE_DIR`, else ~/.platformio."""
    named = os.environ.get("PLATFORMIO_CORE_DIR")
    return Path(named).expanduser() if named else Path.home() / ".platformio"


def require_platform(framework: Framework, where: str) -> Path:
    """The user's core folder, if the framework's platform is installed there.

    Args:
        where: the project, for messages.

    Raises:
        ToolError: it is not, with the command that installs it.
    """
    core = user_core_dir()
    name = platform_name(framework)
    if name not in _installed(core):
        raise ToolError(
            f"PlatformIO's platform {name}, which brings this board's compiler and framework, is not installed",
            where=where,
            hint=f"With access to PlatformIO's registry, run once: pio pkg install -g -p {framework.platform}. "
            "On another computer, pio run in the project's folder builds it without mcugen",
        )
    return core


def platform_name(framework: Framework) -> str:
    """The platform's own name: "espressif32" of "platformio/espressif32@^6", "raspberrypi" of
    "https://github.com/…/platform-raspberrypi.git"."""
    last = framework.platform.rsplit("/", 1)[-1]
    return re.sub(r"^platform-|\.git(#.*)?$|@.*$", "", last)


def _installed(core: Path) -> set[str]:
    """Names of the platforms in a core folder. Damaged ones do not count."""
    found = set()
    for manifest in core.glob("platforms/*/platform.json"):
        try:
            facts = json.loads(manifest.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(facts, dict):
            found.add(facts.get("name"))
    return {name for name in found if isinstance(name, str)}
