"""The recipes from their data to an emulated board: accuracy in float32, int8 and on the device."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import api
from mcugen.pipeline import Pipeline, read_pipeline
from tests.cli.conftest import BOARD, ROOT
from tests.shared import once, run_folder

RECIPES = ROOT / "examples" / "recipes"
LEAST = {"gesture": 0.93, "image": 0.9, "keyword": 0.86, "motion": 0.85, "tabular": 0.93, "transfer": 0.85}
"""Accuracy in float32, which each recipe is good for; a bad one teaches nothing."""
WITH_SAMPLES = {
    "gesture": ("gesture.keras", {}),
    "keyword": ("keyword.keras", {}),
    "tabular": ("tabular.keras", {"scaler": "scaler.json"}),
    "transfer": ("model.keras", {}),
}
"""Those whose models are deployed alone: the model, and which files go along."""
FROM_THE_SENSOR = ("image", "motion")
"""Those whose front end is part of what is deployed."""
NAMES = (*sorted(LEAST), "vibration")
LOST = 0.03
"""Most that int8 may lose: two samples of the smallest test set."""
MOST_FRAMES = {"motion": 448}
"""Of each recording that the board gets: six windows."""
EVERY = 2
"""So many of the recordings does the board get: each second one."""
MOST_SAMPLES = 150
"""Of a test set that the board gets, from all over it."""
CHANGED = "vibration, changed"
NEEDS = {"motion": "seglearn"}
"""Packages that a recipe's data come with."""

pytestmark = [pytest.mark.emulator, pytest.mark.tensorflow]

_TRAIN = """
import json, runpy, sys
from pathlib import Path
import numpy as np
for recipe, name in json.loads(sys.argv[1]):
    runpy.run_path(str(Path(recipe) / "train.py"))["train"](Path(name))
    made = all((Path(name) / file).exists() for file in ("pipeline.toml", "test.npz"))
    if made and name not in ("keyword", "tabular"):
        import keras
        from mcugen.pipeline import read_pipeline
        pipeline = read_pipeline(Path(name) / "pipeline.toml")
        model = keras.models.load_model(pipeline.model)
        with np.load(Path(name) / "test.npz") as test:
            x = np.concatenate([pipeline.windows(test[key]) for key in test.files])
        np.save(Path(name) / "float.npy", model.predict(x.reshape(-1, *model.input_shape[1:]), verbose=0))
"""


def available() -> list[str]:
    return [name for name in NAMES if name not in NEEDS or importlib.util.find_spec(NEEDS[name]) is not None]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what each recipe's `train.py` left, the same for all workers of a run."""
    folder = run_folder(tmp_path_factory) / "recipes"
    with once(folder) as first:
        if first:
            train_all(folder)
    return folder


