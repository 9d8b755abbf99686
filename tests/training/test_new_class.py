"""A model that knows five gestures learns a sixth one from 20 examples, on two boards."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import api
from mcugen.device.connecting import open_device
from mcugen.device.training import TrainingDevice
from mcugen.flow.inputs import read_inputs
from mcugen.flow.project import open_project
from mcugen.oracle.oracle import Oracle
from mcugen.training.reference import Trainer

pytestmark = [pytest.mark.emulator, pytest.mark.tensorflow]

RECIPE = Path(__file__).resolve().parents[2] / "examples" / "recipes" / "gesture"
FLICKS = (0, 45, 135, 90)
"""Directions of flicks, in degrees: classes 2 to 5, of which the last one is new."""
NEW = 5
EXAMPLES = 20
JUDGED = 200


@pytest.fixture(scope="module")
def windows() -> Iterator[Any]:
    """Makes windows (count, 32, 3) of the recipe's circles, and of its flick in four directions, and their classes."""
    sys.path.insert(0, str(RECIPE))
    try:
        from train import windows as of_recipe

        def turned(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
            x, y = of_recipe(rng, 2 * count)
            x, y = x[y != 3][:count], y[y != 3][:count].copy()
            way = np.where(y == 2, rng.integers(0, len(FLICKS), len(y)), -1)
            for number, degrees in enumerate(FLICKS):
                angle = np.deg2rad(degrees)
                turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], np.float32)
                x[way == number, :, :2] = x[way == number, :, :2] @ turn
                y[way == number] = 2 + number
            return x, y

        yield turned
    finally:
        sys.path.remove(str(RECIPE))
        sys.modules.pop("train", None)


@pytest.fixture(scope="module")
def model(windows: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """A network that has never seen the new gesture, and samples of what it knows."""
    import keras

    keras.utils.set_random_seed(7)
    x, y = windows(np.random.default_rng(7), 5000)
    known = y != NEW
    layers = keras.layers
    made = keras.Sequential(
        [
            keras.Input((32, 3)),
            layers.Reshape((32, 3, 1)),
            layers.Conv2D(12, (5, 3), activation="relu", name="strokes"),
            layers.MaxPooling2D((2, 1), name="half"),
            layers.Conv2D(16, (5, 1), activation="relu", name="figures"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(24, activation="relu", name="features"),
            layers.Dense(5, activation="softmax", name="gesture"),
        ]
    )
    made.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    made.fit(x[known], y[known], batch_size=64, epochs=12, verbose=0)
    return made, {"x": x[known][:300], "y": y[known][:300]}


@pytest.mark.parametrize("board", ["mps2-an386", "netduinoplus2"])
def test_a_gesture_is_learned_from_20_examples(board: str, model: Any, windows: Any, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    proof = api.deploy(
        model[0],
        board=board,
        data=model[1],
        trainable="gesture",
        training="classes=6,rate=0.005,momentum=0",
        train=3,
        samples=2,
        out=folder,
    )
    assert proof.exit_code == 0
    _, opened, chosen, plan = open_project(folder)
    assert opened.head is not None
    net = opened.head.net
    assert net.outputs == 6
    rng = np.random.default_rng(11)
    x, y = windows(rng, 4000)
    examples = read_inputs(x[y == NEW][:EXAMPLES], plan.graph).samples
    assert len(examples) == EXAMPLES
    judged_x, judged_y = windows(rng, JUDGED)
    judged = read_inputs(judged_x, plan.graph).samples
    trainer = Trainer(net)
    with Oracle(opened.data) as oracle:

        def right() -> np.ndarray:
            found = [trainer.predict(trainer.features(oracle.run(one)[0])).argmax() for one in judged]
            return np.array(found) == judged_y

        before = right()
        assert not before[judged_y == NEW].any()
        assert before[judged_y != NEW].mean() > 0.95
        with open_device(proof.firmware.elf, chosen, model_sha256=plan.graph.sha256) as device:
            learner = TrainingDevice(device)
            for one in examples:
                device.run(one)
                told = learner.step(NEW)
                expected = trainer.step(trainer.features(oracle.run(one)[0]), NEW)
                assert told.loss.tobytes() == expected.loss.tobytes()
                assert told.head_crc == trainer.crc
            after = right()
            for one in judged[:10]:
                device.run(one)
                assert learner.predict().tobytes() == trainer.predict(trainer.features(oracle.run(one)[0])).tobytes()
    print(f"{board}: new {after[judged_y == NEW].mean():.1%}, known {after[judged_y != NEW].mean():.1%}")
    assert after[judged_y == NEW].mean() > 0.8
    assert after[judged_y != NEW].mean() > 0.8
