"""Files that can be made again, kept in the user's cache under what they were made from.

Each name is a folder, which is there whole or not at all, and is checked when it is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mcugen.environment import cache_dir

_INDEX = "index.json"


def find_files(kind: str, key: str) -> dict[str, bytes] | None:
    """What was kept under this name; None if nothing was, or if it is damaged. It counts as used just now.

    Args:
        kind: what is kept, as a folder of the cache.
    """
    folder = cache_dir() / kind / key
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        found = {str(name): (folder / str(name)).read_bytes() for name in index}
        if any(hashlib.sha256(content).hexdigest() != index[name] for name, content in found.items()):
            return None
    except (OSError, ValueError, TypeError):
        return None
    with contextlib.suppress(OSError):
        os.utime(folder)
    return found


def keep_files(kind: str, key: str, files: Mapping[str, bytes], *, most_bytes: int) -> None:
    """Keep files, all or none. A cache that cannot be written is none.

    Args:
        most_bytes: of all that is kept of this kind; the longest unused goes first.
    """
    root = cache_dir() / kind
    index = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    with contextlib.suppress(OSError):
        root.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".new-", dir=root))
        try:
            for name, content in files.items():
                (staging / name).write_bytes(content)
            (staging / _INDEX).write_text(json.dumps(index), encoding="utf-8")
            if find_files(kind, key) is None:
                shutil.rmtree(root / key, ignore_errors=True)
            with contextlib.suppress(FileExistsError):
                staging.rename(root / key)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        _make_room(root, most_bytes)


def _make_room(root: Path, most_bytes: int) -> None:
    folders = sorted((each for each in root.iterdir() if each.is_dir()), key=lambda each: each.stat().st_mtime)
    sizes = {folder: sum(file.stat().st_size for file in folder.iterdir()) for folder in folders}
    total = sum(sizes.values())
    for folder in folders[:-1]:
        if total <= most_bytes:
            return
        shutil.rmtree(folder, ignore_errors=True)
        total -= sizes[folder]
