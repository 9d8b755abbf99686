"""Names and numbers from outside cannot break the emitted C."""

from __future__ import annotations

import re
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcugen.emit import c_text


@given(st.text(max_size=80))
def test_identifiers_are_identifiers(text: str) -> None:
    made = c_text.identifier(text)
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", made)
    assert made not in {"int", "while", "main", "return"}


@given(st.text(max_size=80))
def test_comments_stay_on_their_line_and_inside(text: str) -> None:
    made = c_text.comment(text)
    assert made.isascii()
    assert made.isprintable()
    assert not re.search(r"\*/|/\*|\?\?|\\", made)


@pytest.mark.parametrize(
    ("text", "literal"), [('a"b', '"a\\"b"'), ("??/", '"\\?\\?/"'), ("é", '"\\303\\251"'), ("\n", '"\\012"')]
)
def test_strings_are_escaped(text: str, literal: str) -> None:
    assert c_text.string(text) == literal


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float_literals_read_back_exactly(value: float) -> None:
    literal = c_text.float_literal(value)
    assert literal.endswith("f")
    assert struct.pack("f", float(literal[:-1])) == struct.pack("f", value)


@pytest.mark.parametrize(
    ("value", "text"), [(np.inf, "(1.0f / 0.0f)"), (-np.inf, "(-1.0f / 0.0f)"), (np.nan, "(0.0f / 0.0f)")]
)
def test_infinities_and_nan_are_quotients(value: float, text: str) -> None:
    assert c_text.float_literal(value) == text


def test_the_most_negative_int_is_written_as_an_expression() -> None:
    assert c_text.int_literal(-(1 << 31)) == "(-2147483647 - 1)"
    assert c_text.int_literal(-5) == "-5"


def test_arrays_are_wrapped_and_complete() -> None:
    values = np.arange(-100, 100, dtype=np.int8)
    text = c_text.initializer(values)
    assert max(map(len, text.splitlines())) <= 100
    assert [int(v) for v in text.replace("\n", " ").split(",") if v.strip()] == values.tolist()


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "int32", "bool", "float32"])
@pytest.mark.parametrize("width", [8, 40, 100])
def test_lines_are_as_full_as_they_may_be(kind: str, width: int) -> None:
    rng = np.random.default_rng(3)
    values = (rng.normal(size=300) * 1000).astype(kind)
    if kind == "int32":
        values[7] = -(1 << 31)
    write = c_text.float_literal if kind == "float32" else lambda value: c_text.int_literal(int(value))
    lines = [""]
    for value in values:
        if len(lines[-1]) + len(f"{write(value)}, ") > width - 4 and lines[-1]:
            lines.append("")
        lines[-1] += f"{write(value)}, "
    assert c_text.initializer(values, width=width).splitlines() == [f"    {line}".rstrip() for line in lines]
    assert c_text.initializer(values[:0]) == ""
