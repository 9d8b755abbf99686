"""TFLite_Detection_PostProcess, as the reference computes it: decode, sort, suppress."""

from __future__ import annotations

import math

import numpy as np

from mcugen.reference.node import Array, Node, op
from mcugen.tflite.detections import KIND, PostProcess, read_options

_F = np.float32


@op(KIND)
def detection_postprocess(node: Node) -> list[Array]:
    options = read_options(node.options)
    boxes = _decoded(node.value(0)[0], node.value(2), options)
    columns = node.value(1)[0]
    scores = columns[:, columns.shape[1] - options.classes :]
    placed = _regular(boxes, scores, options) if options.regular else _fast(boxes, scores, options)
    found = [np.zeros(tensor.shape, _F) for tensor in node.outputs]
    flat = (found[0].reshape(-1, 4), found[1].reshape(-1), found[2].reshape(-1))
    for row, box, its_class in placed:
        flat[0][row], flat[1][row], flat[2][row] = boxes[box], its_class, scores[box, its_class]
    found[3].reshape(-1)[0] = len(placed)
    return found


def _decoded(encoded: Array, anchors: Array, options: PostProcess) -> Array:
    """Corners [ymin, xmin, ymax, xmax]: in double, rounded to float32 where the reference does."""
    scales, wide, anchor = np.array(options.scales), encoded.astype(np.float64), anchors.astype(np.float64)
    centre = (wide[:, :2] / scales[:2] * anchor[:, 2:] + anchor[:, :2]).astype(_F)
    grown = np.array([[_exp(float(x)) for x in row] for row in wide[:, 2:4] / scales[2:]])
    half = (0.5 * grown.reshape(-1, 2) * anchor[:, 2:]).astype(_F)
    return np.concatenate([centre - half, centre + half], axis=1)


def _exp(x: float) -> float:
    """The C library's."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _overlap(a: Array, b: Array) -> np.float32:
    area_a, area_b = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    if area_a <= 0 or area_b <= 0:
        return _F(0)
    sides = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), _F(0))
    shared = sides[0] * sides[1]
    return _F(shared / (area_a + area_b - shared))


def _suppressed(boxes: Array, scores: Array, options: PostProcess, most: int) -> list[int]:
    """The boxes that are kept, the best first; of equal scores the first box. Boxes without extent are left out."""
    usable = ~((boxes[:, 0] >= boxes[:, 2]) | (boxes[:, 1] >= boxes[:, 3]))
    candidates = np.flatnonzero((scores >= _F(options.score_threshold)) & usable)
    kept: list[int] = []
    for box in candidates[np.argsort(-scores[candidates], kind="stable")]:
        if len(kept) == most:
            break
        if all(not _overlap(boxes[other], boxes[box]) > _F(options.overlap_threshold) for other in kept):
            kept.append(int(box))
    return kept


def _fast(boxes: Array, scores: Array, options: PostProcess) -> list[tuple[int, int, int]]:
    """(row, box, class) of every box's best classes."""
    kept = _suppressed(boxes, scores.max(axis=1), options, options.detections)
    ranked = {box: np.argsort(-scores[box], kind="stable") for box in kept}
    each = options.most_classes
    pairs = [(box, n) for box in kept for n in range(each)]
    return [(each * row + n, box, int(ranked[box][n])) for row, (box, n) in enumerate(pairs)]


def _regular(boxes: Array, scores: Array, options: PostProcess) -> list[tuple[int, int, int]]:
    """(row, box, class) of the best of all classes; of equal scores those of the first class."""
    found: list[tuple[int, int]] = []
    for its_class in range(options.classes):
        found += [(box, its_class) for box in _suppressed(boxes, scores[:, its_class], options, options.per_class)]
    found.sort(key=lambda pair: -float(scores[pair]))
    return [(row, box, its_class) for row, (box, its_class) in enumerate(found[: options.detections])]
