"""Files from outside are read here: whatever a parser makes of a damaged one becomes one refusal."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mcugen.errors import McugenError


@contextmanager
def parsing(refusal: Callable[[Exception], Exception]) -> Iterator[None]:
    """Parse what somebody else wrote, within; nothing else should stand there.

    Parsers raise whatever the damage leads them to: over a bad `.npz` alone zlib.error, TokenError,
    NotImplementedError and OverflowError were seen. No list of exceptions is complete.

    Args:
        refusal: makes the error that is raised for whatever was raised.
    """
    try:
        yield
    except McugenError:
        raise
    except Exception as error:
        raise refusal(error) from error


def unpacked_bytes(path: Path) -> int:
    """Size of everything in a zip archive, as it says itself; members are read no further than that."""
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist())
