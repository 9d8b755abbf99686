"""A signal through a device, compared with the reference: rows, outputs and events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.decisions import KINDS, Decision
from mcugen.decisions.boxes import UNIT
from mcugen.device.device import Device
from mcugen.device.signals import SignalDevice, Told, ToldEvent
from mcugen.errors import DataError
from mcugen.flow.sensors import Recordings
from mcugen.frontends import rows_of
from mcugen.oracle.oracle import Reference
from mcugen.pipeline.app import App
from mcugen.pipeline.reference import Event, Running
from mcugen.progress import Share

MOST_EVENTS = 1000
"""That are listed; all are compared."""


@dataclass(frozen=True)
class EventBox:
    """A box of an event, for people."""

    label: str
    score: float
    ymin: float
    xmin: float
    ymax: float
    xmax: float


@dataclass(frozen=True)
class FoundEvent:
    """An event of the device's, for people: `seconds` of the recording; None where the signal has no rate.

    `boxes` are those of its inference, corners as parts of the image; empty where the decision gives none.
    """

    recording: str
    kind: str
    label: str
    frame: int
    seconds: float | None
    score: float
    boxes: tuple[EventBox, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        seconds = round(self.seconds, 4) if self.seconds is not None else None
        boxes = [vars(box) | {"score": round(box.score, 6)} for box in self.boxes]
        return {**vars(self), "seconds": seconds, "score": round(self.score, 6), "boxes": boxes}


@dataclass(frozen=True, eq=False)
class SignalVerdict:
    """What verification of a signal found.

    Attributes:
        frames, seconds: of all recordings; seconds is None where the signal has no rate.
        rows, inferences, events: of the device; `wrong_rows` and so on differ from the reference's.
        tolerance: how far a value of a row may be off; 0: bit for bit. Outputs and events are those of the device's
            rows, and always bit for bit.
        first: the first difference, in a sentence; "" where there is none.
        cost: of all frames, in `unit`; stack: bytes that a step took.
        listed: the events.
        outputs: of the device, of every inference in order: (inferences, bytes).
    """

    recordings: int
    frames: int
    seconds: float | None
    rows: int
    inferences: int
    events: int
    wrong_rows: int
    wrong_outputs: int
    wrong_events: int
    tolerance: float
    first: str
    cost: int
    unit: str
    stack: int
    ram: int
    decides: bool
    listed: tuple[FoundEvent, ...] = ()
    outputs: NDArray[np.uint8] = field(repr=False, default_factory=lambda: np.empty((0, 0), np.uint8))

    @property
    def passed(self) -> bool:
        return not (self.wrong_rows or self.wrong_outputs or self.wrong_events)

    @property
    def output_moves(self) -> bool:
        """Not all inferences gave the same."""
        return len(self.outputs) > 1 and bool((self.outputs != self.outputs[0]).any())

    @property
    def cost_per_second(self) -> float | None:
        """Of signal."""
        return self.cost / self.seconds if self.seconds else None

    def to_dict(self) -> dict[str, Any]:
        per_second = self.cost_per_second
        return {
            "passed": self.passed,
            "recordings": self.recordings,
            "frames": self.frames,
            "seconds": round(self.seconds, 4) if self.seconds is not None else None,
            "rows": {"total": self.rows, "differing": self.wrong_rows, "tolerance": self.tolerance},
            "inferences": {"total": self.inferences, "differing": self.wrong_outputs},
            "events": {
                "total": self.events,
                "differing": self.wrong_events,
                "listed": [event.to_dict() for event in self.listed[:MOST_EVENTS]],
            },
            "first_difference": self.first,
            "cost": {
                "unit": self.unit,
                "total": self.cost,
                "per_second": round(per_second) if per_second is not None else None,
            },
            "stack": self.stack,
            "ram": self.ram,
        }


def samples_of(app: App, recordings: Recordings, oracle: Reference, most: int) -> list[list[NDArray[Any]]]:
    """The first inputs of the model that recordings lead to, for what is measured of the model alone.

    Raises:
        DataError: they are too short for any.
    """
    found: list[list[NDArray[Any]]] = []
    running = Running(app, oracle)
    for recording in recordings.items:
        running.reset()
        for step in running.push(recording.frames):
            if step.given is not None:
                found.append([step.given])
            if len(found) >= most:
                return found
    if not found:
        raise too_short(app, recordings)
    return found


def verify_signal(
    device: Device, app: App, oracle: Reference, recordings: Recordings, ram: int, progress: Share | None = None
) -> SignalVerdict:
    """Push recordings through a device, each from a fresh start, and compare all that comes out with the reference.

    Raises:
        DeviceError: a fault, or no answer.
    """
    return _Comparison(device, app, oracle, ram).run(recordings, progress)


@dataclass(frozen=True, eq=False)
class SignalRun:
    """What recordings led to on a device: inferences as (outputs, …) in order, and events.

    Attributes:
        costs: by recording, of all its frames.
    """

    recordings: int
    frames: int
    seconds: float | None
    outputs: tuple[NDArray[Any], ...]
    events: tuple[FoundEvent, ...]
    costs: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "recordings": self.recordings,
            "frames": self.frames,
            "seconds": round(self.seconds, 4) if self.seconds is not None else None,
            "inferences": len(self.outputs[0]),
            "events": [event.to_dict() for event in self.events],
        }


def run_signal(device: Device, app: App, recordings: Recordings, progress: Share | None = None) -> SignalRun:
    """Push recordings through a device, each from a fresh start; nothing is compared.

    Raises:
        DataError: they are too short for an inference.
        DeviceError: a fault, or no answer.
    """
    pushed = SignalDevice(device, app.pipeline.signal.frame_bytes)
    events: list[FoundEvent] = []
    outputs: list[bytes] = []
    costs = []
    for number, recording in enumerate(recordings.items):
        pushed.reset()
        pushed.cost = 0
        for told in pushed.push(recording.frames):
            if told.outputs is not None:
                outputs.append(told.outputs)
            if told.event is not None:
                events.append(found_event(app, told.event, recording.name))
        costs.append(pushed.cost)
        if progress is not None:
            progress((number + 1) / len(recordings.items))
    if not outputs:
        raise too_short(app, recordings)
    arrays, at = [], 0
    for info in device.outputs:
        raw = b"".join(one[at : at + info.nbytes] for one in outputs)
        arrays.append(np.frombuffer(raw, info.dtype.numpy.newbyteorder("<")).reshape(len(outputs), *info.shape))
        at += info.nbytes
    seconds = app.seconds(recordings.frames)
    return SignalRun(len(recordings.items), recordings.frames, seconds, tuple(arrays), tuple(events), tuple(costs))


def too_short(app: App, recordings: Recordings) -> DataError:
    return DataError(
        f"is too short for an inference, which takes {app.frames_first:,} frames",
        where=recordings.origin,
        hint="Pass longer recordings",
    )


def found_event(app: App, event: ToldEvent, recording: str) -> FoundEvent:
    """A device's event with its label's name, its time and its real score."""
    decision = app.decision
    label, score = f"label {event.label}", float(event.score)
    boxes: tuple[EventBox, ...] = ()
    if decision is not None:
        score = decision.real(event.score)
        label = _named(decision, event.label)
        boxes = tuple(box_of(decision, box[0], box[1], box[2:]) for box in event.boxes)
    return FoundEvent(recording, KINDS[event.kind - 1], label, event.frame, app.seconds(event.frame), score, boxes)


def box_of(decision: Decision, label: int, score: int, corners: Sequence[int]) -> EventBox:
    """A box of an event, for people."""
    return EventBox(_named(decision, label), decision.real(score), *(corner / UNIT for corner in corners))


def _named(decision: Decision, label: int) -> str:
    return decision.labels[label] if label < len(decision.labels) else f"label {label}"


class _Comparison:
    """Counts what differs."""

    def __init__(self, device: Device, app: App, oracle: Reference, ram: int) -> None:
        signal = app.pipeline.signal
        self._app, self._ram, self._board_device = app, ram, device
        self._device = SignalDevice(device, signal.frame_bytes)
        self._running = Running(app, oracle)
        self._tolerance = app.pipeline.front_end.emitted().tolerance
        self._wrong = {"row": 0, "output": 0, "event": 0}
        self._rows = self._inferences = 0
        self._first = ""
        self._events: list[FoundEvent] = []
        self._outputs: list[bytes] = []

    def run(self, recordings: Recordings, progress: Share | None) -> SignalVerdict:
        done = 0
        for recording in recordings.items:
            self._device.reset()
            self._running.reset()
            expected = rows_of(self._app.pipeline.front_end, recording.frames)
            count = 0
            for told in self._device.push(recording.frames):
                where = f'row {count} of "{recording.name}"'
                self._compare(told, expected[count] if count < len(expected) else None, recording.name, where)
                count += 1
                if progress is not None:
                    share = min(1.0, count / max(1, len(expected)))
                    progress((done + share * len(recording.frames)) / recordings.frames)
            if count != len(expected):
                self._differs("row", f'"{recording.name}" gave {count} rows, not {len(expected)}')
            done += len(recording.frames)
        cost, longest = self._device.cost, max(recordings.items, key=lambda item: len(item.frames))
        self._device.reset()
        for _ in self._device.push(longest.frames[: self._app.frames_first], stack=True):
            pass
        return SignalVerdict(
            recordings=len(recordings.items),
            frames=recordings.frames,
            seconds=self._app.seconds(recordings.frames),
            rows=self._rows,
            inferences=self._inferences,
            events=len(self._events),
            wrong_rows=self._wrong["row"],
            wrong_outputs=self._wrong["output"],
            wrong_events=self._wrong["event"],
            tolerance=self._tolerance,
            first=self._first,
            cost=cost,
            unit=self._board_device.cost_unit,
            stack=self._device.stack,
            ram=self._ram,
            decides=self._app.decision is not None,
            listed=tuple(self._events),
            outputs=_stacked(self._outputs),
        )

    def _differs(self, what: str, sentence: str) -> None:
        self._wrong[what] += 1
        self._first = self._first or sentence

    def _compare(self, told: Told, expected: NDArray[Any] | None, recording: str, where: str) -> None:
        self._rows += 1
        rows = self._app.pipeline.front_end.rows()
        row = np.frombuffer(told.row, np.dtype(rows.dtype).newbyteorder("<")).astype(rows.dtype).reshape(rows.shape)
        if expected is None or not self._is_equal(row, expected):
            self._differs("row", f"{where} differs")
        step = self._running.take(row)
        if (told.outputs is None) != (step.outputs is None):
            self._differs("output", f"{where} led to {'no ' * (told.outputs is None)}inference")
        elif told.outputs is not None and step.outputs is not None:
            self._inferences += 1
            self._outputs.append(told.outputs)
            if told.outputs != b"".join(np.ascontiguousarray(one).tobytes() for one in step.outputs):
                self._differs("output", f"the model's outputs after {where} differ")
        if not _same(told.event, step.event):
            self._differs("event", f"{where} led to {_text(told.event)}, not to {_expected(step.event)}")
        if told.event is not None:
            self._events.append(found_event(self._app, told.event, recording))

    def _is_equal(self, row: NDArray[Any], expected: NDArray[Any]) -> bool:
        if not self._tolerance:
            return row.tobytes() == expected.tobytes()
        difference = np.abs(row.astype(np.float64) - expected.astype(np.float64))
        return bool(np.all(difference <= self._tolerance))  # False of NaN


def _same(told: ToldEvent | None, event: Event | None) -> bool:
    if told is None or event is None:
        return told is None and event is None
    decided = event.decided
    boxes = tuple((b.label, b.score, b.ymin, b.xmin, b.ymax, b.xmax) for b in decided.boxes)
    return told == ToldEvent(
        event.frame, event.inference, decided.label, KINDS.index(decided.kind) + 1, decided.score, decided.top, boxes
    )


def _text(event: ToldEvent | None) -> str:
    return f"event {event.kind} of label {event.label}" if event is not None else "no event"


def _expected(event: Event | None) -> str:
    return f"event {KINDS.index(event.decided.kind) + 1} of label {event.decided.label}" if event else "no event"


def _stacked(outputs: Sequence[bytes]) -> NDArray[np.uint8]:
    if not outputs:
        return np.empty((0, 0), np.uint8)
    return np.stack([np.frombuffer(one, np.uint8) for one in outputs])
