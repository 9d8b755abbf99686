"""Who uses a project's folder: many may read and run it at a time, one alone may write it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcugen.builder.locks import open_lock, try_to_lock
from mcugen.environment import UNWRITABLE_CACHE, cache_dir
from mcugen.errors import ProjectError


@contextmanager
def using(folder: Path, *, writing: bool = False) -> Iterator[None]:
    """Use a project's folder, within. It ends with the process, whatever happens to that.

    The lock lies in the user's cache, not in the folder: that is replaced as a whole when it is written.

    Args:
        writing: replace the folder, so that nobody else may use it.

    Raises:
        ProjectError: another process uses it.
        ToolError: the user's cache cannot be written.
    """
    name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:32]
    path = cache_dir() / "locks" / name
    with open_lock(path, unwritable=UNWRITABLE_CACHE) as file:
        try:
            try_to_lock(file, shared=not writing)
        except BlockingIOError:
            raise ProjectError(
                "another mcugen is using this folder",
                where=str(folder),
                hint="Wait until it is done, or choose another folder with `out`",
            ) from None
        yield
