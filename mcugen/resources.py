"""Where the files that ship beside the Python code are: boards, firmware, templates."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """Folder of the shipped resource `name` ("boards", "firmware" or "templates").

    A wheel carries them inside the package; a source checkout has them at its top level.
    """
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name
