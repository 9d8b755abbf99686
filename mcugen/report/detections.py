"""What a device detected in the first of its inputs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcugen.assess import Boxes, found_boxes
from mcugen.errors import DataError
from mcugen.flow.ready import Ready
from mcugen.graph.types import Graph
from mcugen.report.boxes import MOST, image_shape, name_of, paint, pixels_of, png
from mcugen.tflite.detections import places_of_graph

if TYPE_CHECKING:
    from mcugen.flow.proof import Proof

_CORNERS = ("ymin", "xmin", "ymax", "xmax")
HINT = "docs/DETECTION.md says which models detect"


def check_drawable(ready: Ready) -> None:
    """Refuse a model whose detections cannot be painted on its input.

    Raises:
        DataError: it has none, or its input is not one.
    """
    graph = ready.plan.graph
    if ready.model.app is not None or places_of_graph(graph) is None:
        raise DataError(
            "the model gives no boxes that could be drawn: its outputs are not those of TFLite_Detection_PostProcess",
            where="`draw`",
            hint=HINT,
        )
    if len(graph.inputs) != 1 or image_shape(graph.tensor(graph.inputs[0])) is None:
        raise DataError(
            "boxes are drawn on images, and the model's input is not one of 1 or 3 channels", where="`draw`", hint=HINT
        )


def drawn(
    ready: Ready, samples: Sequence[Sequence[NDArray[Any]]], outputs: Sequence[NDArray[Any]], names: Sequence[str] = ()
) -> bytes:
    """The first samples with what was detected in them, as PNG.

    Args:
        outputs: one (N, …) array per output.
    """
    graph = ready.plan.graph
    found = detected(graph, [values[:MOST] for values in outputs])
    tensor = graph.tensor(graph.inputs[0])
    return paint([pixels_of(sample[0], tensor) for sample in samples[: len(found)]], found, names)


def detected(graph: Graph, outputs: Sequence[NDArray[np.generic]]) -> list[Boxes]:
    """The boxes in outputs, one (N, …) array each, of a model that has them."""
    places = places_of_graph(graph)
    assert places is not None, graph.name
    return found_boxes(outputs, places)


def detection_facts(proof: Proof) -> list[dict[str, Any]] | None:
    """The first images that ran, each as PNG in Base64, with the boxes that the device found; None of other models."""
    graph = proof.plan.graph
    if not proof.seen or proof.judged is None or image_shape(graph.tensor(graph.inputs[0])) is None:
        return None
    names = proof.ready.project.manifest.labels
    tensor, given = graph.tensor(graph.inputs[0]), proof.judged.outputs[: len(proof.seen)]
    found = detected(graph, [np.stack(column) for column in zip(*given, strict=True)])
    return [_facts(pixels_of(image, tensor), boxes, names) for image, boxes in zip(proof.seen, found, strict=True)]


def _facts(image: NDArray[np.uint8], boxes: Boxes, names: Sequence[str]) -> dict[str, Any]:
    listed = zip(boxes.classes.tolist(), boxes.scores.tolist(), boxes.corners.tolist(), strict=True)
    return {
        "rows": image.shape[0],
        "columns": image.shape[1],
        "png": base64.b64encode(png(image)).decode(),
        "boxes": [
            {"label": name_of(label, names), "score": score, **dict(zip(_CORNERS, corners, strict=True))}
            for label, score, corners in listed
            if np.isfinite(corners).all() and np.isfinite(score)
        ],
    }
