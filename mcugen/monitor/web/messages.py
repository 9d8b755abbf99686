"""What the page is told, as JSON. Names may be anything: the page shows them as text."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.convert.data_specs import sample_shape
from mcugen.monitor.state import DeviceState
from mcugen.monitor.types import Facts, Note, Reading, limits, microjoules, milliseconds, predictions, reals, seen_boxes
from mcugen.tflite.types import TensorSpec

MAX_VALUES = 512
"""Of an output; of larger ones the page gets an excerpt."""
MAX_WAVE = 1024
MAX_SIDE = 128
_CLASSES = 5


def opened(number: int, state: DeviceState) -> dict[str, Any]:
    """A device as the page first hears of it: what it is, and all that was seen until now."""
    facts = state.facts
    return {
        "type": "device",
        "device": number,
        "name": facts.device,
        "model": facts.model,
        "board": facts.board,
        "runtime": facts.runtime,
        "sha256": facts.sha256,
        "unit": facts.unit,
        "measured": facts.counts_time,
        "feed": facts.feed,
        "notes": list(facts.notes),
        "inputs": [_tensor(spec) for spec in facts.inputs],
        "outputs": [_tensor(spec) for spec in facts.outputs],
        "ops": [{"name": op.name, "kind": op.kind, "cost": op.cost} for op in facts.ops],
        "arena": facts.arena_bytes,
        "blocks": [
            {"name": b.name, "offset": b.offset, "size": b.size, "first": b.first, "last": b.last} for b in facts.blocks
        ],
        "costs": list(state.costs),
        "log": [note(number, item, state) for item in state.log],
    }


def reading(number: int, message: Reading, state: DeviceState, costs: Sequence[int]) -> dict[str, Any]:
    """The last inference; `costs` of it and of those before that the page was not told of."""
    facts = state.facts
    ms = milliseconds(facts, message.cost)
    return {
        "type": "reading",
        "device": number,
        "number": message.number,
        "time": message.time,
        "sample": message.sample.number,
        "outside": message.sample.outside,
        "cost": message.cost,
        "ms": ms,
        "uj": microjoules(facts, message.cost),
        "costs": list(costs),
        "lowest": state.lowest_cost,
        "highest": state.highest_cost,
        "round_trip": message.round_trip,
        "rate": state.rate(),
        "classes": [
            {"label": p.label, "value": _finite(p.value), "share": p.share, "probability": p.is_probability}
            for p in predictions(facts, message, _CLASSES)
        ],
        "outputs": [_values(a, s) for a, s in zip(message.outputs, facts.outputs, strict=True)],
        "input": _input(facts, message),
        "boxes": [vars(box) for box in seen_boxes(facts, message)],
        "warnings": list(state.warnings.values()),
        "connected": state.connected,
    }


def note(number: int, message: Note, state: DeviceState) -> dict[str, Any]:
    """Something that happened."""
    return {
        "type": "note",
        "device": number,
        "time": message.time,
        "kind": message.kind,
        "text": message.text,
        "warnings": list(state.warnings.values()),
        "connected": state.connected,
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "shape": list(spec.shape), "dtype": spec.dtype}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _values(array: NDArray[Any], spec: TensorSpec) -> dict[str, Any]:
    values = reals(array, spec)
    return {
        "count": len(values),
        "raw": [_finite(v) for v in array.reshape(-1)[:MAX_VALUES].tolist()],
        "real": [_finite(v) for v in values[:MAX_VALUES].tolist()],
    }


def _input(facts: Facts, message: Reading) -> dict[str, Any] | None:
    """The first input as bytes from 0 (the least it can be) to 255; None where a recording did not keep it."""
    if not message.sample.arrays:
        return None
    spec = facts.inputs[0]
    shape = sample_shape(spec)
    values = np.nan_to_num(reals(message.sample.arrays[0], spec), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = limits(spec) or (float(values.min()), float(values.max()))
    span = high - low or 1.0
    if len(shape) == 3 and shape[2] in (1, 3) and min(shape[:2]) >= 4:
        image = _smaller(values.reshape(shape))
        rows, columns, channels = image.shape
        level = np.clip(255 * (image - low) / span, 0, 255).astype(np.uint8)
        kind = {"kind": "image", "rows": rows, "columns": columns, "channels": channels}
    else:
        wave = _envelope(values)
        level = np.clip(255 * (wave - low) / span, 0, 255).astype(np.uint8)
        kind = {"kind": "wave", "values": len(values)}
    return {**kind, "low": low, "high": high, "data": base64.b64encode(level.tobytes()).decode()}


def _smaller(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """An image of at most `MAX_SIDE` pixels each way: blocks of pixels are averaged."""
    step = max(1, -(-image.shape[0] // MAX_SIDE), -(-image.shape[1] // MAX_SIDE))
    rows, columns = image.shape[0] // step, image.shape[1] // step
    if step == 1 or not rows or not columns:
        return image
    cut = image[: rows * step, : columns * step]
    averaged: NDArray[np.float64] = cut.reshape(rows, step, columns, step, -1).mean(axis=(1, 3))
    return averaged


def _envelope(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A wave of at most `MAX_WAVE` values: the lowest and the highest of every piece."""
    if len(values) <= MAX_WAVE:
        return values
    pieces = np.array_split(values, MAX_WAVE // 2)
    return np.array([limit for piece in pieces for limit in (piece.min(), piece.max())])
