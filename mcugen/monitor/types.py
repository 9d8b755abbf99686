"""What a monitored device tells: once what it is, then every inference, and what happened in between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mcugen.errors import DeviceError
from mcugen.graph.types import DType, Quantization, Tensor
from mcugen.tflite.detections import Places
from mcugen.tflite.types import TensorSpec


@dataclass(frozen=True)
class OpCost:
    """One op of the planned graph; `cost` in the device's unit, of one inference that paused after every op."""

    name: str
    kind: str
    cost: int


@dataclass(frozen=True)
class Block:
    """A block of the arena, in bytes, alive from op `first` to op `last`."""

    name: str
    offset: int
    size: int
    first: int
    last: int


@dataclass(frozen=True)
class Facts:
    """What a device is.

    Attributes:
        device: how people call it.
        unit: of costs: "instructions", "cycles" or "ticks".
        hz: cycles per second on hardware; 0 where costs are no time.
        ms_per_unit: nominal milliseconds on the board per unit of cost, where the device does not count cycles and the
            core has a timing (docs/TIMING.md); else 0.
        milliwatts: the board's active power; 0 where it is not published.
        places: which outputs tell what was detected in the input; None where none do, or nobody knows.
        inputs, outputs: the model's, with the batch of 1.
        ranges: per input, what the calibration samples lay between, in real units; None where nobody knows.
        ops: what each op costs; empty where it was not measured.
        blocks: the arena's; empty where they are not known.
        feed: where the inputs come from.
        notes: what was done to them, what is special about the device.
    """

    device: str
    board: str
    runtime: str
    model: str
    sha256: str
    unit: str
    hz: int
    labels: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    ranges: tuple[tuple[float, float] | None, ...]
    arena_bytes: int
    feed: str
    ops: tuple[OpCost, ...] = ()
    blocks: tuple[Block, ...] = ()
    notes: tuple[str, ...] = ()
    ms_per_unit: float = 0.0
    milliwatts: float = 0.0
    places: Places | None = None

    @property
    def counts_time(self) -> bool:
        """Costs are cycles of real hardware, so times are measured and not nominal."""
        return self.unit == "cycles" and self.hz > 0


@dataclass(frozen=True, eq=False)
class Sample:
    """One input of the model, as the device takes it.

    Attributes:
        arrays: one per model input.
        number: its position in the source.
        outside: share of the values that lie outside what the model was calibrated for, before they were clipped.
    """

    arrays: tuple[NDArray[Any], ...]
    number: int
    outside: float


@dataclass(frozen=True, eq=False)
class Reading:
    """One inference.

    Attributes:
        device: position of the device among those that are watched.
        number: counts the device's inferences from 1.
        time: seconds since 1970, when the answer was there.
        sample: what went in; its arrays are empty in recordings.
        outputs: one array per model output, in its own dtype.
        cost: in the device's unit.
        round_trip: seconds between request and answer, the link's included.
    """

    device: int
    number: int
    time: float
    sample: Sample
    outputs: tuple[NDArray[Any], ...]
    cost: int
    round_trip: float


NoteKind = Literal["lost", "back", "warning", "over", "event"]


@dataclass(frozen=True)
class Note:
    """Something that happened to a device: it was lost, is back, a warning came up, or one is over; or it told an event
    of a signal.

    `key` tells warnings apart: "stuck", "drift", "saturated 0", …
    """

    device: int
    time: float
    kind: NoteKind
    text: str
    key: str = ""


@dataclass(frozen=True)
class Opened:
    """A device answered for the first time."""

    device: int
    facts: Facts


Message = Opened | Reading | Note


def as_tensor(spec: TensorSpec) -> Tensor:
    """The tensor that a spec describes."""
    quant = Quantization((spec.scale,), (spec.zero_point,)) if spec.scale > 0 else None
    return Tensor(0, spec.name, spec.shape, DType(spec.dtype), quant, units=spec.units)


def limits(spec: TensorSpec) -> tuple[float, float] | None:
    """The reals that a quantized tensor can stand for; None where it is not quantized."""
    if spec.scale <= 0:
        return None
    info = np.iinfo(spec.dtype)
    return (info.min - spec.zero_point) * spec.scale, (info.max - spec.zero_point) * spec.scale


