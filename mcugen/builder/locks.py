"""A lock between processes."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mcugen.errors import ToolError


@contextlib.contextmanager
def file_lock(path: Path, *, timeout: float, busy: str, unwritable: str) -> Iterator[None]:
    """Hold an exclusive lock on `path` (made if absent). It ends with the process, whatever happens to that.

    Args:
        timeout: seconds to wait for another holder.
        busy: what is wrong if it does not let go, for the message.
        unwritable: what to try if the file cannot be made, for the message.

    Raises:
        ToolError: the file cannot be made, or the wait was too long.
    """
    with open_lock(path, unwritable=unwritable) as file:
        end = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise ToolError(
                        busy, where=str(path), hint="Wait for the other run to finish, or stop it"
                    ) from None
                time.sleep(0.05)
        yield


def open_lock(path: Path, *, unwritable: str) -> IO[str]:
    """The file to lock, made if absent.

    Raises:
        ToolError: it cannot be made; `unwritable` says what to try.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a")
    except OSError as error:
        raise ToolError(f"cannot write there: {error.strerror}", where=str(path), hint=unwritable) from error
