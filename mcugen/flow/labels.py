"""Class names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcugen.errors import DataError

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
