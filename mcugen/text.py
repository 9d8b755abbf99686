"""Plain text for the terminal: names made harmless, numbers made readable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def plain(text: str) -> str:
    """`text` without anything that a terminal would obey: control and invisible characters become escapes."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def tail(name: str, most: int) -> str:
    """A layer's name in at most so many characters, shortened from the left: its end tells it from others."""
    return name if len(name) <= most else "…" + name[len(name) - most + 1 :]


def enumerated(items: Sequence[str], most: int = 3) -> str:
    """Some names in a sentence: "a, b and c", or "a, b, c and 4 more"."""
    if len(items) > most:
        return f"{', '.join(items[:most])} and {len(items) - most} more"
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


class Brief:
    """A result whose repr has a line or a few: the facts of its `to_dict()` that stand alone, and how many others."""

    MOST = 300

    def to_dict(self) -> dict[str, Any]:
        """The facts."""
        raise NotImplementedError

    def __repr__(self) -> str:
        words = [f"{name}={fact}" for name, value in self.to_dict().items() if (fact := _fact(name, value))]
        text = f"{type(self).__name__}({', '.join(words)})"
        return text if len(text) <= self.MOST else text[: self.MOST - 2] + "…)"


def _fact(name: str, value: object) -> str:
    """A fact in a few letters; "" where it says nothing."""
    if name in ("schema", "mcugen") or value in (None, "", [], {}):
        return ""
    if isinstance(value, dict):
        said = next((value[key] for key in ("name", "total") if key in value), None)
        return repr(said) if isinstance(said, str | int) else "{…}"
    if isinstance(value, list | tuple):
        return f"[{len(value)}]"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:28]}…{text[-28:]}"


def number(value: int) -> str:
    """An integer with thousands separated: 12,501,632."""
    return f"{value:,}"


def size(value: int) -> str:
    """Bytes, exact up to 9,999 B, then in KiB or MiB as well: "54,016 B (52.8 KiB)"."""
    exact = f"{value:,} B"
    if value < 10_000:
        return exact
    if value < 1 << 20:
        return f"{exact} ({value / 1024:.1f} KiB)"
    return f"{exact} ({value / (1 << 20):.2f} MiB)"


def memory(value: int) -> str:
    """A memory's size, which is a round number: 256 KiB, 4 MiB."""
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= unit and value % unit == 0:
            return f"{value // unit} {name}"
    return f"{value:,} B"


def share(part: int, whole: int) -> str:
    """A percentage: "12 %", "<1 %"."""
    if whole <= 0:
        return "–"
    percent = 100 * part / whole
    return "<1 %" if 0 < percent < 1 else f"{percent:.0f} %"


def per_mac(cost: int, macs: int) -> str:
    """Cost per multiply-accumulate: "1.13", or nothing where there are none."""
    return f"{cost / macs:.2f}" if macs else ""


def bar(fraction: float, width: int) -> str:
    """A horizontal bar of block characters, `width` columns at fraction 1."""
    eighths = round(max(0.0, min(1.0, fraction)) * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[rest]
