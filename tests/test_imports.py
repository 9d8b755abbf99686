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
