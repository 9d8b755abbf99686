"""Mean average precision: by hand, and against a second, slow program of COCO's definition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mcugen.assess import Boxes, found_boxes, make_task, mean_average_precision, metric_names, score
from mcugen.assess.average_precision import OVERLAPS, overlaps
from mcugen.convert.types import Samples
from mcugen.errors import DataError
from mcugen.tflite.detections import Places
from mcugen.tflite.types import TensorSpec

PLACES = Places(boxes=0, classes=1, scores=2, count=3, each=1)
SPECS = tuple(
    TensorSpec(f"o{n}", shape, "float32", 0.0, 0) for n, shape in enumerate([(1, 4, 4), (1, 4), (1, 4), (1,)])
)


def boxes(*rows: tuple[float, ...]) -> Boxes:
    """Of (class, score, ymin, xmin, ymax, xmax)."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Boxes(table[:, 2:], table[:, 0].astype(np.int64), table[:, 1])


TRUE = (1.0, 0.0, 0.0, 1.0, 1.0)


def test_by_hand() -> None:
    one = boxes((0, *TRUE))
    found = mean_average_precision([one], [one])
    assert found is not None
    assert (found.mean, found.at_half, found.by_class) == (1.0, 1.0, {0: 1.0})
    # It covers 0.72 of the truth: right at 0.5, 0.55, … 0.7, wrong at the other five.
    most = mean_average_precision([boxes((0, 0.9, 0.0, 0.0, 0.72, 1.0))], [one])
    assert most is not None
    assert (most.mean, most.at_half) == (pytest.approx(0.5), 1.0)
    # A surer wrong one before it: precision 1/2 at every recall.
    late = mean_average_precision([boxes((0, 0.95, 5, 5, 6, 6), (0, 0.9, *TRUE[1:]))], [one])
    assert late is not None
    assert late.at_half == pytest.approx(0.5)
    # One of two is found: precision 1 up to recall 0.5, which are 51 of 101 points.
    half = mean_average_precision([one], [boxes((0, *TRUE), (0, 1, 3, 3, 4, 4))])
    assert half is not None
    assert half.at_half == pytest.approx(51 / 101)
    # A second detection of the same thing is wrong, but comes last.
    twice = mean_average_precision([boxes((0, 0.9, *TRUE[1:]), (0, 0.8, *TRUE[1:]))], [one])
    assert twice is not None
    assert twice.at_half == 1.0
    # Classes that do not occur do not count; one that is never found counts 0.
    both = mean_average_precision([boxes((0, *TRUE), (7, *TRUE))], [boxes((0, *TRUE), (2, *TRUE))])
    assert both is not None
    assert both.by_class == {0: 1.0, 2: 0.0}
    assert mean_average_precision([one], [boxes()]) is None


