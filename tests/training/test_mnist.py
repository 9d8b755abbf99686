"""The short form of `make train-mnist`: LeNet learns real digits in the memory of an emulated Cortex-M7."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.emulator, pytest.mark.tensorflow]


def test_lenet_learns_beside_tensorflow(tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    course = ["--short", "--epochs", "1", "--digits", "64", "--rate", "0.005", "--moved", "0", "--least", "0.15"]
    command = [sys.executable, str(ROOT / "benchmarks" / "train_mnist.py"), *course, "--json", str(found)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if "names no folder with it" in ran.stderr:
        pytest.skip(f"the digits cannot be fetched: {ran.stderr.strip().splitlines()[-1]}")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    facts = json.loads(found.read_text())
    assert facts["reference"] == {"epochs": 1, "equal": True}
    assert facts["steps"] == 64
    assert facts["device"][0] == pytest.approx(facts["tensorflow"][0], abs=0.02)
