"""What is made once for all workers of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock


def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the whole run: each worker of pytest-xdist has one of its own inside."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@contextmanager
def once(folder: Path) -> Iterator[bool]:
    """Whether the caller is the first and fills this folder, which exists. The others wait until it has."""
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / ".made"
    with FileLock(folder / ".lock"):
        first = not done.exists()
        yield first
        if first:
            done.touch()
