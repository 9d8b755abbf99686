"""Mean average precision of detected boxes, as COCO defines it (cocodataset.org/#detection-eval).

A detection is right if it overlaps a true box of its class in its image, which no better detection took, by at least
the threshold. Detections of a class are taken from all images together, the surest first. Precision at a recall is the
best one at that recall or a higher one; the average is over the 101 recalls 0, 0.01, … 1. The mean is over the classes
that occur in the truth, and for mAP@[.5:.95] over the ten thresholds 0.5, 0.55, … 0.95.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OVERLAPS = tuple(0.5 + 0.05 * n for n in range(10))
MOST_DETECTIONS = 100
"""Of a class in an image, the surest, that count."""
_RECALLS = np.linspace(0.0, 1.0, 101)
_EPSILON = 1e-10


@dataclass(frozen=True, eq=False)
class Boxes:
    """The boxes of one image.

    Attributes:
        corners: (n, 4) ymin, xmin, ymax, xmax, in any unit.
        classes: (n,) integers.
        scores: (n,); of true boxes they do not matter.
    """

    corners: NDArray[np.float64]
    classes: NDArray[np.int64]
    scores: NDArray[np.float64]

    @property
    def count(self) -> int:
        return len(self.classes)


@dataclass(frozen=True)
class Precision:
    """Mean average precisions: over ten overlaps, and at 0.5 alone; `by_class` is the former by class number."""

    mean: float
    at_half: float
    by_class: dict[int, float]


def overlaps(found: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of boxes (n, 4) and (m, 4), (n, m); 0 where both have no area."""
    low = np.maximum(found[:, np.newaxis, :2], true[np.newaxis, :, :2])
    high = np.minimum(found[:, np.newaxis, 2:], true[np.newaxis, :, 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=2)
    areas = [np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0), axis=1) for boxes in (found, true)]
    union = areas[0][:, np.newaxis] + areas[1][np.newaxis, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def mean_average_precision(found: Sequence[Boxes], true: Sequence[Boxes]) -> Precision | None:
    """The precision of what was found in images, given what is true of them; None where nothing is true."""
    classes = sorted({int(c) for boxes in true for c in boxes.classes})
    if not classes:
        return None
    table = np.array([_of_class(found, true, c) for c in classes])
    by_class = {c: float(row.mean()) for c, row in zip(classes, table, strict=True)}
    return Precision(float(table.mean()), float(table[:, 0].mean()), by_class)


def _of_class(found: Sequence[Boxes], true: Sequence[Boxes], number: int) -> list[float]:
    """Average precision of one class at each of `OVERLAPS`."""
    scores: list[NDArray[np.float64]] = []
    right: list[NDArray[np.bool_]] = []
    wanted = 0
    for image, truth in zip(found, true, strict=True):
        ranked = np.argsort(-image.scores, kind="stable")
        mine = ranked[image.classes[ranked] == number][:MOST_DETECTIONS]
        there = truth.corners[truth.classes == number]
        wanted += len(there)
        scores.append(image.scores[mine])
        right.append(_matched(overlaps(image.corners[mine], there)))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hits = np.concatenate(right, axis=1)[:, order]
    return [_average(row, wanted) for row in hits]


def _matched(shared: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(overlaps, n) whether each detection, the surest first, takes a true box that is still free: the one that it
    overlaps most, of equal ones the last, as COCO's own program does."""
    hits = np.zeros((len(OVERLAPS), len(shared)), bool)
    for level, least in enumerate(OVERLAPS):
        free = np.ones(shared.shape[1], bool)
        for n, row in enumerate(shared):
            best = np.where(free, row, -1.0)
            if best.size and best.max() >= min(least, 1 - _EPSILON):
                taken = int(np.flatnonzero(best == best.max())[-1])
                free[taken], hits[level, n] = False, True
    return hits


def _average(hits: NDArray[np.bool_], wanted: int) -> float:
    """The area under the curve of precision over recall, at 101 points."""
    if not len(hits):
        return 0.0
    positives = np.cumsum(hits)
    recall, precision = positives / wanted, positives / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.mean([best[place] if place < len(best) else 0.0 for place in places]))
