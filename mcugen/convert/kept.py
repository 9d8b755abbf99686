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
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mcugen.cache import find_files, keep_files
from mcugen.convert.types import Attempt, OwnScaling

KEEP_VARIABLE = "MCUGEN_KEEP_CONVERTED"
"""0 keeps nothing, and looks for nothing."""

MOST_BYTES = 1 << 30
"""Of all that is kept together; the longest unused goes first."""

_KIND, _MODEL, _FACTS = "converted", "float.tflite", "facts.json"
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
    found = find_files(_KIND, key)
    if found is None:
        return None
    try:
        facts = json.loads(found[_FACTS])
        attempts = tuple(Attempt(str(step), str(outcome)) for step, outcome in facts["attempts"])
        return Kept(found[_MODEL], attempts, read_scaling(facts["scaling"]))
    except (ValueError, KeyError, TypeError):
        return None


def keep(key: str, kept: Kept) -> None:
    """Keep a conversion, whole or not at all. A cache that cannot be written is none."""
    facts = {
        "attempts": [[attempt.step, attempt.outcome] for attempt in kept.attempts],
        "scaling": asdict(kept.scaling) if kept.scaling else None,
    }
    keep_files(_KIND, key, {_MODEL: kept.tflite, _FACTS: json.dumps(facts).encode()}, most_bytes=MOST_BYTES)


def _digest(file: Path) -> str:
    found = hashlib.sha256()
    with file.open("rb") as stream:
        while part := stream.read(1 << 20):
            found.update(part)
    return found.hexdigest()


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
