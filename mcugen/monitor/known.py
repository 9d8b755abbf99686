"""What a project tells about its device that the device itself does not: names, ranges, the arena."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcugen.errors import ProjectError
from mcugen.graph.types import Tensor
from mcugen.monitor.sources import Range
from mcugen.monitor.types import Block
from mcugen.monitor.watch import Known
from mcugen.ops.moving.gather import index_limit
from mcugen.reading import parsing
from mcugen.runtimes.aot.plan.types import Plan
from mcugen.runtimes.program import Program
from mcugen.tflite.detections import places_of_graph
from mcugen.tflite.types import TensorSpec


def know(plan: Program, labels: Sequence[str], quantization: Path, *, trusted: bool) -> Known:
    """What is known of a model from its plan.

    Args:
        labels: class names; may be none.
        quantization: the file in the project that says how the model was quantized; it may be missing.
        trusted: False if that was done with random data.

    Raises:
        ProjectError: the file is damaged.
    """
    graph = plan.graph
    found = read_ranges(quantization)
    inputs = plan.input_tensors()
    notes = () if trusted else ("the model was quantized with random data: its outputs are meaningless",)
    return Known(
        model=graph.name,
        inputs=tuple(_spec(tensor) for tensor in inputs),
        outputs=tuple(_spec(tensor) for tensor in plan.output_tensors()),
        labels=tuple(labels),
        ranges=tuple(found.get(tensor.name) for tensor in inputs),
        indices=tuple(index_limit(graph, i) for i in graph.inputs),
        ops=tuple((step.op.name, step.op.kind) for step in plan.steps),
        blocks=_blocks(plan) if isinstance(plan, Plan) else (),
        stateful=plan.stateful,
        sequences=graph.sequences,
        notes=(*notes, *plan.warnings),
        places=places_of_graph(graph),
    )


def read_ranges(path: Path) -> dict[str, Range]:
    """What tensors lay between during calibration, by name; nothing where the project does not say.

    Raises:
        ProjectError: the file is damaged.
    """
    if not path.exists():
        return {}
    with parsing(lambda _: ProjectError("cannot be read", where=str(path), hint="Generate the project again")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        return {str(item["name"]): _range(item) for item in facts["ranges"]}


def _range(item: Any) -> Range:
    low, high = float(item["minimum"]), float(item["maximum"])
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("a range that is not finite")
    return (low, high) if low < high else None


def _spec(tensor: Tensor) -> TensorSpec:
    quantized = tensor.quant is not None and not tensor.quant.per_channel
    scale, zero_point = (tensor.scale, tensor.zero_point) if quantized else (0.0, 0)
    return TensorSpec(tensor.name, tensor.shape, tensor.dtype.value, scale, zero_point, tensor.units)


def _blocks(plan: Plan) -> tuple[Block, ...]:
    names = plan.graph.tensors
    return tuple(
        Block(
            ", ".join(names[i].name for i in buffer.tensors) or f"scratch of {plan.steps[buffer.first].op.name}",
            buffer.offset,
            buffer.size,
            buffer.first,
            buffer.last,
        )
        for buffer in plan.buffers
    )
