"""Names of layers, made short enough for a drawing."""

from __future__ import annotations

from mcugen.text import plain


def tail(name: str, most: int) -> str:
    """The end of a name, which is the part that tells it from others, in at most so many letters."""
    text = plain(name)
    return text if len(text) <= most else "…" + text[-(most - 1) :]


def brief(name: str) -> str:
    """What tells a layer from others: of names that were joined the first, of its path the last two parts."""
    return "/".join(plain(name).split(";")[0].rstrip("/").split("/")[-2:])
