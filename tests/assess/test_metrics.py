"""Metrics against scikit-learn's, with the ties that int8 outputs have."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn

from mcugen.assess import metrics

RNG = np.random.default_rng(3)
SCORES = RNG.integers(0, 6, (200, 7)).astype(np.float32)  # many are equal
LABELS = RNG.integers(0, 7, 200)
PREDICTED = SCORES.argmax(axis=1)


def test_accuracy_and_confusion() -> None:
    counts = metrics.confusion(PREDICTED, LABELS, 7)
    assert np.array_equal(counts, sklearn.confusion_matrix(LABELS, PREDICTED))
    assert metrics.accuracy(PREDICTED, LABELS) == pytest.approx(sklearn.accuracy_score(LABELS, PREDICTED))
    assert metrics.accuracy(PREDICTED, LABELS) == pytest.approx(np.diag(counts).sum() / 200)


def test_macro_f1_leaves_out_unseen_classes() -> None:
    counts = metrics.confusion(PREDICTED, LABELS, 9)
    assert metrics.macro_f1(counts) == pytest.approx(sklearn.f1_score(LABELS, PREDICTED, average="macro"))


@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_top_k(k: int) -> None:
    distinct = RNG.permuted(np.tile(np.arange(7.0), (200, 1)), axis=1)
    want = sklearn.top_k_accuracy_score(LABELS, distinct, k=k, labels=range(7)) if k < 7 else 1.0
    assert metrics.top_k(distinct, LABELS, k) == pytest.approx(want)


def test_ties_go_to_the_lower_class_as_with_argmax() -> None:
    assert metrics.top_k(SCORES, LABELS, 1) == metrics.accuracy(PREDICTED, LABELS)
    equal = np.zeros((4, 4))
    assert metrics.ranks(equal, np.arange(4)).tolist() == [0, 1, 2, 3]


def test_auc() -> None:
    labels = (LABELS > 3).astype(np.int64)
    for scores in (SCORES[:, 0], RNG.normal(size=200) + labels):
        assert metrics.auc(scores, labels) == pytest.approx(sklearn.roc_auc_score(labels, scores))
    assert metrics.auc(SCORES[:, 0], np.ones(200, np.int64)) is None


def test_errors() -> None:
    targets = RNG.normal(size=SCORES.shape)
    want = sklearn.mean_absolute_error(targets, SCORES)
    assert metrics.mean_absolute_error(SCORES, targets) == pytest.approx(want)
    assert metrics.mean_squared_error(SCORES, targets) == pytest.approx(sklearn.mean_squared_error(targets, SCORES))
