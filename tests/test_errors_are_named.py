"""Tests of errors say which error: a test must not pass because something else failed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent

UNNAMED = {"KeyboardInterrupt", "ProcessLookupError"}
"""Exceptions that have one cause in a test, and no words."""


def unnamed(source: str) -> Iterator[int]:
    """Lines of `pytest.raises` without `match` whose error is not looked at afterwards."""
    for node in ast.walk(ast.parse(source)):
        for item in node.items if isinstance(node, ast.With) else ():
            call = item.context_expr
            if not (isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.raises"):
                continue
            named = item.optional_vars is not None or any(keyword.arg == "match" for keyword in call.keywords)
            if not named and ast.unparse(call.args[0]) not in UNNAMED:
                yield call.lineno


@pytest.mark.parametrize("area", sorted({path.parent for path in TESTS.rglob("*.py")}), ids=lambda area: area.name)
def test_errors_are_named(area: Path) -> None:
    found = [(path.name, line) for path in sorted(area.glob("*.py")) for line in unnamed(path.read_text("utf-8"))]
    assert found == []


def test_an_unnamed_error_is_found() -> None:
    assert list(unnamed("with pytest.raises(ValueError):\n    f()\n")) == [1]
    assert list(unnamed("with pytest.raises(ValueError, match='x'):\n    f()\n")) == []
    assert list(unnamed("with pytest.raises(ValueError) as error:\n    f()\n")) == []
