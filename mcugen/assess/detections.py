"""Detections against what is true of recordings: hits, misses and false accepts, by the rules of docs/SENSORS.md."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

Outcome = Literal["hit", "repeat", "false accept"]

_HOUR = 3600.0


@dataclass(frozen=True)
class Truth:
    """A label that is heard in a recording from `start` to `end`, in seconds."""

    recording: str
    start: float
    end: float
    label: str

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "start": round(self.start, 4), "end": round(self.end, 4)}


@dataclass(frozen=True)
class Detection:
    """The start of an event, `seconds` after the recording's begin."""

    recording: str
    seconds: float
    label: str
    score: float


@dataclass(frozen=True)
class Judged:
    """A detection, and what it is. `latency`: of a hit, seconds after the truth's start; else None."""

    detection: Detection
    outcome: Outcome
    latency: float | None = None

    def to_dict(self) -> dict[str, Any]:
        one = self.detection
        return {
            "recording": one.recording,
            "seconds": round(one.seconds, 4),
            "label": one.label,
            "score": round(one.score, 6),
            "outcome": self.outcome,
            "latency": _rounded(self.latency, 4),
        }


@dataclass(frozen=True)
class Counts:
    """How detections of a label, or of all, went.

    Attributes:
        seconds: of all recordings.
        latency: seconds from a truth's start to its hit, the median; None without hits.
    """

    label: str
    truths: int
    hits: int
    repeats: int
    false_accepts: int
    seconds: float
    latency: float | None

    @property
    def misses(self) -> int:
        return self.truths - self.hits

    @property
    def miss_percent(self) -> float | None:
        return 100 * self.misses / self.truths if self.truths else None

    @property
    def per_hour(self) -> float:
        """False accepts per hour of signal."""
        return self.false_accepts * _HOUR / self.seconds

    def to_dict(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "truths": self.truths,
            "hits": self.hits,
            "misses": self.misses,
            "miss_percent": _rounded(self.miss_percent, 4),
            "repeats": self.repeats,
            "false_accepts": self.false_accepts,
            "false_accepts_per_hour": round(self.per_hour, 4),
            "latency": _rounded(self.latency, 4),
        }


@dataclass(frozen=True)
class Judgement:
    """All detections in the order of recordings and time, the truths that nothing hit, and the counts.

    Attributes:
        labels: the counts by label, in the order of labels; `total` those of all.
    """

    detections: tuple[Judged, ...]
    missed: tuple[Truth, ...]
    labels: tuple[Counts, ...]
    total: Counts


def judge(
    detections: Sequence[Detection], truths: Sequence[Truth], labels: Sequence[str], seconds: float, tolerance: float
) -> Judgement:
    """Match detections with truths.

    In the order of time, a detection hits the first truth of its label and recording that has no hit yet and with
    start ≤ time ≤ end + tolerance. Where all such have one, it is a repeat; where there are none, a false accept.

    Args:
        detections: in the order of time within each recording.
        truths: those of one label and recording do not overlap.
        labels: those that are counted; the only ones of detections and truths.
        seconds: of all recordings, more than 0.
        tolerance: seconds.
    """
    places: dict[tuple[str, str], list[Truth]] = {}
    for truth in sorted(truths, key=lambda truth: (truth.start, truth.end)):
        places.setdefault((truth.recording, truth.label), []).append(truth)
    starts = {place: [truth.start for truth in found] for place, found in places.items()}
    ends = {place: [truth.end + tolerance for truth in found] for place, found in places.items()}
    hit: set[Truth] = set()
    judged = []
    for one in detections:
        place = (one.recording, one.label)
        near: list[Truth] = []
        if place in places:
            near = places[place][bisect_left(ends[place], one.seconds) : bisect_right(starts[place], one.seconds)]
        free = next((truth for truth in near if truth not in hit), None)
        if free is not None:
            hit.add(free)
            judged.append(Judged(one, "hit", one.seconds - free.start))
        else:
            judged.append(Judged(one, "repeat" if near else "false accept"))
    counts = tuple(_count(label, [label], judged, truths, seconds) for label in labels)
    missed = tuple(truth for truth in truths if truth not in hit)
    return Judgement(tuple(judged), missed, counts, _count("all", labels, judged, truths, seconds))


def _count(
    name: str, labels: Sequence[str], judged: Sequence[Judged], truths: Sequence[Truth], seconds: float
) -> Counts:
    of = [one for one in judged if one.detection.label in labels]
    outcomes = [one.outcome for one in of]
    latencies = [one.latency for one in of if one.latency is not None]
    return Counts(
        name,
        sum(truth.label in labels for truth in truths),
        outcomes.count("hit"),
        outcomes.count("repeat"),
        outcomes.count("false accept"),
        seconds,
        median(latencies) if latencies else None,
    )


@dataclass(frozen=True)
class Point:
    """What a threshold leads to, over all labels. `release` is the lower bound of hysteresis."""

    threshold: float
    release: float
    counts: Counts

    def to_dict(self) -> dict[str, Any]:
        counts = self.counts
        return {
            "threshold": self.threshold,
            "release": self.release,
            "hits": counts.hits,
            "misses": counts.misses,
            "miss_percent": _rounded(counts.miss_percent, 4),
            "false_accepts": counts.false_accepts,
            "false_accepts_per_hour": round(counts.per_hour, 4),
        }


def pareto_front(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points that no other beats in misses and false accepts, fewest false accepts last.

    Of several with the same counts it is the middle threshold, which is farthest from doing otherwise.
    """
    same: dict[tuple[int, int], list[Point]] = {}
    for point in sorted(points, key=lambda point: point.threshold):
        same.setdefault((point.counts.false_accepts, point.counts.misses), []).append(point)
    front: list[Point] = []
    least = -1
    for (_, misses), alike in sorted(same.items()):
        if least < 0 or misses < least:
            least = misses
            front.append(alike[(len(alike) - 1) // 2])
    return tuple(reversed(front))


def choose(front: Sequence[Point], most_per_hour: float) -> Point | None:
    """The point of a front with the fewest misses within a limit of false accepts per hour; None if none keeps it."""
    within = [point for point in front if point.counts.per_hour <= most_per_hour]
    return min(within, key=lambda point: (point.counts.misses, point.counts.false_accepts), default=None)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
