"""Text that goes into C files: names and numbers from outside made harmless, arrays made readable."""

from __future__ import annotations

import bisect
import itertools
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KEYWORDS = frozenset(
    [
        "auto",
        "break",
        "case",
        "char",
        "const",
        "continue",
        "default",
        "do",
        "double",
        "else",
        "enum",
        "extern",
        "float",
        "for",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "register",
        "restrict",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "typedef",
        "union",
        "unsigned",
        "void",
        "volatile",
        "while",
        "asm",
        "main",
    ]
)


def identifier(text: str, fallback: str = "model") -> str:
    """A C identifier made from any text: letters, digits and underscores, at most 48 of them."""
    cleaned = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:48].rstrip("_") or fallback
    if cleaned[0].isdigit() or cleaned in _KEYWORDS:
        cleaned = f"{fallback}_{cleaned}"
    return cleaned


def comment(text: str) -> str:
    """Text that is safe inside a C comment: one line of ASCII, no comment marks, no trigraphs."""
    flat = re.sub(r"[^\x20-\x7e]", "?", text)[:160]
    return flat.replace("*/", "*|").replace("/*", "|*").replace("??", "?.").replace("\\", "|")


def string(text: str) -> str:
    """A C string literal, quotes included; bytes outside printable ASCII become octal escapes."""
    out = []
    for byte in text.encode("utf-8")[:160]:
        char = chr(byte)
        if char in '"\\?':
            out.append("\\" + char)
        elif 0x20 <= byte < 0x7F:
            out.append(char)
        else:
            out.append(f"\\{byte:03o}")
    return '"' + "".join(out) + '"'


def float_literal(value: float) -> str:
    """The shortest decimal that reads back as the same float32, with the `f` suffix.

    Infinities and NaN, which have no literal without <math.h>, are quotients that compilers know.
    """
    if math.isnan(value):
        return "(0.0f / 0.0f)"
    number = np.float32(value)
    if np.isinf(number):
        return f"({'-' if value < 0 else ''}1.0f / 0.0f)"
    plain = number == 0 or 1e-4 <= abs(number) < 1e7
    written = np.format_float_positional if plain else np.format_float_scientific
    return f"{written(number, unique=True, trim='0')}f"


def int_literal(value: int) -> str:
    """An int constant; the most negative one has no literal of its own in C."""
    return "(-2147483647 - 1)" if value == -(1 << 31) else str(value)


_SMALL = {value: f"{value}, " for value in range(-128, 256)}
"""Written once: most weights are among them."""


def initializer(values: NDArray[Any], indent: str = "    ", width: int = 100) -> str:
    """The lines between the braces of an array, wrapped and aligned."""
    pieces = _pieces(values.reshape(-1))
    # Where each line ends follows from the lengths: models have hundreds of thousands of weights.
    ends = [*itertools.accumulate(map(len, pieces))]
    lines, start, before = [], 0, 0
    while start < len(pieces):
        end = max(start + 1, bisect.bisect_right(ends, before + width - len(indent), start))
        lines.append(indent + "".join(pieces[start:end]).rstrip())
        start, before = end, ends[end - 1]
    return "\n".join(lines)


def _pieces(flat: NDArray[Any]) -> list[str]:
    """Each value with the comma and the space behind it."""
    if flat.dtype == np.float32:
        return [f"{float_literal(value)}, " for value in flat.tolist()]
    whole = flat if flat.dtype.kind in "iu" else flat.astype(np.int64)
    if whole.itemsize == 1:
        return [*map(_SMALL.__getitem__, whole.tolist())]
    return [f"{int_literal(value)}, " for value in whole.tolist()]
