"""Boxes out of a detector's outputs, and out of labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mcugen.assess.average_precision import Boxes
from mcugen.convert.types import Samples
from mcugen.errors import DataError
from mcugen.tflite.detections import Places

_COLUMNS = 5
HINT = (
    'Give "y" as (samples, boxes, 5): class, ymin, xmin, ymax, xmax as parts of the image, and -1 as the class of rows '
    "without a box"
)


def found_boxes(outputs: Sequence[NDArray[np.generic]], places: Places) -> list[Boxes]:
    """What a detector found, by sample.

    Args:
        outputs: real values, one (N, …) array per output of the model.
    """
    count = np.asarray(outputs[places.count], np.float64).reshape(-1)
    samples = len(count)
    corners = np.asarray(outputs[places.boxes], np.float64).reshape(samples, -1, 4)
    classes = np.asarray(outputs[places.classes], np.float64).reshape(samples, -1).astype(np.int64)
    scores = np.asarray(outputs[places.scores], np.float64).reshape(samples, -1)
    found = []
    for n, most in enumerate(np.clip(np.nan_to_num(count), 0, corners.shape[1]).astype(np.int64)):
        rows = np.array([row for row in map(places.row, range(most)) if row < corners.shape[1]], np.int64)
        found.append(Boxes(corners[n, rows], classes[n, rows], scores[n, rows]))
    return found


def true_boxes(samples: Samples) -> list[Boxes]:
    """What labels say is there, by sample.

    Raises:
        DataError: they are no boxes.
    """
    given = samples.targets
    assert given is not None
    if given.ndim != 3 or given.shape[2] != _COLUMNS or given.dtype.kind not in "biuf":
        raise _refused(samples, f"the model detects boxes, and the labels are {given.dtype}{list(given.shape)}")
    values = given.astype(np.float64)
    if not np.isfinite(values).all():
        raise _refused(samples, "the labels hold values that are NaN or infinite")
    there = values[:, :, 0] >= 0
    sizes = values[:, :, 3:] - values[:, :, 1:3]
    if np.any(values[:, :, 0] != np.floor(values[:, :, 0])):
        raise _refused(samples, "the labels hold a class that is no whole number")
    wrong = np.argwhere(there & (sizes <= 0).any(axis=2))
    if len(wrong):
        sample, box = wrong[0]
        raise _refused(samples, f"box {box} of sample {sample} ends before it begins")
    return [
        Boxes(row[here, 1:], row[here, 0].astype(np.int64), np.ones(int(here.sum())))
        for row, here in zip(values, there, strict=True)
    ]


def _refused(samples: Samples, what: str) -> DataError:
    return DataError(what, where=samples.origin, hint=HINT)