def test_overlaps() -> None:
    a = np.array([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    b = np.array([[1.0, 1.0, 3.0, 3.0], [0.0, 0.0, 2.0, 1.0], [4.0, 4.0, 5.0, 5.0]])
    np.testing.assert_allclose(overlaps(a, b), [[1 / 7, 0.5, 0.0], [0.0, 0.0, 0.0]])


def slow(found: Sequence[Boxes], true: Sequence[Boxes], number: int, least: float) -> float:
    """Average precision of a class at an overlap: one detection after the other."""
    detections = [
        (-float(b.scores[i]), image, int(i))
        for image, b in enumerate(found)
        for i in np.flatnonzero(b.classes == number)
    ]
    wanted = sum(int((b.classes == number).sum()) for b in true)
    taken: set[tuple[int, int]] = set()
    hits: list[bool] = []
    for _, image, i in sorted(detections):
        here = true[image]
        best, place = least, -1
        for j in np.flatnonzero(here.classes == number).tolist():
            share = float(overlaps(found[image].corners[i : i + 1], here.corners[j : j + 1])[0, 0])
            if (image, j) not in taken and share >= best:
                best, place = share, j
        hits.append(place >= 0)
        taken.add((image, place))
    total = 0.0
    for n in range(101):
        total += max(
            (sum(hits[:k]) / k for k in range(1, len(hits) + 1) if sum(hits[:k]) / wanted >= n / 100), default=0.0
        )
    return total / 101


def test_against_a_second_program() -> None:
    rng = np.random.default_rng(6)
    for _ in range(8):
        true, found = [], []
        for _ in range(5):
            corners = rng.uniform(0, 0.6, (int(rng.integers(0, 5)), 2))
            there = np.concatenate([corners, corners + rng.uniform(0.1, 0.4, corners.shape)], axis=1)
            classes = rng.integers(0, 3, len(there))
            again = np.repeat(there, 2, axis=0) + rng.normal(0, 0.03, (2 * len(there), 4))
            said = np.where(rng.random(len(again)) < 0.8, np.repeat(classes, 2), rng.integers(0, 3, len(again)))
            true.append(Boxes(there, classes, np.ones(len(there))))
            found.append(Boxes(again, said, np.sort(rng.permutation(1000)[: len(again)] / 1000)[::-1]))
        given = mean_average_precision(found, true)
        if given is None:
            continue
        classes_there = sorted({int(c) for b in true for c in b.classes})
        table = np.array([[slow(found, true, c, least) for least in OVERLAPS] for c in classes_there])
        assert given.mean == pytest.approx(table.mean())
        assert given.at_half == pytest.approx(table[:, 0].mean())


def outputs(rows: list[list[tuple[float, ...]]]) -> tuple[Any, ...]:
    """A model's four outputs for such boxes, with rubbish behind them."""
    made = [np.full((len(rows), *spec.shape), 0.3) for spec in SPECS]
    for n, sample in enumerate(rows):
        for k, (number, certain, *corners) in enumerate(sample):
            made[0][n, 0, k], made[1][n, 0, k], made[2][n, 0, k] = corners, number, certain
        made[3][n, 0] = len(sample)
    return tuple(made)


def test_a_task_of_boxes() -> None:
    targets = np.full((2, 2, 5), -1.0)
    targets[0, 0] = (3, *TRUE[1:])
    targets[1] = [(1, *TRUE[1:]), (3, 0.2, 0.2, 0.4, 0.4)]
    samples = Samples((np.zeros((2, 4)),), targets=targets)
    task = make_task(samples, SPECS, places=PLACES)
    assert (task.kind, task.metric, metric_names(task)) == ("detection", "map", ("map", "map_50"))
    right = outputs([[(3, 0.9, *TRUE[1:])], [(3, 0.8, 0.2, 0.2, 0.4, 0.4), (1, 0.7, *TRUE[1:])]])
    assert [(s.metric, s.value) for s in score(task, right)] == [("map", 1.0), ("map_50", 1.0)]
    assert score(task, tuple(o[1:] for o in right), np.array([1]))[0].value == 1.0
    missing = outputs([[], [(1, 0.7, *TRUE[1:])]])
    assert score(task, missing)[0].value == 0.5
    assert make_task(samples, SPECS, places=PLACES, metric="map_50").metric == "map_50"


def test_detections_of_several_classes_lie_apart() -> None:
    made = [np.zeros((1, 8, 4)), np.arange(8.0)[np.newaxis], np.arange(8.0)[np.newaxis], np.array([[4.0]])]
    (found,) = found_boxes(made, Places(0, 1, 2, 3, each=2))
    assert found.classes.tolist() == [0, 3, 4, 7]


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (np.zeros((2, 3)), r"detects boxes, and the labels are float64\[2, 3\]"),
        (np.zeros((2, 1, 4)), r"the labels are float64\[2, 1, 4\]"),
        (np.full((2, 1, 5), np.nan), "NaN or infinite"),
        (np.full((2, 1, 5), -1.0), "hold no box"),
        (np.array([[[0, 0.5, 0.5, 0.5, 0.9]]]), "box 0 of sample 0 ends before it begins"),
        (np.array([[[0.5, 0, 0, 1, 1]]]), "a class that is no whole number"),
    ],
)
def test_labels_that_are_no_boxes_are_refused(targets: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        make_task(Samples((np.zeros((len(targets), 4)),), targets=targets), SPECS, places=PLACES)
