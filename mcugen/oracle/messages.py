"""What the oracle and its process say to each other.

A message is a line of JSON, then the raw bytes of the arrays that the line describes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray


def write_message(stream: IO[bytes], header: dict[str, Any], arrays: Sequence[NDArray[Any]]) -> None:
    """Send a header and arrays."""
    described = [{"dtype": a.dtype.str, "shape": list(a.shape)} for a in arrays]
    stream.write(json.dumps({**header, "arrays": described}).encode() + b"\n")
    for array in arrays:
        stream.write(np.ascontiguousarray(array).tobytes())
    stream.flush()


def read_message(stream: IO[bytes]) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Receive a header and arrays.

    Raises:
        EOFError: the other end is gone.
    """
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    header = json.loads(line)
    arrays = []
    for description in header["arrays"]:
        dtype, shape = np.dtype(description["dtype"]), description["shape"]
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        raw = stream.read(size)
        if len(raw) != size:
            raise EOFError
        arrays.append(np.frombuffer(raw, dtype).reshape(shape))
    return header, arrays
