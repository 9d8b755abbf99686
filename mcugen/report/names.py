"""Names of layers, made short enough for a drawing."""

from __future__ import annotations

from mcugen import text
from mcugen.text import plain


def tail(name: str, most: int) -> str:
    """The end of a name, which is the part that tells it from others, in at most so many letters."""
    return text.tail(plain(name), most)


def brief(name: str) -> str:
    """What tells a layer from others: of names that were joined the first, of its path the last two parts."""
    return "/".join(plain(name).split(";")[0].rstrip("/").split("/")[-2:])