def train_all(folder: Path) -> None:
    """In one process, since TensorFlow takes long to load."""
    changed = folder / "recipe"
    shutil.copytree(RECIPES / "vibration", changed)
    text = (changed / "pipeline.toml").read_text()
    assert "channels = 32" in text
    (changed / "pipeline.toml").write_text(text.replace("channels = 32", "channels = 24"))
    jobs = [(str(RECIPES / name), name) for name in available()] + [(str(changed), CHANGED)]
    done = subprocess.run(
        [sys.executable, "-c", _TRAIN, json.dumps(jobs)],
        cwd=folder,
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1"},  # a third faster
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def recipe(name: str, trained: Path) -> Path:
    if name not in available():
        pytest.skip(f"{NEEDS[name]} is not installed")
    return trained / name


def test_every_recipe_is_tested_and_listed() -> None:
    assert tuple(sorted(path.name for path in RECIPES.iterdir() if path.is_dir())) == NAMES
    page = (RECIPES / "README.md").read_text()
    assert all(f"[{name}]({name}/train.py)" in page for name in NAMES)
    assert {*WITH_SAMPLES, *FROM_THE_SENSOR, "vibration"} == set(NAMES)


@pytest.mark.parametrize("name", sorted(WITH_SAMPLES))
def test_a_recipe_keeps_its_accuracy_on_the_device(name: str, trained: Path, tmp_path: Path) -> None:
    folder = recipe(name, trained)
    model, files = WITH_SAMPLES[name]
    more: dict[str, Any] = {key: str(folder / file) for key, file in files.items()}
    with np.load(folder / "test.npz") as test:
        some = np.arange(0, len(test["x"]), -(-len(test["x"]) // MOST_SAMPLES))
        judged = {"x": test["x"][some], "y": test["y"][some]}
    proof = api.deploy(
        folder / model,
        board=BOARD,
        data=str(folder / "samples.npz"),
        eval_data=judged,
        out=tmp_path / "firmware",
        samples=2,
        **more,
    )
    assert proof.verdict.bit_exact
    assert proof.assessment is not None
    shares = {(run.arithmetic, run.where): run.value("accuracy") for run in proof.assessment.runs}
    floats, host, device = (shares[way] or 0.0 for way in (("float32", "host"), ("int8", "host"), ("int8", "device")))
    assert floats > LEAST[name]
    assert host > floats - LOST
    assert device > LEAST[name] - 0.05


def beginning(recording: Path) -> Any:
    """The first two seconds, (samples,) int16."""
    with wave.open(str(recording)) as file:
        return np.frombuffer(file.readframes(2 * file.getframerate()), "<i2")


def test_words_are_heard_from_samples_to_events(trained: Path, tmp_path: Path) -> None:
    """The keyword recipe's pipeline, on a speaker that training did not hear."""
    folder = trained / "keyword"
    proof = api.deploy(
        folder / "pipeline.toml",
        board=BOARD,
        data=folder / "calibration" / "0.wav",
        inputs=beginning(folder / "calibration" / "0.wav"),
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


def recordings_of(file: Path, most: int | None = None, every: int = 1) -> dict[str, Any]:
    """The recordings "LABEL NUMBER" of a file, or the first frames of some."""
    with np.load(file) as found:
        return {name: found[name][:most] for name in found.files[::every]}


def classes_of(pipeline: Pipeline, recordings: dict[str, Any]) -> list[int]:
    """The class of every inference that recordings lead to."""
    assert pipeline.decision is not None
    labels, found = pipeline.decision.labels, list[int]()
    for name, frames in recordings.items():
        found += [labels.index(name.rpartition(" ")[0])] * len(pipeline.windows(frames))
    return found


@pytest.mark.parametrize("name", FROM_THE_SENSOR)
def test_a_recipe_keeps_its_accuracy_from_the_sensor_on(name: str, trained: Path, tmp_path: Path) -> None:
    """The test's recordings are pushed into the board, which has front end, model and decision."""
    folder = recipe(name, trained)
    pipeline = read_pipeline(folder / "pipeline.toml")
    assert pipeline.text == (RECIPES / name / "pipeline.toml").read_text()
    everything = recordings_of(folder / "test.npz")
    floats = np.load(folder / "float.npy").argmax(axis=1)
    accuracy = float((floats == classes_of(pipeline, everything)).mean())
    assert accuracy > LEAST[name]

    given = recordings_of(folder / "test.npz", MOST_FRAMES.get(name), EVERY)
    truth = classes_of(pipeline, given)
    kept, at = [], 0
    for name_, frames in everything.items():
        if name_ in given:
            kept += range(at, at + len(pipeline.windows(given[name_])))
        at += len(pipeline.windows(frames))
    proof = api.deploy(
        folder / "pipeline.toml", board=BOARD, data=str(folder / "samples.npz"), inputs=given, out=tmp_path / "firmware"
    )
    assert proof.exit_code == 0
    # Rows, outputs and events of the device are those of the host, so this is the accuracy in int8 of both.
    assert proof.signal is not None
    assert proof.signal.passed
    assert (proof.signal.recordings, proof.signal.inferences) == (len(given), len(truth))
    device = proof.signal.outputs.view(np.int8).argmax(axis=1)
    assert float((device == truth).mean()) > float((floats[kept] == truth).mean()) - LOST
    assert proof.signal.events > 0


def test_a_front_end_is_changed_in_one_place(trained: Path, tmp_path: Path) -> None:
    """Another number of bands in pipeline.toml, and nothing else: training and firmware both have it."""
    found = {}
    for name in ("vibration", CHANGED):
        out = tmp_path / name
        proof = api.deploy(
            trained / name / "pipeline.toml",
            board=BOARD,
            data=str(trained / name / "samples.npz"),
            inputs=recordings_of(trained / name / "samples.npz", 8000, 20),
            out=out,
            samples=2,
        )
        assert proof.signal is not None
        assert proof.signal.passed
        graph = proof.ready.model.graph
        trained_on = tuple(graph.tensor(graph.inputs[0]).shape)
        emitted = (out / "lib" / "mcg_model" / "mcg_app.c").read_text()
        found[name] = (trained_on, [bands for bands in (24, 32) if f".channels = {bands}," in emitted])
    assert found == {"vibration": ((1, 32), [32]), CHANGED: ((1, 24), [24])}


def test_a_scaler_and_a_front_end_feed_the_model_alike(trained: Path, tmp_path: Path) -> None:
    """The same table through `pipeline.toml`: quantities in their own units, frame by frame."""
    folder = recipe("tabular", trained)
    with np.load(folder / "test.npz") as test:
        x, y = test["x"], test["y"]
    with np.load(folder / "samples.npz") as samples:
        calibration = samples["x"]
    proof = api.deploy(folder / "pipeline.toml", board=BOARD, data=calibration, inputs=x, out=tmp_path / "firmware")
    assert proof.signal is not None
    assert proof.signal.passed
    assert float((proof.signal.outputs.view(np.int8).argmax(axis=1) == y).mean()) > LEAST["tabular"] - LOST


def test_faults_are_found_on_the_device(trained: Path, tmp_path: Path) -> None:
    """Every faulty machine is an anomaly, no healthy one is, by the threshold that training wrote."""
    folder = recipe("vibration", trained)
    out = tmp_path / "firmware"
    few = recordings_of(folder / "samples.npz", 8000, 20)
    proof = api.deploy(
        folder / "pipeline.toml", board=BOARD, data=str(folder / "samples.npz"), inputs=few, out=out, samples=2
    )
    assert proof.exit_code == 0
    result = api.evaluate(out, data=str(folder / "test"))
    assert result.exit_code == 0
    assert result.device is not None
    assert result.differing == 0
    total = result.found.judgement.total
    assert (total.truths, total.misses, total.false_accepts) == (10, 0, 0)
