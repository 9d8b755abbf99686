"""Every package can be imported first: there is no circle that only works in one order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(
    {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "mcugen").rglob("__init__.py")}
    | {
        "mcugen.ops.base",
        "mcugen.ops.common",
        "mcugen.cli",
        "mcugen.api",
        "mcugen.boards.shipped",
        "mcugen.project.project",
    }
)


@pytest.mark.parametrize("module", MODULES)
def test_imports_first(module: str) -> None:
    command = [sys.executable, "-c", f"import {module}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


HEAVY = ("pydantic", "tflite_micro", "tensorflow", "mcugen.report", "mcugen.monitor", "typer.rich_utils")
"""What a verb on a `.tflite` has no need of."""


def test_a_verb_imports_nothing_heavy_that_it_does_not_need(tmp_path: Path) -> None:
    """Each takes as long as a model's whole way to C."""
    from tests.cli.conftest import int8_model

    model = tmp_path / "model.tflite"
    model.write_bytes(int8_model())
    command = ["inspect", str(model), "--json"]
    program = f"import sys, mcugen.cli; mcugen.cli.run({command!r}); print([n for n in {HEAVY!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout
