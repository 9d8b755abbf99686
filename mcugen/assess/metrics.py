"""Metrics, as pure functions on arrays. Where scikit-learn has the metric, the value is the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Classes = NDArray[np.int64]


def ranks(scores: NDArray[Any], labels: Classes) -> Classes:
    """Place of every true class among the scores, 0 for the best.

    Of equal scores the lower class comes first, as with argmax: int8 outputs are often equal.

    Args:
        scores: (N, classes).
        labels: (N,).
    """
    rows = np.arange(len(labels))
    true = scores[rows, labels][:, np.newaxis]
    earlier = np.arange(scores.shape[1])[np.newaxis] < labels[:, np.newaxis]
    return np.asarray(((scores > true) | ((scores == true) & earlier)).sum(axis=1), np.int64)


def top_k(scores: NDArray[Any], labels: Classes, k: int) -> float:
    """Share of samples whose true class is among the k best; k = 1 is the accuracy of argmax."""
    return float(np.mean(ranks(scores, labels) < k))


def accuracy(predicted: Classes, labels: Classes) -> float:
    """Share of samples whose predicted class (N,) is the true one."""
    return float(np.mean(predicted == labels))


def confusion(predicted: Classes, labels: Classes, classes: int) -> NDArray[np.int64]:
    """(classes, classes) counts: rows are true classes, columns predicted ones."""
    counts = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return np.asarray(counts.reshape(classes, classes), np.int64)


def macro_f1(counts: NDArray[np.int64]) -> float:
    """The mean over classes of 2·TP / (2·TP + FP + FN), from a confusion matrix.

    Classes that neither occur nor are predicted do not count.
    """
    hits = np.diag(counts).astype(np.float64)
    both = counts.sum(axis=0) + counts.sum(axis=1)
    seen = both > 0
    return float(np.mean(2 * hits[seen] / both[seen]))


def auc(scores: NDArray[Any], labels: Classes) -> float | None:
    """Area under the ROC curve of scores (N,) for class 1: the share of pairs (one of class 1, one of class 0) in
    which the first has the higher score, ties counting half (Mann-Whitney). None unless both classes occur.
    """
    positive = labels == 1
    count, rest = int(positive.sum()), int((~positive).sum())
    if not count or not rest:
        return None
    _, inverse, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    middle = ends - (sizes - 1) / 2  # the mean rank of equal scores, from 1
    total = float(middle[inverse.reshape(-1)][positive].sum())
    return (total - count * (count + 1) / 2) / (count * rest)


def mean_absolute_error(outputs: NDArray[Any], targets: NDArray[Any]) -> float:
    return float(np.mean(np.abs(outputs.astype(np.float64) - targets)))


def mean_squared_error(outputs: NDArray[Any], targets: NDArray[Any]) -> float:
    return float(np.mean((outputs.astype(np.float64) - targets) ** 2))
