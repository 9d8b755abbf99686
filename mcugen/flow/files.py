"""Files that verbs write: whole or not at all, and never over what was read."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mcugen.errors import DataError, ProjectError


def check_output(path: Path, *, inputs: Sequence[str | Path | None] = ()) -> None:
    """Refuse an output file that cannot be written, before the work that it would hold is done.

    Raises:
        ProjectError: `path` is one of the `inputs`, a folder, or in a folder that does not exist.
    """
    for given in inputs:
        if given is not None and path.exists() and Path(given).exists() and path.samefile(given):
            raise ProjectError("the output would overwrite the input", where=str(path), hint="Choose another name")
    if path.is_dir():
        raise ProjectError("is a folder, not a file", where=str(path), hint="Pass the name of a file")
    if not path.absolute().parent.is_dir():
        raise ProjectError(
            "its folder does not exist", where=str(path), hint=f"Create it: mkdir -p {path.absolute().parent}"
        )


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there, so that nobody sees half of it.

    Raises:
        ProjectError: the file system refuses.
    """
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.absolute().parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
        temporary = None
    except OSError as error:
        raise ProjectError(f"cannot be written: {error.strerror}", where=str(path)) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()


MAX_LABELS = 10_000
MAX_LABEL_LENGTH = 100


def read_labels(source: str | Sequence[str] | None) -> tuple[str, ...]:
    """Class names from a text file (one per line), a list with commas, or a sequence.

    Raises:
        DataError: no names, too many, too long, or a file that is no text.
    """
    if source is None:
        return ()
    where = ""
    if isinstance(source, str):
        path = Path(source)
        if "," not in source or path.is_file():
            where = source
            try:
                lines = path.read_text(encoding="utf-8").splitlines()
            except OSError as error:
                raise DataError(
                    f"the labels cannot be read: {error.strerror}",
                    where=source,
                    hint='Pass a text file with one name per line, or the names with commas: `labels="cat,dog"`',
                ) from error
            except UnicodeDecodeError as error:
                raise DataError("the labels are not UTF-8 text", where=source) from error
        else:
            lines = source.split(",")
    else:
        lines = list(source)
    labels = tuple(line.strip() for line in lines if line.strip())
    if not labels or len(labels) > MAX_LABELS:
        raise DataError(f"{len(labels)} labels; 1 to {MAX_LABELS} are possible", where=where)
    if too_long := next((label for label in labels if len(label) > MAX_LABEL_LENGTH), None):
        raise DataError(f"the label {too_long[:30]!r}… is longer than {MAX_LABEL_LENGTH} characters", where=where)
    return labels
