"""What labels are taken for, what is refused, and what counts as lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcugen.assess import Metric, Task, drop_of, make_task, metric_names, score
from mcugen.assess.task import find_flips, make_gate, make_run, predict, with_threshold
from mcugen.convert.data import load_samples
from mcugen.convert.types import Samples
from mcugen.errors import DataError
from mcugen.tflite.types import TensorSpec

X = TensorSpec("x", (1, 2), "float32")
TEN = TensorSpec("scores", (1, 10), "int8", 1 / 256, -128)
TWO = TensorSpec("scores", (1, 2), "int8", 1 / 256, -128)
ONE = TensorSpec("score", (1, 1), "int8", 1 / 256, -128)


def samples(y: Any) -> Samples:
    return load_samples({"x": np.zeros((len(y), 2), np.float32), "y": y}, (X,))


def outputs(*rows: Any) -> tuple[Any, ...]:
    return (np.array(rows, np.float32),)


def test_class_numbers_and_one_hot_are_the_same_task() -> None:
    labels = [3, 0, 9, 3]
    numbers, hot = make_task(samples(labels), (TEN,)), make_task(samples(np.eye(10)[labels]), (TEN,))
    for task in (numbers, hot):
        assert (task.kind, task.classes, task.metric) == ("classification", 10, "accuracy")
        assert task.labels is not None
        assert task.labels.tolist() == labels
    assert metric_names(numbers) == ("accuracy", "top_3", "macro_f1")


def test_few_classes_of_many_are_told() -> None:
    assert "2 of the output's 10 classes" in make_task(samples([0, 1, 1]), (TEN,)).notes[0]
    assert not make_task(samples(list(range(10))), (TEN,)).notes


def test_ragged_labels_are_refused() -> None:
    with pytest.raises(DataError, match="differ in their shapes"):
        samples([[1], [1, 2], [3]])


def test_real_values_are_a_regression() -> None:
    task = make_task(samples([[0.5, 1.0], [2.5, 1.0]]), (TWO,))
    assert (task.kind, task.metric, task.spread) == ("regression", "mean_absolute_error", 2.0)
    found = score(task, outputs([0.5, 2.0], [2.5, 1.0]))
    assert [(s.metric, s.value) for s in found] == [("mean_absolute_error", 0.25), ("mean_squared_error", 0.25)]
    assert not found[0].higher_is_better


def test_integers_beyond_the_classes_are_a_regression() -> None:
    assert make_task(samples([17, 3, 40]), (ONE,)).kind == "regression"
    assert make_task(samples([0, 1, 1]), (ONE,)).kind == "classification"
    assert make_task(samples([0, 1, 1]), (ONE,), kind="regression").kind == "regression"


@pytest.mark.parametrize(
    ("values", "threshold", "classes"),
    [
        ([0.2, 0.5, 0.9], 0.5, [0, 0, 1]),
        ([-3.0, 0.2, 0.9], 0.0, [0, 1, 1]),
    ],
)
def test_a_single_output_is_a_probability_or_a_logit(values: list[float], threshold: float, classes: list[int]) -> None:
    made = outputs(*([v] for v in values))
    task = with_threshold(make_task(samples([0, 1, 1]), (ONE,)), made)
    assert task.threshold == threshold
    assert f"above {threshold:g} is class 1" in task.notes[-1]
    assert predict(task, made).tolist() == classes
    assert {s.metric for s in score(task, made)} == {"accuracy", "macro_f1", "auc"}


def test_labels_choose_the_output_that_they_fit() -> None:
    assert make_task(samples([7, 1, 0]), (ONE, TEN)).output == 1
    with pytest.raises(DataError, match="fit several outputs"):
        make_task(samples([1, 1, 0]), (TWO, TEN))
    assert make_task(samples(np.eye(10)[:3]), (TWO, TEN)).output == 1


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        ([1, 10, 2], {}, "the labels count from 1 to 10, but class indices start at 0. Subtract 1"),
        ([2, 11, 2], {}, "fit no output"),
        ([[0.5, 1.0, 2.0]] * 3, {}, "3 values per sample"),
        (["cat", "dog", "cat"], {}, "name 2 of the model's 10 classes, so that their numbers are unknown"),
        ([0.5, np.nan, 1.0], {}, "the label of sample 1 is missing"),
        ([0.5, 1.0, 2.0], {"kind": "classification"}, "neither class indices nor one-hot"),
        ([1, 2, 3], {"metric": "auc"}, 'no metric "auc".*accuracy, top_3, macro_f1'),
    ],
)
def test_refusals(y: Any, options: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make_task(samples(y), (TEN,), **options)


def test_without_labels() -> None:
    bare = load_samples(np.zeros((3, 2), np.float32), (X,))
    assert make_task(bare, (TEN,)).kind == "none"
    assert score(Task("none"), outputs([0.0])) == ()
    with pytest.raises(DataError, match="no labels"):
        make_task(bare, (TEN,), metric="accuracy")


def test_the_metric_that_counts_comes_first() -> None:
    task = make_task(samples([0, 1, 1]), (TEN,), metric="macro_f1")
    assert score(task, (np.eye(10, dtype=np.float32)[[0, 1, 2]],))[0].metric == "macro_f1"


def test_metric_function() -> None:
    def worst(given: Any, labels: Any) -> float:
        return float(np.max(np.abs(given[:, 0] - labels)))

    task = make_task(samples([0.5, 1.0]), (TEN,), metric=Metric("worst", worst, higher_is_better=False))
    found = score(task, (np.ones((2, 10), np.float32),))
    assert (found[0].metric, found[0].value, found[0].higher_is_better) == ("worst", 0.5, False)
    assert make_task(samples([0.5, 1.0]), (TEN,), metric=worst).metric == "worst"
    # Of the samples that ran, the labels of these.
    assert score(task, (np.ones((1, 10), np.float32),), np.array([1]))[0].value == 0.0
    assert drop_of(task, 0.2, 0.3) == pytest.approx(10.0)
    for broken, message in ((lambda _o, _y: 1 / 0, "ZeroDivisionError"), (lambda _o, _y: float("nan"), "returned nan")):
        with pytest.raises(DataError, match=message):
            score(make_task(samples([0.5, 1.0]), (TEN,), metric=broken), (np.ones((2, 10)),))


def test_flips_list_broken_samples_first() -> None:
    task = make_task(samples([0, 1, 2, 3]), (TEN,))
    one_hot = np.eye(10, dtype=np.float32)
    flips = find_flips(task, (one_hot[[1, 1, 5, 3]],), (one_hot[[0, 2, 6, 3]],))
    assert flips is not None
    assert (flips.count, flips.broken, flips.fixed) == (3, 1, 1)
    listed = [(f.sample, f.label, f.before, f.after) for f in flips.examples]
    assert listed == [(1, 1, 1, 2), (0, 0, 1, 0), (2, 2, 5, 6)]


def test_gate_is_in_percentage_points() -> None:
    task = make_task(samples([0, 1, 2, 3] * 25), (TEN,))
    right = np.eye(10, dtype=np.float32)[[0, 1, 2, 3] * 25]
    wrong = right.copy()
    wrong[0] = right[1]
    before, after = make_run(task, (right,), "float32"), make_run(task, (wrong,), "int8")
    assert make_gate(task, before, after, 1.0).passed
    assert make_gate(task, before, after, 1.0).drop == pytest.approx(1.0)
    assert not make_gate(task, before, after, 0.8).passed
    assert make_gate(task, after, before, -1.0).passed  # "must gain a point"
    with pytest.raises(DataError, match="nan is not a valid limit"):
        make_gate(task, before, after, float("nan"))
    with pytest.raises(DataError, match="needs labels"):
        make_gate(Task("none"), before, after, 1.0)


def test_loss_of_a_regression_is_measured_by_the_spread_of_its_targets() -> None:
    task = make_task(samples([[0.0, 4.0], [2.0, 1.0]]), (TWO,))
    assert drop_of(task, 0.1, 0.3) == pytest.approx(5.0)  # 0.2 of 4
    squared = make_task(samples([[0.0, 4.0], [2.0, 1.0]]), (TWO,), metric="mean_squared_error")
    assert drop_of(squared, 0.01, 0.09) == pytest.approx(5.0)
    with pytest.raises(DataError, match="all targets are equal"):
        drop_of(make_task(samples([[2.5, 2.5]] * 2), (TWO,)), 0.1, 0.2)


def test_points_of_a_function_that_returns_no_share_are_refused() -> None:
    task = make_task(samples([0.5, 1.0]), (TEN,), metric=Metric("sum", lambda o, _y: float(o.sum())))
    with pytest.raises(DataError, match="need a share"):
        drop_of(task, 20.0, 19.0)
