"""An exported library on disk: written as a whole, and never over somebody else's work."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mcugen import __version__
from mcugen.errors import ProjectError
from mcugen.project.folder import digest, paths_to_keep, replace_folder
from mcugen.project.manifest import MAX_MANIFEST_BYTES, is_inside

EXPORT_MANIFEST = "mcugen-export.json"

SCHEMA = "mcugen.exported/1"


@dataclass(frozen=True)
class ExportedModel:
    """What an export says of one model. Sizes are in bytes."""

    name: str
    title: str
    sha256: str
    arena: int
    weights: int
    ops: int
    macs: int


@dataclass(frozen=True)
class Exported:
    """What an export says about itself; `files` maps every file to its SHA-256."""

    format: str
    name: str
    core: str
    arena: str
    command: str
    models: Sequence[ExportedModel]
    files: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """As JSON carries it."""
        return {"schema": SCHEMA, "mcugen": __version__, **asdict(self)}


def write_exported(out_dir: Path, files: Mapping[str, bytes], facts: Exported, *, force: bool = False) -> Path:
    """Write an export's folder, all or nothing. Returns the folder.

    Args:
        out_dir: absent, empty, or an export of mcugen's, which is replaced.
        force: replace files that the user changed. Files that the user added are kept in any case.

    Raises:
        ProjectError: `out_dir` is not an export of mcugen's, holds changed or added files, or cannot be written.
    """
    folder = out_dir.expanduser().resolve()
    keep = paths_to_keep(folder, EXPORT_MANIFEST, lambda: _written(folder / EXPORT_MANIFEST), force)
    manifest = json.dumps(facts.to_dict(), indent=1, sort_keys=True) + "\n"
    complete = {**files, EXPORT_MANIFEST: manifest.encode()}
    for path in complete:
        if not is_inside(path):
            raise AssertionError(f"emitted path {path!r} leaves the folder")
    replace_folder(folder, complete, [path for path in keep if path not in complete])
    return folder


def hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 by path."""
    return {path: digest(content) for path, content in sorted(files.items())}


def _written(path: Path) -> dict[str, str]:
    """What an earlier export wrote, by its manifest, which may be anything."""
    try:
        data = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size <= MAX_MANIFEST_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise ProjectError("cannot be read", where=str(path)) from error
    files = data.get("files") if isinstance(data, dict) and data.get("schema") == SCHEMA else None
    if not isinstance(files, dict) or not all(
        is_inside(name) and isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value)
        for name, value in files.items()
    ):
        raise ProjectError("is not what an export holds", where=str(path))
    return files
