"""The table of models out of the ordinary: each row names a test that is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs/YOUR_MODEL.md").read_text(encoding="utf-8")
SECTION = PAGE.split("## Models out of the ordinary\n")[1].split("\n## ")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in SECTION.splitlines() if "tests/" in line]
SUBJECTS = (
    "flex", "open dimensions", "sparse", "int4", "512 classes", "signatures", "uint8", "metadata", "another order",
    "preprocessing",
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_row_is_proved(row: list[str]) -> None:
    _, works, proof = row
    match = re.fullmatch(r"`(tests/[\w/]+\.py)::(\w+)`", proof)
    assert match is not None, proof
    tree = ast.parse((ROOT / match[1]).read_text(encoding="utf-8"))
    assert match[2] in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert re.match(r"(yes|no)\b|the first|the same|`serving_default`", works), works


@pytest.mark.parametrize("subject", SUBJECTS)
def test_what_people_ask_for_is_there(subject: str) -> None:
    assert any(subject in row[0].lower() for row in ROWS)
