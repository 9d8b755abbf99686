"""What a device detected in the first of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.assess import Boxes, found_boxes
from mcugen.errors import DataError
from mcugen.flow.ready import Ready
from mcugen.graph.types import Graph
from mcugen.report.boxes import MOST, image_shape, paint, pixels_of
from mcugen.tflite.detections import places_of_graph

HINT = "docs/DETECTION.md says which models detect"


def check_drawable(ready: Ready) -> None:
    """Refuse a model whose detections cannot be painted on its input.

    Raises:
        DataError: it has none, or its input is no image.
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
