"""The examples do what they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from tests.cli.conftest import BOARD, ROOT


@pytest.mark.emulator
@pytest.mark.tensorflow
@pytest.mark.xdist_group("tensorflow")
def test_accelerometer(tmp_path: Path) -> None:
    """Trained, deployed and verified; the device tells the motions apart."""
    script = ROOT / "examples" / "accelerometer" / "train.py"
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(tmp_path / "test.npz") as test:
        x, y = test["x"][:100], test["y"][:100]
    proof = api.deploy(
        str(tmp_path / "motions.keras"),
        board=BOARD,
        data=str(tmp_path / "samples.npz"),
        out=tmp_path / "firmware",
        labels="rest,walk,run,shake",
        inputs=x,
    )
    assert proof.verdict.bit_exact
    assert not proof.warnings
    # The samples that judge the model, whose labels came with the data, run before the given inputs.
    outputs = proof.verdict.outputs[-len(x) :]
    answers = np.stack([values[0].reshape(-1) for values in outputs]).argmax(axis=1)
    assert float(np.mean(answers == y)) > 0.9
