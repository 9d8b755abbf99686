"""Float models that TensorFlow made before: importing it takes longer than everything else of a deploy together.

What is kept belongs to the content of the model file, to the versions of TensorFlow and Keras, and to the code that
converted it. Nothing is kept of a model that was refused.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mcugen.convert.types import Attempt, OwnScaling
from mcugen.environment import cache_dir

KEEP_VARIABLE = "MCUGEN_KEEP_CONVERTED"
"""0 keeps nothing, and looks for nothing."""

MOST_BYTES = 1 << 30
"""Of all that is kept together; the longest unused goes first."""

_MODEL, _FACTS = "float.tflite", "facts.json"
_PACKAGES = ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tensorflow-macos", "tf-nightly")
_KERAS = ("keras", "tf_keras")


@dataclass(frozen=True, eq=False)
class Kept:
    """What a conversion gave: the float32 `.tflite`, the ways that were tried, what its layers do with the input."""

    tflite: bytes
    attempts: tuple[Attempt, ...]
    scaling: OwnScaling | None


def read_scaling(described: Mapping[str, Any] | None) -> OwnScaling | None:
    """The scaling that JSON describes."""
    if described is None:
        return None
    return OwnScaling(float(described["scale"]), str(described["layer"]), float(described["offset"]))


def kept_key(kind: str, path: Path, own: Path | None, *, trusted: bool) -> str:
    """What a conversion depends on, as one name; "" where nothing is kept.

    Args:
        own: the user's Python file with layers of the model.
    """
    versions = _versions()
    if os.environ.get(KEEP_VARIABLE) == "0" or not versions:
        return ""
    found = hashlib.sha256(json.dumps([kind, trusted, versions, _code()]).encode())
    for root in (path, *([] if own is None else [own])):
        files = sorted(each for each in root.rglob("*") if each.is_file()) if root.is_dir() else [root]
        found.update(json.dumps([[str(file.relative_to(root)), _digest(file)] for file in files]).encode())
    return found.hexdigest()


def find_kept(key: str) -> Kept | None:
    """What was kept by this name; None if nothing was, or if it is damaged."""
    folder = _folder() / key
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        tflite = (folder / _MODEL).read_bytes()
        if hashlib.sha256(tflite).hexdigest() != facts["sha256"]:
            return None
        attempts = tuple(Attempt(str(step), str(outcome)) for step, outcome in facts["attempts"])
        found = Kept(tflite, attempts, read_scaling(facts["scaling"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    with contextlib.suppress(OSError):
        os.utime(folder)  # used just now
    return found


def keep(key: str, kept: Kept) -> None:
    """Keep a conversion, whole or not at all. A cache that cannot be written is none."""
    facts = {
        "sha256": hashlib.sha256(kept.tflite).hexdigest(),
        "attempts": [[attempt.step, attempt.outcome] for attempt in kept.attempts],
        "scaling": asdict(kept.scaling) if kept.scaling else None,
    }
    with contextlib.suppress(OSError):
        _folder().mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".new-", dir=_folder()))
        try:
            (staging / _MODEL).write_bytes(kept.tflite)
            (staging / _FACTS).write_text(json.dumps(facts), encoding="utf-8")
            with contextlib.suppress(FileExistsError):
                staging.rename(_folder() / key)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        _make_room()


def _digest(file: Path) -> str:
    found = hashlib.sha256()
    with file.open("rb") as stream:
        while part := stream.read(1 << 20):
            found.update(part)
    return found.hexdigest()


def _make_room() -> None:
    folders = sorted((each for each in _folder().iterdir() if each.is_dir()), key=lambda each: each.stat().st_mtime)
    sizes = {folder: sum(file.stat().st_size for file in folder.iterdir()) for folder in folders}
    total = sum(sizes.values())
    for folder in folders[:-1]:
        if total <= MOST_BYTES:
            return
        shutil.rmtree(folder, ignore_errors=True)
        total -= sizes[folder]


def _folder() -> Path:
    return cache_dir() / "converted"


def _versions() -> list[str]:
    """Of TensorFlow and Keras; empty where TensorFlow is not installed."""
    found = {}
    for name in (*_PACKAGES, *_KERAS):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return [f"{name} {version}" for name, version in found.items()] if found.keys() & set(_PACKAGES) else []


@functools.cache
def _code() -> str:
    """Changes with what converts and what checks."""
    found = hashlib.sha256()
    here = Path(__file__).parent
    for folder in (here, here.parent / "guard", here.parent / "tflite"):
        for file in sorted(folder.glob("*.py")):
            found.update(file.read_bytes())
    return found.hexdigest()
