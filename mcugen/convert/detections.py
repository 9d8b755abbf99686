"""Puts TFLite_Detection_PostProcess behind a detector that gives encoded boxes and scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flatbuffers import flexbuffers
from numpy.typing import NDArray

from mcugen.convert.load import load_tflite
from mcugen.convert.sources import identify
from mcugen.errors import DataError, ModelError
from mcugen.tflite import fields as flat
from mcugen.tflite.detections import KIND
from mcugen.tflite.grafts import Graft
from mcugen.tflite.opened import packed
from mcugen.tflite.schema import load_schema, type_name

NAMES = ("detection_boxes", "detection_classes", "detection_scores", "num_detections")


def with_detections(
    source: object,
    anchors: NDArray[np.floating],
    *,
    max_detections: int = 10,
    score_threshold: float = 0.5,
    overlap_threshold: float = 0.5,
    regular: bool = False,
    background: bool = True,
    scales: Sequence[float] = (10.0, 10.0, 5.0, 5.0),
    boxes: int | None = None,
) -> bytes:
    """A detector whose outputs are detections: ymin, xmin, ymax, xmax, classes, scores, and how many there are.

    Args:
        source: any model that :func:`mcugen.convert.convert` takes, with two outputs: boxes (1, N, 4), encoded as
            y, x, h, w relative to their anchors, and scores (1, N, classes). Those of int8 are dequantized first.
        anchors: (N, 4) of y, x, h, w: centres and sizes as parts of the image.
        regular: suppress class by class, and not each box by its best class.
        background: the first score of a box is that of no class.
        scales: that encodings were multiplied with in training, of y, x, h, w.
        boxes: which output has the boxes, where their shapes do not tell.

    Returns:
        a `.tflite`.

    Raises:
        ModelError: other outputs.
        DataError: anchors that do not fit.
    """
    model = load_tflite(identify(source), None, None).model.copy()
    main = model.subgraphs[0]
    outputs = flat.ints(main.outputs)
    shapes = [flat.shape_of(main.tensors[i]) for i in outputs]
    first = _boxes(shapes) if boxes is None else boxes
    if len(outputs) != 2 or first not in (0, 1) or shapes[first][2:] != (4,) or len(shapes[1 - first]) != 3:
        raise ModelError(
            f"has outputs of the shapes {shapes}, not boxes (1, N, 4) and scores (1, N, classes)",
            hint="Reshape and join the heads, and pass boxes=0 or 1, the number of the output that has them",
        )
    count, columns = shapes[first][1], shapes[1 - first][2]
    given = np.asarray(anchors, np.float32)
    if given.shape != (count, 4) or not np.isfinite(given).all() or (given[:, 2:] <= 0).any():
        raise DataError(
            f"the anchors are {given.shape}, and the model has {count} boxes"
            if given.shape != (count, 4)
            else "the anchors hold sizes that are not above 0",
            where="anchors",
            hint="Give (N, 4) of y, x, h, w, as parts of the image",
        )
    graft = Graft(model, main, "detections")
    real = [_real(graft, outputs[n]) for n in (first, 1 - first)]
    options = {
        "max_detections": max_detections,
        "max_classes_per_detection": 1,
        "detections_per_class": 100,
        "use_regular_nms": regular,
        "nms_score_threshold": float(score_threshold),
        "nms_iou_threshold": float(overlap_threshold),
        "num_classes": columns - background,
        **dict(zip(("y_scale", "x_scale", "h_scale", "w_scale"), map(float, scales), strict=True)),
    }
    rows = (1, max_detections)
    made = [graft.activation(shape) for shape in ((*rows, 4), rows, rows, (1,))]
    for i, name in zip(made, NAMES, strict=True):
        main.tensors[i].name = name
    schema = load_schema()
    name = KIND.removeprefix("CUSTOM:")
    model.operatorCodes.append(
        schema.OperatorCodeT(builtinCode=schema.BuiltinOperator.CUSTOM, deprecatedBuiltinCode=32, customCode=name)
    )
    op = schema.OperatorT(opcodeIndex=len(model.operatorCodes) - 1)
    op.inputs = np.array([*real, graft.constant(given)], np.int32)
    op.outputs = np.array(made, np.int32)
    op.customOptions = np.frombuffer(bytes(flexbuffers.Dumps(options)), np.uint8)
    main.operators = [*main.operators, *graft.made, op]
    main.outputs = np.array(made, np.int32)
    model.signatureDefs = None  # they name the outputs that were
    return packed(model).data


def _boxes(shapes: Sequence[tuple[int, ...]]) -> int:
    """Which of two outputs has the boxes; -1 where their shapes do not tell."""
    four = [n for n, shape in enumerate(shapes) if len(shape) == 3 and shape[2] == 4]
    return four[0] if len(four) == 1 else -1


def _real(graft: Graft, i: int) -> int:
    """A tensor as float32."""
    tensor = graft.tensors[i]
    if type_name(tensor.type) == "float32":
        return i
    return graft.add("DEQUANTIZE", [i], graft.activation(flat.shape_of(tensor)), version=2)
