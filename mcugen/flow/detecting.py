"""Long recordings through the way from sensor to decision, and what other thresholds would have made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcugen.assess.detections import Detection, Judgement, Point, Truth, choose, judge, pareto_front
from mcugen.assess.truths import folder_truths, read_truths
from mcugen.convert.data_folders import PARTS
from mcugen.decisions import Decided, Decision, ModelIO, Wanted
from mcugen.errors import PipelineError
from mcugen.flow.model import Model
from mcugen.flow.sensors import Recordings
from mcugen.flow.signals import FoundEvent, box_of, too_short
from mcugen.oracle.oracle import Reference
from mcugen.pipeline.app import App
from mcugen.pipeline.reference import Running
from mcugen.progress import Progress, Share, share_of
from mcugen.verify.parted_oracle import open_oracle

MOST_THRESHOLDS = 200
MOST_VALUES_KEPT = 512
"""Of a row that is kept: more is no spectrum."""


@dataclass(frozen=True, eq=False)
class Heard:
    """What a recording led to on the host.

    Attributes:
        frames: of each inference with a full window: frames since the recording's begin.
        smoothed: their scores, which do not depend on thresholds: arrays (labels,) of int64.
        events: all of them.
        rows: (n, values) of the front end, float32; none where they were not to be kept.
    """

    recording: str
    frames: tuple[int, ...]
    smoothed: tuple[NDArray[np.int64], ...]
    events: tuple[FoundEvent, ...]
    rows: NDArray[np.float32] = field(repr=False, default_factory=lambda: np.empty((0, 0), np.float32))


@dataclass(frozen=True, eq=False)
class Listening:
    """What recordings led to on the host. `inferences` of all; `short` recordings led to none."""

    heard: tuple[Heard, ...]
    inferences: int
    short: int

    @property
    def events(self) -> tuple[FoundEvent, ...]:
        return tuple(event for one in self.heard for event in one.events)


@dataclass(frozen=True)
class Truths:
    """What is to be detected. `origin` says where that was told; `notes` what a person must know of it."""

    items: tuple[Truth, ...]
    origin: str
    notes: tuple[str, ...]


def check_detects(app: App) -> tuple[Wanted, Decision]:
    """The decision of an app whose events have a time, as its file says it and bound to its model.

    Raises:
        PipelineError: it decides nothing, or its signal has no rate.
    """
    wanted = app.pipeline.decision
    if wanted is None or app.decision is None:
        raise PipelineError(
            "is missing, so nothing is detected", where="[decision]", hint="Name labels and a threshold there"
        )
    if app.pipeline.signal.rate is None:
        raise PipelineError(
            "is missing, so detections have no time", where="[input] rate", hint="Give the frames per second"
        )
    return wanted, app.decision


def event_labels(wanted: Wanted) -> tuple[str, ...]:
    """The labels that can be detected."""
    return tuple(label for label in wanted.labels if label not in wanted.background)


def read_truth(events: str | Path | None, app: App, recordings: Recordings) -> Truths:
    """What recordings are to lead to: as a file says, or by the folders that they are in.

    Raises:
        DataError: names the file's line that is wrong, or says that nothing tells it.
    """
    wanted, _ = check_detects(app)
    labels = event_labels(wanted)
    durations = {item.name: app.seconds(len(item.frames)) or 0.0 for item in recordings.items}
    if events is not None:
        found = read_truths(events, durations, wanted.labels)
        kept = tuple(truth for truth in found if truth.label in labels)
        left = len(found) - len(kept)
        notes = (f"{left} intervals of background labels: nothing may be detected there",) if left else ()
        return Truths(kept, Path(events).name, notes)
    classes = {name: _folder(name) for name in durations}
    items = folder_truths(classes, durations, labels, recordings.origin)
    others = sorted({folder for folder in classes.values() if folder not in labels})
    names = f"folders of other names than labels have, where nothing may be detected: {', '.join(others)}"
    return Truths(items, "the folders", (names,) if others else ())


def _folder(name: str) -> str:
    """The class of a recording by its path; "" where it has none."""
    parts = name.split("/")[:-1]
    if len(parts) > 1 and parts[0].lower() in PARTS:
        del parts[0]
    return parts[0] if parts else ""


def listen(
    app: App, oracle: Reference, recordings: Recordings, progress: Share | None = None, *, keep_rows: bool = False
) -> Listening:
    """Stream recordings through the reference on the host, each from a fresh start.

    Raises:
        DataError: none is long enough for an inference.
        PipelineError: see `check_detects`.
    """
    _, decision = check_detects(app)
    running = Running(app, oracle)
    heard, inferences, short, done = [], 0, 0, 0
    for recording in recordings.items:
        running.reset()
        frames: list[int] = []
        smoothed: list[NDArray[np.int64]] = []
        rows: list[NDArray[np.float32]] = []
        events: list[FoundEvent] = []
        before = inferences
        for step in running.push(recording.frames):
            inferences += step.outputs is not None
            if keep_rows and step.row.size <= MOST_VALUES_KEPT:
                rows.append(step.row.reshape(-1).astype(np.float32))
            if step.smoothed is not None:
                frames.append(step.frame)
                smoothed.append(step.smoothed)
            if step.event is not None:
                events.append(_event(app, decision, step.frame, step.event.decided, recording.name))
            if progress is not None and step.outputs is not None:
                progress((done + step.frame) / recordings.frames)
        done += len(recording.frames)
        short += inferences == before
        kept = np.stack(rows) if rows else np.empty((0, 0), np.float32)
        heard.append(Heard(recording.name, tuple(frames), tuple(smoothed), tuple(events), kept))
    if not inferences:
        raise too_short(app, recordings)
    return Listening(tuple(heard), inferences, short)


def _event(app: App, decision: Decision, frame: int, decided: Decided, recording: str) -> FoundEvent:
    label, score = decision.labels[decided.label], decision.real(decided.score)
    boxes = tuple(box_of(decision, b.label, b.score, (b.ymin, b.xmin, b.ymax, b.xmax)) for b in decided.boxes)
    return FoundEvent(recording, decided.kind, label, frame, app.seconds(frame), score, boxes)


def detections_of(events: Iterable[FoundEvent]) -> list[Detection]:
    """The starts among events that have a time."""
    return [
        Detection(event.recording, event.seconds, event.label, event.score)
        for event in events
        if event.kind == "start" and event.seconds is not None
    ]


def judged(app: App, detections: Sequence[Detection], truths: Truths, seconds: float, tolerance: float) -> Judgement:
    """Detections against the truth, for all labels that can be detected."""
    wanted, _ = check_detects(app)
    return judge(detections, truths.items, event_labels(wanted), seconds, tolerance)


def replayed(app: App, decision: Decision, heard: Heard) -> list[FoundEvent]:
    """The events that another decision makes of scores that were kept; it may differ in its thresholds alone."""
    deciding = decision.reference()
    events = []
    for frame, smoothed in zip(heard.frames, heard.smoothed, strict=True):
        decided = deciding.decide(smoothed)
        if decided is not None:
            events.append(_event(app, decision, frame, decided, heard.recording))
    return events


def thresholds_of(app: App, listening: Listening) -> tuple[float, ...]:
    """The thresholds that make a difference, in ascending order.

    One for each value that scores took, which is just not above it, and one below them all. Of more than
    `MOST_THRESHOLDS`, so many evenly chosen ones.
    """
    _, decision = check_detects(app)
    deciding = decision.reference()
    scores = {deciding.score(one) for heard in listening.heard for one in heard.smoothed}
    values = sorted(score for score in scores if score is not None and score >= 0)
    if not values:
        return ()
    if values[0] > 0:
        values.insert(0, values[0] - 1)
    if len(values) > MOST_THRESHOLDS:
        values = [values[i * (len(values) - 1) // (MOST_THRESHOLDS - 1)] for i in range(MOST_THRESHOLDS)]
    return tuple(decision.threshold_at(value) for value in values)


def swept(
    app: App,
    listening: Listening,
    truths: Truths,
    seconds: float,
    tolerance: float,
    progress: Share | None = None,
) -> tuple[Point, ...]:
    """What each threshold leads to: the decision itself is made again, in its integers, over all scores."""
    wanted, _ = check_detects(app)
    thresholds = thresholds_of(app, listening)
    points = []
    for number, threshold in enumerate(thresholds):
        other = wanted.at(threshold)
        decision = other.bind(ModelIO(app.input, app.output, app.period))
        events = [event for heard in listening.heard for event in replayed(app, decision, heard)]
        found = judged(app, detections_of(events), truths, seconds, tolerance)
        points.append(Point(threshold, other.gate.release, found.total))
        if progress is not None:
            progress((number + 1) / len(thresholds))
    return tuple(points)


def differing_events(host: Sequence[FoundEvent], device: Sequence[FoundEvent]) -> int:
    """How many events only one of the two had."""

    def keys(events: Iterable[FoundEvent]) -> set[Any]:
        return {(event.recording, event.kind, event.label, event.frame) for event in events}

    return len(keys(host) ^ keys(device))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How a pipeline's events on the host compare with the truth.

    Attributes:
        seconds: of all recordings; tolerance: after a truth's end, in which a detection still is a hit.
        judgement: at the file's own threshold, which is the point `own`.
        tried: thresholds; front: those that no other beats.
        limit: false accepts per hour that a threshold was chosen for; `chosen` is it. None without a limit.
    """

    recordings: Recordings
    listening: Listening
    truths: Truths
    seconds: float
    tolerance: float
    judgement: Judgement
    own: Point
    tried: int
    front: tuple[Point, ...]
    limit: float | None
    chosen: Point | None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to recordings, and what the truth leaves out."""
        return (*self.recordings.notes, *self.truths.notes)


def evaluation(
    model: Model,
    app: App,
    recordings: Recordings,
    truths: Truths,
    tolerance: float,
    limit: float | None,
    report: Progress,
    *,
    keep_rows: bool = False,
) -> Evaluation:
    """Stream recordings through the reference, and compare the events of every threshold with the truth.

    Raises:
        DataError: no recording is long enough for an inference.
        ModelError, ToolError: see :class:`mcugen.oracle.Oracle`.
    """
    wanted, _ = check_detects(app)
    seconds = app.seconds(recordings.frames) or 0.0
    with open_oracle(model.opened) as oracle:
        listening = listen(app, oracle, recordings, share_of(report, "listening"), keep_rows=keep_rows)
    found = judged(app, detections_of(listening.events), truths, seconds, tolerance)
    points = swept(app, listening, truths, seconds, tolerance, share_of(report, "trying thresholds"))
    front = pareto_front(points)
    return Evaluation(
        recordings,
        listening,
        truths,
        seconds,
        tolerance,
        found,
        Point(wanted.gate.threshold, wanted.gate.release, found.total),
        len(points),
        front,
        limit,
        choose(front, limit) if limit is not None else None,
    )
