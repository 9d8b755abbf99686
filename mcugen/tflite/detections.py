"""TFLite_Detection_PostProcess: its options, and what of its outputs it leaves unset."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.graph.types import Graph
from mcugen.tflite.fields import ints, kind_of
from mcugen.tflite.flexbuffer import Number, read_numbers
from mcugen.tflite.schema_types import ModelT

KIND = "CUSTOM:TFLite_Detection_PostProcess"

_PER_CLASS = 100
_INT32 = 1 << 31


@dataclass(frozen=True)
class PostProcess:
    """Options of the op.

    Attributes:
        detections: at most.
        each: classes per detection (fast), at most.
        per_class: detections per class (regular), at most.
        classes: without the background.
        regular: suppression by class, and not by the best class of each box.
        score_threshold, overlap_threshold: float32.
        scales: of y, x, h, w; float32.
    """

    detections: int
    each: int
    per_class: int
    classes: int
    regular: bool
    score_threshold: float
    overlap_threshold: float
    scales: tuple[float, float, float, float]

    @property
    def most_classes(self) -> int:
        """How many classes a detection has with fast suppression."""
        return min(self.each, self.classes)

    def rows(self, boxes: int) -> int:
        """Rows of the outputs that are written at most.

        Regular suppression writes all. The fast one begins a detection of n classes at row n²·k, and puts class c of it
        at row n²·k + (n + 1)·c.
        """
        return self.detections if self.regular else self.most_classes**2 * min(boxes, self.detections)


def read_options(raw: Any) -> PostProcess:
    """The options of an op, with the reference's defaults.

    Args:
        raw: `customOptions`: bytes, a vector of them, or None.

    Raises:
        ValueError: they are damaged, or of a kind that the reference would read as something else.
    """
    given = raw if isinstance(raw, bytes) else b"" if raw is None else np.asarray(raw, np.uint8).tobytes()
    numbers = read_numbers(given)
    return PostProcess(
        detections=_whole(numbers, "max_detections"),
        each=_whole(numbers, "max_classes_per_detection"),
        per_class=_whole(numbers, "detections_per_class", _PER_CLASS),
        classes=_whole(numbers, "num_classes"),
        regular=bool(numbers.get("use_regular_nms", False)),
        score_threshold=_real(numbers, "nms_score_threshold"),
        overlap_threshold=_real(numbers, "nms_iou_threshold"),
        scales=(
            _real(numbers, "y_scale"),
            _real(numbers, "x_scale"),
            _real(numbers, "h_scale"),
            _real(numbers, "w_scale"),
        ),
    )


def _whole(numbers: Mapping[str, Number], key: str, default: int = 0) -> int:
    value = numbers.get(key, default)
    if isinstance(value, float) and not value.is_integer():  # also NaN and infinities
        raise ValueError(f"{key} is {value}, no whole number")
    if not -_INT32 <= value < _INT32:
        raise ValueError(f"{key} is {value}, which is no 32-bit number")
    return int(value)


def _real(numbers: Mapping[str, Number], key: str) -> float:
    value = float(numbers.get(key, 0.0))
    with np.errstate(over="ignore"):
        rounded = float(np.float32(value))
    if not math.isfinite(rounded):
        raise ValueError(f"{key} is {value}, which is no finite float32")
    return rounded


@dataclass(frozen=True)
class Unset:
    """A use of the op whose outputs hold, beyond the detections, what the memory held before.

    TensorFlow Lite Micro's fast suppression sets the rows of detections and no others, the regular one
    max_detections rows.

    Attributes:
        outputs: ids of the tensors of boxes, classes and scores.
        count: id of the tensor that tells how many rows are set.
        each: classes per detection.
    """

    outputs: tuple[int, int, int]
    count: int
    each: int


def unset_rows(ops: Iterable[tuple[str, Any, Sequence[int]]]) -> tuple[Unset, ...]:
    """The uses of the op among ops, given as kind, options (read, or their bytes) and outputs.

    Uses whose options are damaged are left out: whoever reads the model tells.
    """
    found = []
    for kind, given, outputs in ops:
        if kind != KIND or len(outputs) != 4:
            continue
        try:
            options = given if isinstance(given, PostProcess) else read_options(given)
        except ValueError:
            continue
        boxes, classes, scores, count = outputs
        found.append(Unset((boxes, classes, scores), count, 1 if options.regular else options.most_classes))
    return tuple(found)


def unset_of_model(model: ModelT) -> tuple[Unset, ...]:
    """The same of a model file's first subgraph."""
    ops = model.subgraphs[0].operators
    return unset_rows((kind_of(model, op), op.customOptions, ints(op.outputs)) for op in ops)


@dataclass(frozen=True)
class Places:
    """Which outputs of a model hold what its post-processing found."""

    boxes: int
    classes: int
    scores: int
    count: int
    each: int
    """Classes per detection; see `PostProcess.rows`."""

    def row(self, index: int) -> int:
        """The row of detection `index`."""
        return self.each * index + index % self.each


def places_of(ops: Iterable[tuple[str, Any, Sequence[int]]], outputs: Sequence[int]) -> Places | None:
    """Where a model's outputs hold the detections; None where they do not, or not all of them.

    Args:
        ops: as for `unset_rows`.
        outputs: ids of the model's outputs.
    """
    for use in unset_rows(ops):
        wanted = (*use.outputs, use.count)
        if all(i in outputs for i in wanted):
            boxes, classes, scores, count = (list(outputs).index(i) for i in wanted)
            return Places(boxes, classes, scores, count, use.each)
    return None


def places_of_graph(graph: Graph) -> Places | None:
    """The same of a graph."""
    return places_of(((op.kind, op.options, op.outputs) for op in graph.ops), graph.outputs)


def places_of_model(model: ModelT) -> Places | None:
    """The same of a model file's first subgraph."""
    main = model.subgraphs[0]
    ops = ((kind_of(model, op), op.customOptions, ints(op.outputs)) for op in main.operators)
    return places_of(ops, ints(main.outputs))


def detected_outputs(model: ModelT) -> frozenset[int]:
    """Positions of the model's outputs that its post-processing makes."""
    outputs = ints(model.subgraphs[0].outputs)
    made = {i for use in unset_of_model(model) for i in (*use.outputs, use.count)}
    return frozenset(n for n, i in enumerate(outputs) if i in made)


def settled(unset: Sequence[Unset], ids: Sequence[int], values: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Tensors with zeros in the rows that were not set.

    Args:
        ids: which tensors `values` are. A use whose count is not among them is left as it is.
    """
    made = list(values)
    for use in unset:
        if use.count not in ids:
            continue
        count = int(np.nan_to_num(values[list(ids).index(use.count)].reshape(-1)[0]))
        for position, i in enumerate(ids):
            if i in use.outputs:
                made[position] = _cleared(made[position], use, count, 4 if i == use.outputs[0] else 1)
    return made


def _cleared(values: NDArray[Any], use: Unset, count: int, width: int) -> NDArray[Any]:
    """`values` with zeros but in the rows of `count` / `each` detections, each of `width` numbers."""
    rows = values.size // width
    n = np.arange(max(count, 0))
    written = use.each * n + n % use.each  # detection k begins at row each²·k
    cleared = np.zeros((rows, width), values.dtype)
    written = written[written < rows]
    cleared[written] = values.reshape(rows, width)[written]
    return cleared.reshape(values.shape)
