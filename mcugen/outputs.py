"""What verbs write goes out here: whole or not at all, never over what was read, and never in place of a device."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcugen.errors import ProjectError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check_output(path: Path, *, inputs: Sequence[str | Path | None] = ()) -> None:
    """Refuse an output file that cannot be written, before the work that it would hold is done.

    Raises:
        ProjectError: `path` is one of the `inputs`, a folder, a disk or a socket, or in a folder that does not exist.
    """
    for given in inputs:
        if given is not None and path.exists() and Path(given).exists() and path.samefile(given):
            raise ProjectError("the output would overwrite the input", where=str(path), hint="Choose another name")
    if path.is_dir():
        raise ProjectError("is a folder, not a file", where=str(path), hint="Pass the name of a file")
    if path.is_block_device() or path.is_socket():
        raise ProjectError("is neither a file nor a stream", where=str(path), hint="Pass the name of a file")
    parent = Path(os.path.realpath(path)).parent
    if not parent.is_dir():
        raise ProjectError(
            "its folder does not exist", where=str(path), hint=f"Create it: mkdir -p {shlex.quote(str(parent))}"
        )


def write_file(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there, so that nobody sees half of it.

    A link stays one: the file that it points to is replaced. What is no file (/dev/stdout, a FIFO) is written through.

    Raises:
        ProjectError: the file system refuses, or `path` cannot be written to.
    """
    check_output(path)
    with writing(path):
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            with path.open("wb") as stream:
                stream.write(content)
        else:
            _replace(Path(os.path.realpath(path)), content)


def _replace(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:100]}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


@contextlib.contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """What the file system says against writing to `path`, within, in a person's words.

    Raises:
        ProjectError: it refuses. A reader that has gone (BrokenPipeError) is no error of the file system.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ProjectError(
            f"cannot be written: {error.strerror or error}", where=str(path), hint="Check the disk and its rights"
        ) from error


def write_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """Arrays of numbers as a `.npz` file. `np.savez` itself can be told not to pickle from NumPy 2.1 on only.

    Raises:
        ValueError: one that holds objects.
    """
    import numpy as np

    objects = [name for name, array in arrays.items() if array.dtype.hasobject]
    if objects:
        raise ValueError(f"{', '.join(objects)} would be pickled")
    given: dict[str, Any] = {**arrays}
    np.savez(str(path), **given)


@contextlib.contextmanager
def temporary_folder(prefix: str = "mcugen-") -> Iterator[Path]:
    """A folder that is gone afterwards, also when Ctrl-C comes while it is removed."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        with _undisturbed():
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals that would end us wait."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _StandardOutput(io.TextIOWrapper):
    """Says once that it cannot be written to; what comes later is thrown away."""

    def write(self, text: str) -> int:
        with _once():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with _once():
            super().flush()


class _StandardError(io.TextIOWrapper):
    """Throws away what it cannot write: there is no place left to say so."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            super().flush()


@contextlib.contextmanager
def _once() -> Iterator[None]:
    try:
        with writing("standard output"):
            yield
    except ProjectError:
        forget_standard_output()
        raise


def guard_standard_streams() -> None:
    """Let nothing that is printed end in a traceback: a full disk is said, a missing encoding replaced by "?".

    Where a stream was closed by the caller, what is written to it is thrown away. Its number is taken, so that no file
    that is opened later gets what somebody prints.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    for name, number, kind in (("stdout", 1, _StandardOutput), ("stderr", 2, _StandardError)):
        stream = getattr(sys, name)
        if stream is None:
            stream = os.fdopen(number, "w", encoding="utf-8", closefd=False)
        if type(stream) is io.TextIOWrapper:
            encoding, line_buffering = stream.encoding, stream.line_buffering
            stream.flush()
            stream = kind(stream.detach(), encoding=encoding, errors="replace", line_buffering=line_buffering)
        setattr(sys, name, stream)


def forget_standard_output() -> None:
    """Throw away what is still to be written: nobody reads it, and Python would complain when it exits."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
