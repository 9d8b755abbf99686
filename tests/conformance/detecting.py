"""Cases of TFLite_Detection_PostProcess."""

from __future__ import annotations

import numpy as np
from flatbuffers import flexbuffers

from tests.conformance.draw import Case, Draw, Generate
from tests.kernels.single_op import Node, TensorSpec, constant


def _post_process(d: Draw) -> Case:
    """Boxes and scores come as they are, or from int8, with many equal scores. Boxes overlap, and none has no extent,
    at which the reference stops."""
    count, classes, regular = d.integer(1, 40), d.integer(1, 5), d.chance()
    detections, each = d.integer(2, 12), d.pick([1, 1, 1, 2, 3])
    told = {
        "max_detections": detections,
        "max_classes_per_detection": each,
        "num_classes": classes,
        "nms_score_threshold": d.pick([-1.0, 0.0, 0.1, 0.5, 1e-8]),
        "nms_iou_threshold": d.pick([0.05, 0.3, 0.5, 0.6, 1.0]),
        "y_scale": d.pick([10.0, 1.0]),
        "x_scale": d.pick([10.0, 0.7]),
        "h_scale": d.pick([5.0, 1.3]),
        "w_scale": d.pick([5.0, 2.0]),
        **({"use_regular_nms": True} if regular else d.pick([{}, {"use_regular_nms": False}])),
        **({"detections_per_class": d.integer(1, 100)} if d.chance() else {}),
    }
    # TFLM's scratch has room for max_detections times the boxes; what it merges has to fit.
    detections_room = detections * count >= detections + count
    if regular and not detections_room:
        return _post_process(d)
    taken = min(each, classes)
    rows = detections if regular else taken**2 * min(count, detections)
    rows += d.pick([0, 0, 2])
    boxes = TensorSpec((1, count, d.pick([4, 4, 6])), "float32")
    scores = TensorSpec((1, count, classes + d.integer(0, 1)), "float32")
    places = d.rng.uniform(0, 1, (count, 2)), d.rng.uniform(0.05, 0.6, (count, 2))
    anchors = constant(np.concatenate(places, axis=1).astype(np.float32))
    outputs = [TensorSpec(shape, "float32") for shape in ((1, rows, 4), (1, rows), (1, rows), (1,))]
    nodes, limits = [], {boxes: (-1.0, 1.0), scores: (0.0, 1.0)}
    if d.chance():
        raw = [TensorSpec(boxes.shape, "int8", 0.01, 3), TensorSpec(scores.shape, "int8", 1 / 256, -128)]
        nodes = [Node("DEQUANTIZE", None, [x], [y]) for x, y in zip(raw, (boxes, scores), strict=True)]
        limits = {raw[1]: (-128, d.pick([-120, 127]))}
    op = Node(d.kind, bytes(flexbuffers.Dumps(told)), [boxes, scores, anchors], outputs)
    return Case((*nodes, op), tuple(outputs), limits)


GENERATORS: dict[str, Generate] = {"CUSTOM:TFLite_Detection_PostProcess": _post_process}
