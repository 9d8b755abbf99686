"""Whether a model says more than a guess: a device that computes nonsense in every bit is no good news."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import api
from mcugen.assess import HostRuns, assess, load_evaluation, run_on_host
from mcugen.assess.task import make_task, with_threshold
from mcugen.assess.types import Usefulness
from mcugen.assess.usefulness import judge_usefulness, skill
from mcugen.convert.data import load_samples
from mcugen.convert.readings import one_class_unless_scaled, other_readings, range_text, reading_of
from mcugen.tflite.types import TensorSpec
from mcugen.ui.accuracy import say_usefulness
from mcugen.ui.terminal import make_console
from tests.assess.conftest import Digits
from tests.cli.conftest import Cli, cli  # noqa: F401 (a fixture)
from tests.schemas import check

X = TensorSpec("x", (1, 2), "float32")


def judged(labels: Any, outputs: Any, **more: Any) -> Usefulness:
    """Of a model that gives these outputs, (N, classes)."""
    values = np.asarray(outputs, np.float32)
    samples = load_samples({"x": np.zeros((len(values), 2), np.float32), "y": labels}, (X,))
    task = with_threshold(make_task(samples, (TensorSpec("out", (1, values.shape[1]), "float32"),)), (values,))
    found = judge_usefulness(task, (values,), (values,), "int8", samples.inputs, **more)
    assert found is not None
    return found


def answers(labels: Any, right: float, classes: int) -> np.ndarray:
    """Scores with which the first part of each class is right, and the rest goes to the next class."""
    scores = np.zeros((len(labels), classes))
    for label in range(classes):
        members = np.flatnonzero(np.asarray(labels) == label)
        count = round(right * len(members))
        scores[members[:count], label] = 1
        scores[members[count:], (label + 1) % classes] = 1
    return scores


def test_a_coin_is_no_model() -> None:
    labels = np.repeat([0, 1], 100)
    found = judged(labels, answers(labels, 0.53, 2))
    assert found.verdict == "chance"
    assert "the float model itself is at chance" in found.text
    assert "accuracy 53.0 %, where always answering the most frequent class gives 50.0 %" in found.text
    assert judged(labels, answers(labels, 0.8, 2)).verdict == "useful"


def test_rare_classes_count_by_their_recall() -> None:
    labels = np.array([0] * 95 + [1] * 5)
    always = np.tile([1.0, 0.0], (100, 1))
    assert judged(labels, always).verdict == "chance"
    alarms = always.copy()
    alarms[95:99], alarms[:8] = [0, 1], [0, 1]  # 4 of 5 alarms found, 8 false ones: an accuracy below 95 %
    assert judged(labels, alarms).verdict == "useful"


@pytest.mark.parametrize(
    ("labels", "outputs", "words"),
    [
        ([0] * 30, answers([0] * 30, 1, 2), "all labels are the same class"),
        ([0, 1] * 4, answers([0, 1] * 4, 0.5, 2), "8 samples are too few to tell"),
        (np.full(30, 2.5), np.full((30, 1), 2.5), "all labels are the same value"),
    ],
)
def test_what_cannot_be_told(labels: Any, outputs: Any, words: str) -> None:
    found = judged(labels, outputs)
    assert found.verdict == "unknown"
    assert words in found.text


def test_classes_in_another_order_are_recognised() -> None:
    labels = np.arange(90) % 3
    found = judged(labels, answers(labels, 0.0, 3))
    assert found.verdict == "chance"
    assert "with its classes in another order it would be right for 100.0 %" in found.text
    assert "another order" not in judged(labels, np.tile([1.0, 0, 0], (90, 1))).text


def test_values_are_judged_by_the_median() -> None:
    targets = np.linspace(0.25, 8.5, 40)
    found = judged(targets, np.full((40, 1), 4.4))
    assert found.verdict == "chance"
    assert "no better than a guess" in found.text
    assert judged(targets, targets[:, None] + 0.1).verdict == "useful"


def test_quantization_may_be_to_blame() -> None:
    labels = np.arange(40) % 2
    samples = load_samples({"x": np.zeros((40, 2), np.float32), "y": labels}, (X,))
    task = make_task(samples, (TensorSpec("out", (1, 2), "float32"),))
    good, bad = (answers(labels, right, 2).astype(np.float32) for right in (1.0, 0.5))
    found = judge_usefulness(task, (good,), (bad,), "int8", samples.inputs)
    assert found is not None
    assert found.verdict == "chance"
    assert "quantization leaves nothing of the model: int8 has accuracy 50.0 %" in found.text
    assert skill(task, (good,)) == 1.0


def on_host(digits: Digits, x: Any) -> HostRuns:
    return run_on_host(digits.model, None, load_evaluation(digits.model, {"x": x, "y": digits.y_test}))


def test_the_range_of_the_data_is_said(digits: Digits) -> None:
    found = assess(on_host(digits, 255 * (1 - digits.x_test))).usefulness
    assert found is not None
    assert found.verdict == "chance"
    assert "is it scaled as in training? The data lies in 0…255" in found.text


def test_the_better_reading_is_named(digits: Digits) -> None:
    """Pixels that were divided by 255 twice are nearly black."""
    runs = on_host(digits, digits.x_test / 255)
    assert {reading.how for reading in runs.readings} == {"multiplied by 255", "doubled, less 1"}
    found = assess(runs).usefulness
    assert found is not None
    assert found.verdict == "chance"
    assert "The data lies in 0…0.003922; the same samples multiplied by 255 give an accuracy of 9" in found.text


def test_a_good_model_is_not_run_again(digits: Digits) -> None:
    assert on_host(digits, digits.x_test).readings == ()


def test_readings() -> None:
    images = np.linspace(0, 255, 64, dtype=np.float32).reshape(2, 32)
    assert reading_of(images) == "0…255"
    assert range_text(images) == "0…255"
    assert reading_of(images / 255) == "0…1"
    assert reading_of(images / 127.5 - 1) == "−1…1"
    assert range_text(images / 127.5 - 1) == "−1…1"
    assert reading_of(images[:, :4]) is None
    assert reading_of(images / 16) is None
    others = other_readings(images)
    assert set(others) == {"divided by 255", "divided by 127.5, less 1"}
    np.testing.assert_allclose(others["divided by 127.5, less 1"], images / 127.5 - 1, atol=1e-6)
    (standardized,) = other_readings(images[:, :4] * 40).values()
    np.testing.assert_allclose(standardized.std(axis=0), 1, rtol=1e-5)
    assert other_readings(np.ones((3, 4), np.float32)) == {}


def test_the_last_word_is_not_a_tick(digits: Digits, tmp_path: Path, cli: Cli) -> None:  # noqa: F811
    model, data = tmp_path / "m.tflite", tmp_path / "d.npz"
    model.write_bytes(digits.model)
    rng = np.random.default_rng(2)
    np.savez(data, x=digits.x_test, y=rng.integers(0, 10, len(digits.x_test)))
    ran = cli("quantize", model, "--data", data, "-o", tmp_path / "int8.tflite")
    assert ran.code == 0
    assert ran.out.splitlines()[-1].startswith("! the float model itself is at chance")
    made = api.quantize(model, data=data)
    facts = check(made.to_dict())
    assert facts["accuracy"]["usefulness"]["verdict"] == "chance"
    digits.save(data)
    ran = cli("quantize", model, "--data", data, "-o", tmp_path / "int8.tflite")
    assert ran.out.splitlines()[-1].startswith("✔ the model says more than a guess: accuracy 9")


def test_nothing_is_said_without_labels(digits: Digits) -> None:
    found = assess(run_on_host(digits.model, None, load_evaluation(digits.model, digits.x_test)))
    assert found.usefulness is None
    stream = io.StringIO()
    say_usefulness(make_console(stream), found)
    assert stream.getvalue() == ""


def test_images_without_labels_are_read_otherwise(digits: Digits) -> None:
    """A network that gives one class to nearly black images, and tells bright ones apart."""
    dark = api.quantize(digits.model, data=digits.x_train[:100] / 255)
    assert dark.model.report is not None
    (found,) = [text for text in dark.model.report.warnings if "tells them apart" in text]
    assert "of the samples as they are (0…1), but tells them apart if they are multiplied by 255" in found
    good = api.quantize(digits.model, data=digits.x_train[:100])
    assert good.model.report is not None
    assert not [text for text in good.model.report.warnings if "tells them apart" in text]


def test_a_classifier_of_one_class_only_is_left_alone() -> None:
    images = np.random.default_rng(0).uniform(size=(20, 32)).astype(np.float32)
    always = np.tile([0.0, 1.0, 0.0], (20, 1))

    def run(values: Any) -> Any:
        return np.tile([0.0, 1.0, 0.0], (len(values), 1))

    assert one_class_unless_scaled(images, always, run) == []
    assert one_class_unless_scaled(images[:3], always[:3], lambda _: np.eye(3)) == []  # too few
    assert one_class_unless_scaled(images, images, lambda _: np.eye(3)) == []  # images come out again
    assert len(one_class_unless_scaled(images, always, lambda values: np.eye(3)[np.arange(len(values)) % 3])) == 1
