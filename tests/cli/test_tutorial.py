"""The tutorial's notebook runs from its first cell to its last, and is kept without outputs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ROOT

NOTEBOOK = ROOT / "examples" / "tutorial" / "tutorial.ipynb"
CELLS: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]

_RUN = """
import ast, json, sys
names = {}
for number, source in enumerate(json.load(sys.stdin)):
    tree = ast.parse(source, f"cell {number}")
    # As a notebook does: what the last line is, is shown.
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, f"cell {number}", "exec"), names)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
        if value is not None:
            print(repr(value))
"""


def test_it_holds_no_outputs() -> None:
    assert CELLS
    for cell in CELLS:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


@pytest.mark.emulator
@pytest.mark.tensorflow
@pytest.mark.xdist_group("tensorflow")
def test_it_runs(tmp_path: Path) -> None:
    sources = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]
    done = subprocess.run(
        [sys.executable, "-c", _RUN],
        input=json.dumps(sources),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "<Proof digits on mps2-an386: passed" in done.stdout
    assert "<Proof movement on mps2-an386: passed" in done.stdout
    assert "int8     on the device  accuracy 9" in done.stdout
    assert "the device reads" in done.stdout
    assert (tmp_path / "tutorial-out" / "report.html").stat().st_size > 10_000
