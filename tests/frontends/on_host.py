"""Front ends' C compiled for this computer, many in one library: the very text that firmware gets."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcugen.environment import find_host_compiler
from mcugen.frontends import FrontEnd
from mcugen.resources import resource_dir

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror", "-pedantic")
INCLUDES = tuple(f"-I{resource_dir('firmware') / name}" for name in ("frontends", "kernels/common"))


def source(front_ends: Sequence[FrontEnd]) -> str:
    """One .c file with functions `reset_I` and `push_I` for each front end."""
    emitted = [front_end.emitted(f"fe{i}") for i, front_end in enumerate(front_ends)]
    parts = [f'#include "{header}"' for header in sorted({one.header for one in emitted})]
    for i, one in enumerate(emitted):
        parts += [
            one.config,
            f"void reset_{i}(void);",
            f"uint32_t push_{i}(const void *frames, uint32_t count, void *row, int *ready);",
            f"void reset_{i}(void) {{ mcg_fe_{one.kind}_reset(&fe{i}, &fe{i}_state); }}",
            f"uint32_t push_{i}(const void *frames, uint32_t count, void *row, int *ready) {{",
            f"  return mcg_fe_{one.kind}_push(&fe{i}, &fe{i}_state, frames, count, row, ready);",
            "}",
        ]
    return "\n".join(parts) + "\n"


def compiled(folder: Path, text: str, *flags: str) -> ctypes.CDLL:
    """A library of one .c file, without warnings."""
    compiler = find_host_compiler()
    assert compiler is not None
    path, library = folder / "frontends.c", folder / "libfrontends.so"
    path.write_text(text)
    command = [compiler, *WARNINGS, "-O1", *INCLUDES, "-shared", "-fPIC", "-o", str(library), str(path), *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    return ctypes.CDLL(str(library))


class HostFrontEnds:
    """Several front ends, at work on this computer."""

    def __init__(self, folder: Path, front_ends: Sequence[FrontEnd], *flags: str) -> None:
        self._front_ends = list(front_ends)
        self._library = compiled(folder, source(front_ends), *flags)
        shapes = [front_end.rows() for front_end in front_ends]
        self._memory = [np.zeros(rows.shape, rows.dtype) for rows in shapes]
        for i in range(len(self._front_ends)):
            getattr(self._library, f"push_{i}").restype = ctypes.c_uint32

    def reset(self, index: int = 0) -> None:
        getattr(self._library, f"reset_{index}")()

    def push(self, frames: NDArray, index: int = 0) -> NDArray:
        """The rows that the frames complete."""
        rows = self._front_ends[index].rows()
        push = getattr(self._library, f"push_{index}")
        frames = np.ascontiguousarray(frames)
        row, ready, made, at = self._memory[index], ctypes.c_int(0), [], 0
        while at < len(frames):
            rest = frames[at:]
            took = push(
                rest.ctypes.data_as(ctypes.c_void_p),
                ctypes.c_uint32(len(rest)),
                row.ctypes.data_as(ctypes.c_void_p),
                ctypes.byref(ready),
            )
            assert 0 < took <= len(rest)
            assert ready.value or took == len(rest)
            at += took
            if ready.value:
                made.append(row.copy())
        return np.array(made, rows.dtype).reshape(-1, *rows.shape)


def chunks(frames: NDArray, rng: np.random.Generator) -> Iterable[NDArray]:
    """The frames in pieces of random sizes, none among them."""
    at = 0
    while at < len(frames):
        size = int(rng.choice([0, 1, 2, 3, 7, 50, 160, 1000]))
        yield frames[at : at + size]
        at += size
