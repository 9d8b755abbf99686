"""The recipes from their data to an emulated board: accuracy in float32, int8 and on the device."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from tests.cli.conftest import BOARD, ROOT

RECIPES = ROOT / "examples" / "recipes"
NAMES = ("gesture", "image", "keyword", "tabular", "vibration")
LEAST = {"gesture": 0.93, "image": 0.9, "keyword": 0.88, "tabular": 0.93}
"""Accuracy in float32, which each recipe is good for; a bad one teaches nothing."""
LOST = 0.015
"""Most that int8 may lose: a few samples of the smallest test set."""

pytestmark = [pytest.mark.emulator, pytest.mark.tensorflow, pytest.mark.xdist_group("tensorflow")]

_TRAIN = """
import runpy, sys
from pathlib import Path
for name in sys.argv[2:]:
    runpy.run_path(str(Path(sys.argv[1]) / name / "train.py"))["train"](Path(name))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what each recipe's `train.py` left; trained in one process, since TensorFlow takes long to load."""
    folder = tmp_path_factory.mktemp("recipes")
    done = subprocess.run(
        [sys.executable, "-c", _TRAIN, str(RECIPES), *NAMES],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def test_every_recipe_is_tested_and_listed() -> None:
    assert tuple(sorted(path.name for path in RECIPES.iterdir() if path.is_dir())) == NAMES
    page = (RECIPES / "README.md").read_text()
    assert all(f"[{name}]({name}/train.py)" in page for name in NAMES)


@pytest.mark.parametrize("name", sorted(LEAST))
def test_a_recipe_keeps_its_accuracy_on_the_device(name: str, trained: Path, tmp_path: Path) -> None:
    folder = trained / name
    proof = api.deploy(
        folder / f"{name}.keras",
        board=BOARD,
        data=str(folder / "samples.npz"),
        eval_data=str(folder / "test.npz"),
        out=tmp_path / "firmware",
        samples=2,
    )
    assert proof.verdict.bit_exact
    assert proof.assessment is not None
    shares = {(run.arithmetic, run.where): run.value("accuracy") for run in proof.assessment.runs}
    floats, host, device = (shares[way] or 0.0 for way in (("float32", "host"), ("int8", "host"), ("int8", "device")))
    assert floats > LEAST[name]
    assert host > floats - LOST
    assert device > LEAST[name] - 0.05


def test_words_are_heard_from_samples_to_events(trained: Path, tmp_path: Path) -> None:
    """The keyword recipe's pipeline, on a speaker that training did not hear."""
    folder = trained / "keyword"
    proof = api.deploy(
        folder / "pipeline.toml",
        board=BOARD,
        data=folder / "calibration" / "0.wav",
        out=tmp_path / "firmware",
        samples=2,
    )
    assert proof.signal is not None
    assert proof.signal.passed
    lines = (folder / "truth.csv").read_text().splitlines()
    (tmp_path / "truth.csv").write_text("\n".join(line for line in lines if line.startswith(("file", "f4.wav"))) + "\n")
    found = api.evaluate(
        tmp_path / "firmware", data=folder / "test" / "f4.wav", events=tmp_path / "truth.csv", tolerance=1.0
    )
    assert found.exit_code == 0  # the device led to the host's events
    total = found.found.judgement.total
    assert total.truths == 4
    assert total.hits >= 2  # chance would be none
    assert total.false_accepts <= 4


def test_faults_are_found_on_the_device(trained: Path, tmp_path: Path) -> None:
    """Of a faulty and a healthy spectrum, the faulty one is reconstructed worse: area under the ROC curve."""
    folder = trained / "vibration"
    with np.load(folder / "test.npz") as test:
        x = test["x"]
    proof = api.deploy(
        folder / "vibration.keras",
        board=BOARD,
        data=str(folder / "samples.npz"),
        out=tmp_path / "firmware",
        inputs=x,
    )
    assert proof.verdict.bit_exact
    spec = proof.ready.model.graph.tensor(proof.ready.model.graph.outputs[0])
    again = np.stack([values[0].reshape(-1) for values in proof.verdict.outputs[-len(x) :]]).astype(np.float64)
    errors = np.abs((again - spec.zero_point) * spec.scale - x).mean(axis=1)
    faulty = np.load(folder / "faulty.npy")
    better = errors[faulty][:, None] > errors[~faulty][None, :]
    assert float(better.mean()) > 0.97
