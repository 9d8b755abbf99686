"""TFLite_Detection_PostProcess: an SSD's encoded boxes and scores to detections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mcugen.graph.types import Graph, Op, Tensor
from mcugen.ops import float32
from mcugen.ops.base import KernelCall, Lowering, OpSpec, Target
from mcugen.tflite.detections import KIND, PostProcess, read_options


def _parse(raw: Any, _inputs: Sequence[Tensor | None], _outputs: Sequence[Tensor]) -> PostProcess:
    return read_options(raw)


def _operands(_graph: Graph, op: Op) -> str | None:
    """Three inputs: boxes, scores and anchors; four outputs: boxes, classes, scores and their number."""
    if len(op.inputs) != 3 or len(op.outputs) != 4 or min(op.inputs) < 0:
        return f"it has {len(op.inputs)} inputs and {len(op.outputs)} outputs, not 3 and 4"
    return None


def _shapes(graph: Graph, op: Op) -> str | None:
    """Boxes are [1, count, 4 or more], scores [1, count, classes] or one column more, anchors [count, 4]."""
    boxes, scores, anchors = (graph.tensor(i).shape for i in op.inputs)
    classes = op.options.classes
    fits = (
        len(boxes) == 3
        and boxes[0] == 1
        and boxes[1] > 0
        and boxes[2] >= 4
        and scores in ((1, boxes[1], classes), (1, boxes[1], classes + 1))
        and anchors == (boxes[1], 4)
    )
    return None if fits else f"boxes are {boxes}, scores {scores} of {classes} classes, anchors {anchors}"


def _limits(_graph: Graph, op: Op) -> str | None:
    """max_detections, num_classes, and max_classes_per_detection (fast) or detections_per_class (regular) are above 0;
    nms_iou_threshold is above 0 and not above 1; no scale is 0."""
    o: PostProcess = op.options
    limits = {"max_detections": o.detections, "num_classes": o.classes}
    limits |= {"detections_per_class": o.per_class} if o.regular else {"max_classes_per_detection": o.each}
    for name, value in limits.items():
        if value < 1:
            return f"{name} is {value}"
    if not 0.0 < o.overlap_threshold <= 1.0:
        return f"nms_iou_threshold is {o.overlap_threshold:g}"
    return "one of y_scale, x_scale, h_scale, w_scale is 0" if 0.0 in o.scales else None


def _room(graph: Graph, op: Op) -> str | None:
    """The outputs have static shapes of so many rows as the reference writes: max_detections, times the square of
    max_classes_per_detection where that is above 1."""
    boxes, classes, scores, number = (graph.tensor(i).elements for i in op.outputs)
    if boxes != 4 * classes or scores != classes or number != 1:
        return f"its outputs have {boxes}, {classes}, {scores} and {number} elements"
    needed = op.options.rows(graph.tensor(op.inputs[0]).shape[1])
    return None if classes >= needed else f"the outputs have {classes} rows, and the reference writes {needed}"


def _last(graph: Graph, op: Op) -> str | None:
    """The outputs are outputs of the model, the number of detections among them: rows without a detection are not set.
    With regular suppression and max_detections rows all are."""
    if op.options.regular and graph.tensor(op.outputs[1]).elements == op.options.detections:
        return None
    used = {i for other in graph.ops for i in other.inputs}
    taken = [graph.tensor(i).name for i in op.outputs if i in used]
    if taken:
        return f'"{taken[0]}" is used by another op'
    return None if op.outputs[3] in graph.outputs else "the number of detections is no output of the model"


def _lower(graph: Graph, op: Op, _target: Target) -> Lowering:
    o: PostProcess = op.options
    boxes, scores = (graph.tensor(i).shape for i in op.inputs[:2])
    count = boxes[1]
    beside = 16 * min(count, o.per_class) if o.regular else 4 * count
    call = KernelCall(
        kernel="mcg_detection_postprocess_f32",
        params=(
            ("count", count),
            ("encoding", boxes[2]),
            ("columns", scores[2]),
            ("classes", o.classes),
            ("rows", graph.tensor(op.outputs[1]).elements),
            ("detections", o.detections),
            ("each", o.per_class if o.regular else o.most_classes),
            ("regular", int(o.regular)),
            ("score_threshold", o.score_threshold),
            ("overlap_threshold", o.overlap_threshold),
            ("scales", o.scales),
        ),
        inputs=op.inputs,
        outputs=op.outputs,
        scratch_bytes=4 * count + beside,
    )
    return Lowering((call,))


SPEC = OpSpec(
    kind=KIND,
    lower=_lower,
    constraints=(_operands, float32.all_float, _shapes, _limits, _room, _last),
    parse=_parse,
    types=float32.TYPES,
)
