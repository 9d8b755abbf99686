"""Tests on real models that are absent are left out, counted and named; those on the zoo stay."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

TESTS = """
import pytest
from tests import zoo
from tests.models import both, model_bytes, real

@pytest.mark.parametrize("name", both(["sine"], ["present", "absent"]))
def test_either(name):
    assert len(model_bytes(name)) > 0

@real("absent.h5")
def test_only_real():
    raise AssertionError("it cannot run")
"""


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "with workers"])
def test_absent_real_models_are_one_line_of_the_summary(workers: tuple[str, ...], tmp_path: Path) -> None:
    if workers:
        pytest.importorskip("xdist")
    (tmp_path / "present.tflite").write_bytes(b"a model")
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.conftest", *workers]
    done = subprocess.run(
        [
            *command,
            "--rootdir",
            str(tmp_path),
            "-W",
            "ignore",
            "-o",
            "markers=real_model",
            str(tmp_path / "test_it.py"),
        ],
        env={**os.environ, "MCUGEN_MODELS": str(tmp_path), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert re.search(
        r"the real models are absent \(absent\.h5, absent\.tflite in .*\): 2 tests on them were left out", done.stdout
    )
    assert "skipped" not in done.stdout
