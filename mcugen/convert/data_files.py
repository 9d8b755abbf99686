"""Readers for NumPy files. Never pickles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.errors import DataError
from mcugen.reading import parsing, unpacked_bytes

_MAX_BYTES = 1 << 30


def read_npy(path: Path) -> NDArray[Any]:
    """A `.npy` array, mapped and not read as far as possible.

    Raises:
        DataError: damaged, or Python objects.
    """
    with parsing(lambda error: _damaged(path, error)):
        # Mapping checks the header's shape against the file's size before any memory is taken.
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a `.npz`.

    Raises:
        DataError: damaged, too large, or Python objects.
    """
    with parsing(lambda error: _damaged(path, error)):
        size = unpacked_bytes(path)
        if size > _MAX_BYTES:
            raise DataError(
                f"unpacks to {size / (1 << 30):.1f} GB, more than {_MAX_BYTES >> 30} GB",
                where=str(path),
                hint="Pass fewer samples (200 are used), or one array as .npy, which is not read whole",
            )
        with np.load(path, allow_pickle=False) as stored:
            loaded = {key: stored[key] for key in stored.files}
    return {key: array for key, array in loaded.items() if isinstance(array, np.ndarray)}


def _damaged(path: Path, error: Exception) -> DataError:
    # numpy takes whatever it does not know for a pickle; real ones begin with their protocol's opcode.
    numpy_or_pickle = path.read_bytes()[:1] in (b"\x93", b"\x80", b"P")
    if numpy_or_pickle and any(word in str(error).lower() for word in ("pickle", "python objects")):
        return DataError(
            "holds Python objects, which are not loaded (they could run code)",
            where=str(path),
            hint="Save plain number arrays: np.savez(path, x=np.asarray(x, dtype='float32'))",
        )
    return DataError("is truncated, corrupted, or not a NumPy file", where=str(path), hint="Save it again")
