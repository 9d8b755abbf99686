"""Detections in recordings against the truth, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from mcugen.assess.detections import Counts, Judgement, Point
from mcugen.flow.detecting import Evaluation
from mcugen.flow.evaluating import OnDevice
from mcugen.text import number
from mcugen.ui.signals import verdict_text
from mcugen.ui.terminal import columns, grid, say_note, say_verdict

_SHOWN = 8
_MOST_POINTS = 16


def show_detections(console: Console, source: str, board: str, found: Evaluation, warnings: Sequence[str]) -> None:
    """A paragraph, what it is about, and the counts by label."""
    judgement, count = found.judgement, len(found.recordings.items)
    console.print(summary(judgement.total))
    console.print()
    amount = f"{number(found.listening.inferences)} inferences over {hours(found.seconds)}"
    rows = [
        ("evaluated", f"{source} on the host{f' and on {board}' if board else ''}"),
        ("recordings", f"{number(count)} from {found.recordings.origin}: {amount}"),
        ("truth", f"{found.truths.origin}; hits up to {found.tolerance:g} s after the end"),
        *(("note", note) for note in found.notes),
        *_missed_rows(judgement),
        *_false_rows(judgement),
    ]
    console.print(grid(rows))
    for warning in warnings:
        say_note(console, warning)
    console.print()
    heads = ["label", "truths", "hits", "misses", "false rejects", "false accepts", "per hour", "repeats", "latency"]
    counted = [*judgement.labels, *([judgement.total] if len(judgement.labels) > 1 else [])]
    console.print(columns(heads, [_counts_row(one) for one in counted], right=range(1, 9)))


def summary(total: Counts) -> str:
    """The counts in two sentences."""
    hits = "Nothing was to be detected"
    if total.miss_percent is not None:
        missed = f"{number(total.misses)} missed, {total.miss_percent:.1f} % false rejects"
        late = f"; median latency {total.latency:.2f} s" if total.latency is not None else ""
        hits = f"{number(total.hits)} of {number(total.truths)} were detected ({missed}{late})"
    accepts = f"{number(total.false_accepts)} false accept{'s' * (total.false_accepts != 1)}"
    repeats = f", and {number(total.repeats)} repeated" if total.repeats else ""
    return f"{hits}. {accepts} in {hours(total.seconds)} of signal: {total.per_hour:.2f} per hour{repeats}."


def hours(seconds: float) -> str:
    """A time in the unit that people would say it in."""
    if seconds < 120:
        return f"{seconds:.2f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.2f} h"


def _missed_rows(judgement: Judgement) -> list[tuple[str, str]]:
    texts = [f"{one.label} at {one.start:.2f} s in {one.recording}" for one in judgement.missed]
    return _some("missed", texts)


def _false_rows(judgement: Judgement) -> list[tuple[str, str]]:
    wrong = [one.detection for one in judgement.detections if one.outcome == "false accept"]
    return _some(
        "false", [f"{one.label} at {one.seconds:.2f} s, score {one.score:.4g}, in {one.recording}" for one in wrong]
    )


def _some(name: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    rows = [(name if not n else "", text) for n, text in enumerate(texts[:_SHOWN])]
    return [*rows, ("", f"and {number(len(texts) - _SHOWN)} more")] if len(texts) > _SHOWN else rows


def _counts_row(counts: Counts) -> list[str]:
    return [
        counts.label,
        number(counts.truths),
        number(counts.hits),
        number(counts.misses),
        _percent(counts),
        number(counts.false_accepts),
        f"{counts.per_hour:.2f}",
        number(counts.repeats),
        f"{counts.latency:.2f} s" if counts.latency is not None else "–",
    ]


def _percent(counts: Counts) -> str:
    return f"{counts.miss_percent:.1f} %" if counts.miss_percent is not None else "–"


def show_thresholds(console: Console, found: Evaluation) -> None:
    """The thresholds that no other beats, beside the file's own, and the one for the user's limit."""
    front, chosen, limit = found.front, found.chosen, found.limit
    shown = _thinned(front, chosen)
    rows = [("→" if point is chosen else "", *_point_row(point)) for point in shown]
    console.print()
    heads = ["", "threshold", "release", "false rejects", "false accepts", "per hour"]
    console.print(columns(heads, [*rows, ("file", *_point_row(found.own))], right=range(1, 6)))
    left = f"; {number(len(front) - len(shown))} of them are in the JSON alone" if len(shown) < len(front) else ""
    these = "these" if len(shown) > 1 else "this one"
    say_note(console, f"{number(found.tried)} thresholds were tried; no other beats {these}{left}")
    if limit is None:
        return
    if chosen is None:
        say_note(console, f"no threshold keeps to {limit:g} false accepts per hour")
        return
    release = f" and release = {chosen.release:.9g}" if chosen.release != chosen.threshold else ""
    say_note(
        console,
        f"for at most {limit:g} false accepts per hour: threshold = {chosen.threshold:.9g}{release}, with "
        f"{_percent(chosen.counts)} false rejects on these recordings",
    )


def _thinned(front: Sequence[Point], chosen: Point | None) -> list[Point]:
    """Of a long front some points, evenly, its ends and the chosen one among them."""
    if len(front) <= _MOST_POINTS:
        return list(front)
    picked = {i * (len(front) - 1) // (_MOST_POINTS - 1) for i in range(_MOST_POINTS)}
    return [point for n, point in enumerate(front) if n in picked or point is chosen]


def _point_row(point: Point) -> list[str]:
    counts = point.counts
    return [
        f"{point.threshold:.6g}",
        f"{point.release:.6g}",
        _percent(counts),
        number(counts.false_accepts),
        f"{counts.per_hour:.2f}",
    ]


def show_device(console: Console, device: OnDevice, differing: int) -> None:
    """The verdict about the device."""
    text = f"{device.board}: {verdict_text(device.verdict)}"
    if differing:
        text += f"; {number(differing)} events are not those of the host"
    say_verdict(console, device.verdict.passed and not differing, text)