def reals(values: NDArray[Any], spec: TensorSpec) -> NDArray[np.float64]:
    """What a tensor's values stand for, flat; those that are not quantized as they are."""
    flat = values.reshape(-1).astype(np.float64)
    return (flat - spec.zero_point) * spec.scale if spec.scale > 0 else flat


def has_probabilities(spec: TensorSpec) -> bool:
    """Whether a quantized tensor is what SOFTMAX and LOGISTIC give: their scale and zero point are fixed."""
    return (spec.dtype, spec.scale, spec.zero_point) in (("int8", 1 / 256, -128), ("int16", 1 / 32768, 0))


def classes_output(facts: Facts) -> int | None:
    """Which output names a class: one as long as the labels are, or one of probabilities; None if none does."""
    if facts.places is not None:
        return None
    sizes = [math.prod(spec.shape) for spec in facts.outputs]
    for wanted in (len(facts.labels), 1 if len(facts.labels) == 2 else 0):
        if wanted and wanted in sizes:
            return sizes.index(wanted)
    probable = (n for n, spec in enumerate(facts.outputs) if has_probabilities(spec) and sizes[n] > 1)
    return next(probable, None)


@dataclass(frozen=True)
class SeenBox:
    """What was detected: corners as parts of the input's height and width."""

    label: str
    score: float
    ymin: float
    xmin: float
    ymax: float
    xmax: float


def seen_boxes(facts: Facts, reading: Reading) -> list[SeenBox]:
    """What an inference detected, in its order; those whose corners are not finite are left out."""
    places = facts.places
    if places is None:
        return []
    count = float(reading.outputs[places.count].reshape(-1)[0])
    corners = reading.outputs[places.boxes].reshape(-1, 4).astype(np.float64)
    classes, scores = (reading.outputs[n].reshape(-1).astype(np.float64) for n in (places.classes, places.scores))
    rows = [places.row(n) for n in range(int(count) if 0 <= count <= len(corners) else 0)]
    return [
        SeenBox(_label(facts, classes[row]), float(scores[row]), *(float(v) for v in corners[row]))
        for row in rows
        if row < len(corners) and np.isfinite(corners[row]).all() and np.isfinite([scores[row], classes[row]]).all()
    ]


def _label(facts: Facts, number: float) -> str:
    return facts.labels[int(number)] if 0 <= number < len(facts.labels) else f"{number:g}"


@dataclass(frozen=True)
class Prediction:
    """A class: its number, name, real value, and how much of a bar that is, 0 to 1."""

    index: int
    label: str
    value: float
    share: float
    is_probability: bool


def predictions(facts: Facts, reading: Reading, count: int = 3) -> tuple[Prediction, ...]:
    """The `count` likeliest classes, best first; none where no output names classes."""
    position = classes_output(facts)
    if position is None:
        return ()
    spec = facts.outputs[position]
    values = reals(reading.outputs[position], spec)
    if not np.isfinite(values).all():
        return ()
    if len(values) == 1:  # between two classes: the probability of the second
        values = np.array([1 - values[0], values[0]])
    probable = has_probabilities(spec) or (spec.scale <= 0 and values.min() >= 0 and abs(values.sum() - 1) < 1e-3)
    low, high = (0.0, 1.0) if probable else (limits(spec) or (float(values.min()), float(values.max())))
    span = high - low or 1.0
    best = np.argsort(-values, kind="stable")[:count]
    return tuple(
        Prediction(
            int(i),
            facts.labels[i] if i < len(facts.labels) else str(i),
            float(values[i]),
            min(1.0, max(0.0, (float(values[i]) - low) / span)),
            bool(probable),
        )
        for i in best
    )


def milliseconds(facts: Facts, cost: float) -> float | None:
    """A cost as time: measured, or nominal by the core's timing; None where neither is known."""
    if facts.counts_time:
        return 1000 * cost / facts.hz
    return cost * facts.ms_per_unit or None


def microjoules(facts: Facts, cost: float) -> float | None:
    """A cost as energy: its time by the board's active power; None where one of them is not known."""
    ms = milliseconds(facts, cost)
    return ms * facts.milliwatts or None if ms is not None else None


class GaveUpError(DeviceError):
    """A device that was lost did not come back in time."""
