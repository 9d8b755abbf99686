"""Both forms of a model over the same samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen.assess import HostRuns, assess, load_evaluation, run_float, run_on_host
from mcugen.assess.evaluate import arithmetic_of, encode, pick, with_device
from mcugen.convert import convert
from mcugen.errors import ConversionError, DataError
from tests.assess.conftest import Digits, network
from tests.convert.float_models import small_dense


@pytest.fixture(scope="module")
def int8(digits: Digits) -> bytes:
    return convert(digits.model, digits.x_train).tflite


def test_accuracy_of_both_forms(digits: Digits, int8: bytes) -> None:
    evaluation = load_evaluation(digits.model, {"x": digits.x_test, "y": digits.y_test}, digits.x_train)
    found = assess(run_on_host(int8, digits.model, evaluation), max_drop=1.0)
    (hidden, bias), (last, last_bias) = digits.layers
    logits = np.maximum(digits.x_test @ hidden.T + bias, 0) @ last.T + last_bias
    truth = float(np.mean(logits.argmax(axis=1) == digits.y_test))
    before, after = found.runs
    assert (before.arithmetic, after.arithmetic) == ("float32", "int8")
    assert before.value("accuracy") == pytest.approx(truth)
    assert truth > 0.9
    assert abs(after.value("accuracy") - truth) < 0.02
    assert found.gate is not None
    assert found.gate.drop == pytest.approx(100 * (before.value("accuracy") - after.value("accuracy")))
    assert found.calibrated_on == 0
    assert found.flips is not None
    assert found.flips.broken - found.flips.fixed == round((before.value("accuracy") - after.value("accuracy")) * 360)
    assert after.confusion is not None
    assert sum(map(sum, after.confusion)) == 360
    assert found.agreement[0].same_argmax == pytest.approx(1 - found.flips.count / 360)
    json.dumps(found.to_dict(), allow_nan=False)


def test_samples_that_calibrated_are_counted(digits: Digits) -> None:
    both = {"x": digits.x_train[:150], "y": digits.y_train[:150]}
    evaluation = load_evaluation(digits.model, both, digits.x_train[100:150])
    assert (evaluation.count, evaluation.calibrated_on) == (150, 50)
    assert load_evaluation(digits.model, both).calibrated_on is None


def test_split_data(digits: Digits, tmp_path: Path) -> None:
    path = digits.save(tmp_path / "digits.npz")
    evaluation = load_evaluation(digits.model, path, path)
    assert np.array_equal(evaluation.samples.inputs[0], digits.x_test)
    assert np.array_equal(evaluation.samples.targets, digits.y_test)
    assert evaluation.calibrated_on == 0
    assert convert(digits.model, path).report.calibration.available == len(digits.x_train)


def test_a_limit_draws_over_all_samples(digits: Digits) -> None:
    evaluation = load_evaluation(digits.model, {"x": digits.x_test, "y": digits.y_test}, most=40)
    assert (evaluation.count, evaluation.available) == (40, 360)
    numbers = pick(360, 40)
    assert numbers.max() > 300
    assert np.array_equal(evaluation.samples.labels, digits.y_test[numbers])
    assert pick(360, 40, sequence=True).tolist() == list(range(40))


def test_a_quantized_model_alone_takes_reals_or_its_own_integers(digits: Digits, int8: bytes) -> None:
    real = load_evaluation(int8, {"x": digits.x_test, "y": digits.y_test})
    codes = np.stack([sample[0] for sample in encode(real, int8, np.arange(360))])
    assert codes.dtype == np.int8
    given = load_evaluation(int8, {"x": codes, "y": digits.y_test})
    runs = [run_on_host(int8, None, evaluation) for evaluation in (real, given)]
    assert np.array_equal(runs[0].results[0], runs[1].results[0])
    found = assess(runs[0])
    assert [run.arithmetic for run in found.runs] == ["int8"]
    assert (found.flips, found.gate, found.agreement) == (None, None, ())


def test_a_float_model_is_judged_as_it_is(digits: Digits) -> None:
    runs = run_on_host(digits.model, None, load_evaluation(digits.model, {"x": digits.x_test, "y": digits.y_test}))
    found = assess(runs)
    assert [(run.arithmetic, run.where) for run in found.runs] == [("float32", "host")]
    assert found.runs[0].scores[0].value > 0.9
    numbers = pick(360, 7)
    device = with_device(found, runs, numbers, [[runs.results[0][n]] for n in numbers]).runs[-1]
    assert (device.arithmetic, device.equal_to_host) == ("float32", 7)


def test_without_labels_there_is_agreement(digits: Digits, int8: bytes) -> None:
    found = assess(run_on_host(int8, digits.model, load_evaluation(digits.model, digits.x_test)))
    assert (found.kind, found.metric, found.passed) == ("none", "", True)
    assert found.agreement[0].cosine_similarity > 0.99
    assert all(run.scores == () for run in found.runs)


def test_regression(digits: Digits) -> None:
    tflite = network(digits.layers, softmax=False)
    converted = convert(tflite, digits.x_train)
    targets = load_evaluation(tflite, {"x": digits.x_test, "y": np.eye(10)[digits.y_test] * 0.9 + 0.05})
    runs = run_on_host(converted.tflite, tflite, targets)
    found = assess(runs, max_drop=10)
    assert found.kind == "regression"
    assert runs.floats is not None
    want = float(np.mean(np.abs(runs.floats[0].reshape(360, 10) - targets.samples.targets)))
    assert found.runs[0].value("mean_absolute_error") == pytest.approx(want)


def stored(runs: HostRuns, numbers: Any) -> list[Any]:
    """The first output of some samples, as the device sends it."""
    spec = runs.outputs[0]
    return [np.round(runs.results[0][n] / spec.scale + spec.zero_point).astype(np.int8) for n in numbers]


def test_the_device_is_judged_on_its_samples(digits: Digits, int8: bytes) -> None:
    evaluation = load_evaluation(digits.model, {"x": digits.x_test, "y": digits.y_test})
    runs = run_on_host(int8, digits.model, evaluation)
    numbers = pick(360, 20)
    codes = stored(runs, numbers)
    run = with_device(assess(runs), runs, numbers, [[code] for code in codes]).run("device", quantized=True)
    assert run is not None
    assert (run.samples, run.equal_to_host) == (20, 20)
    assert run.value("accuracy") == np.mean([c.argmax() for c in codes] == digits.y_test[numbers])
    assert runs.floats is not None
    floats = runs.floats[0].reshape(360, 10)[numbers].argmax(axis=1)
    assert run.float_score == np.mean(floats == digits.y_test[numbers])
    codes[3] = codes[3] ^ 1
    other = with_device(assess(runs), runs, numbers, [[code] for code in codes]).run("device", quantized=True)
    assert other is not None
    assert other.equal_to_host == 19


def test_the_device_may_see_a_single_class(digits: Digits) -> None:
    """Then there is no AUC there."""
    (hidden, bias), (last, last_bias) = digits.layers
    tflite = network([(hidden, bias), (last[:2], last_bias[:2])])
    converted = convert(tflite, digits.x_train)
    chosen = digits.y_test < 2
    evaluation = load_evaluation(tflite, {"x": digits.x_test[chosen], "y": digits.y_test[chosen]})
    runs = run_on_host(converted.tflite, tflite, evaluation, metric="auc")
    found = assess(runs, max_drop=5)
    assert found.runs[0].scores[0].metric == "auc"
    assert found.runs[0].scores[0].value > 0.9
    ones = np.flatnonzero(digits.y_test[chosen] == 1)
    device = with_device(found, runs, ones, [[code] for code in stored(runs, ones)]).runs[-1]
    assert device.value("auc") is None
    assert device.float_score is None


def test_a_float_model_that_answers_nan_is_refused(digits: Digits) -> None:
    (hidden, bias), (last, last_bias) = digits.layers
    tflite = network([(hidden * np.float32(1e30), bias), (last * np.float32(1e30), last_bias)])
    with pytest.raises(ConversionError, match="NaN or infinity for sample 0"):
        run_float(tflite, load_evaluation(tflite, digits.x_test[:2]))


def test_labels_are_checked_before_anything_runs(digits: Digits, int8: bytes) -> None:
    evaluation = load_evaluation(digits.model, {"x": digits.x_test, "y": digits.y_test + 5})
    steps: list[str] = []
    with pytest.raises(DataError, match="fit no output"):
        run_on_host(int8, digits.model, evaluation, progress=lambda step, _done: steps.append(step))
    assert not steps


def test_arithmetic(int8: bytes, digits: Digits) -> None:
    assert (arithmetic_of(int8), arithmetic_of(small_dense())) == ("int8", "float32")
