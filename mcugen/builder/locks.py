"""A lock between processes."""

from __future__ import annotations

import contextlib
import os
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
                try_to_lock(file)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise ToolError(
                        busy, where=str(path), hint="Wait for the other run to finish, or stop it"
                    ) from None
                time.sleep(0.05)
        yield


_PLACES = 64
"""Windows locks bytes, and each for one process alone: a reader takes one of these, a writer all."""


def try_to_lock(file: IO[str], *, shared: bool = False) -> None:
    """Lock an open file, alone or with others that share it, until it is closed.

    Raises:
        BlockingIOError: somebody else has locked it.
    """
    if os.name == "nt":
        _try_to_lock_bytes(file.fileno(), shared)
        return
    import fcntl

    fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def _try_to_lock_bytes(descriptor: int, shared: bool) -> None:
    import msvcrt  # of Windows alone

    lock, kind = getattr(msvcrt, "locking"), getattr(msvcrt, "LK_NBLCK")  # noqa: B009 (mypy checks for Linux)
    for place in range(_PLACES) if shared else [0]:
        os.lseek(descriptor, place, os.SEEK_SET)
        try:
            lock(descriptor, kind, 1 if shared else _PLACES)
            return
        except OSError:
            continue
    raise BlockingIOError("somebody else has locked it")


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
