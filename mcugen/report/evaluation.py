"""The page of an evaluation: what was detected when, over the spectrum and the scores of each recording."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from mcugen.flow.detecting import Evaluation, Heard
from mcugen.pipeline.app import App
from mcugen.report.page import Facts, page_environment, page_source, policy_hash

SCHEMA = "mcugen.evaluation-report/1"
_DRAWN = 20
"""Recordings that have a picture."""
_COLUMNS = 1000
"""Of a spectrum's picture, and points of a line of scores."""
_LABELS = 4
"""With a line of their own."""
_WIDTH, _LEFT, _SPECTRUM, _SCORES = 1080.0, 44.0, 96.0, 90.0
_COLOURS = ((13, 8, 38), (72, 26, 108), (150, 40, 110), (217, 75, 72), (251, 153, 60), (252, 239, 172))
"""From the least to the most of a spectrum."""


class Evaluated(Protocol):
    """The result of the verb."""

    @property
    def found(self) -> Evaluation: ...
    @property
    def app(self) -> App: ...
    def to_dict(self) -> dict[str, Any]: ...


def evaluation_facts(evaluated: Evaluated, command: str) -> dict[str, Any]:
    """All that the page shows: the evaluation, and by recording its scores, truths and spectrum."""
    found, app = evaluated.found, evaluated.app
    heard = found.listening.heard[:_DRAWN]
    return {
        "schema": SCHEMA,
        "command": command,
        "evaluation": evaluated.to_dict(),
        "left_out": len(found.listening.heard) - len(heard),
        "recordings": [_recording(found, app, one, n) for n, one in enumerate(heard)],
    }


def _recording(found: Evaluation, app: App, heard: Heard, number: int) -> dict[str, Any]:
    decision = app.decision
    assert decision is not None
    frames = found.recordings.items[number].frames
    every = max(1, -(-len(heard.frames) // _COLUMNS))
    smoothed = np.array([decision_scores(one) for one in heard.smoothed]).reshape(len(heard.smoothed), -1)
    labels = [n for n, label in enumerate(decision.labels) if label not in _background(app)][:_LABELS]
    pooled = [smoothed[at : at + every].max(axis=0) for at in range(0, len(smoothed), every)]
    truths = [truth for truth in found.truths.items if truth.recording == heard.recording]
    missed = set(found.judgement.missed)
    return {
        "name": heard.recording,
        "seconds": round(app.seconds(len(frames)) or 0.0, 4),
        "times": [round(app.seconds(f) or 0.0, 4) for f in heard.frames[::every]],
        "scores": [
            {"label": decision.labels[n], "values": [round(decision.real(int(one[n])), 5) for one in pooled]}
            for n in labels
            if n < smoothed.shape[-1]
        ],
        "truths": [{**truth.to_dict(), "missed": truth in missed} for truth in truths],
        "detections": [
            one.to_dict() for one in found.judgement.detections if one.detection.recording == heard.recording
        ],
        "spectrum": _spectrum(heard.rows),
    }


def _background(app: App) -> Sequence[str]:
    wanted = app.pipeline.decision
    return wanted.background if wanted is not None else ()


def decision_scores(smoothed: NDArray[np.int64]) -> NDArray[np.int64]:
    """The scores of one inference, flat."""
    return np.asarray(smoothed, np.int64).reshape(-1)


def _spectrum(rows: NDArray[np.float32]) -> dict[str, Any] | None:
    """Rows as bytes, low values at the bottom; None where a row is no spectrum."""
    if len(rows) < 2 or rows.shape[1] < 4:
        return None
    every = max(1, -(-len(rows) // _COLUMNS))
    pooled = np.stack([rows[at : at + every].max(axis=0) for at in range(0, len(rows), every)])
    low, high = (float(value) for value in np.percentile(pooled, (1, 99.8)))
    levels = np.clip(255 * (pooled - low) / ((high - low) or 1.0), 0, 255).astype(np.uint8)
    image = np.ascontiguousarray(levels.T[::-1])
    return {
        "height": image.shape[0],
        "width": image.shape[1],
        "low": round(low, 4),
        "high": round(high, 4),
        "data": base64.b64encode(zlib.compress(image.tobytes(), 9)).decode(),
    }


@dataclass(frozen=True)
class Timeline:
    """One recording, drawn: positions in the picture, in its own units."""

    width: float
    height: float
    left: float
    spectrum: str
    spectrum_height: float
    scores_top: float
    scores_height: float
    ticks: tuple[tuple[float, str], ...]
    threshold: float
    lines: tuple[tuple[str, str], ...]
    truths: tuple[tuple[float, float, str, bool], ...]
    marks: tuple[tuple[float, str, str], ...]


def render_evaluation(facts: Mapping[str, Any]) -> str:
    """The HTML page of an evaluation's facts, or of the JSON file read again."""
    page, environment = Facts(facts), page_environment()
    style = page_source(environment, "report.css") + page_source(environment, "evaluation.css")
    return environment.get_template("evaluation.html.j2").render(
        facts=facts,
        fact=page.html,
        attributes=page.attributes,
        style=Markup(style),
        policy=f"default-src 'none'; img-src data:; style-src {policy_hash(style)}; base-uri 'none'; "
        "form-action 'none'",
        timelines=[_timeline(one, facts["evaluation"]["thresholds"]["own"]) for one in facts["recordings"]],
        curve=_curve(facts["evaluation"]["thresholds"]),
    )


def _timeline(recording: Mapping[str, Any], own: Mapping[str, Any]) -> Timeline:
    seconds = max(float(recording["seconds"]), 1e-6)
    picture = recording["spectrum"]
    top = (_SPECTRUM if picture else 0.0) + 30.0

    def x(time: float) -> float:
        return round(_LEFT + (_WIDTH - _LEFT - 10) * min(max(time / seconds, 0), 1), 1)

    most = float(max([own["threshold"] * 1.1, *(v for line in recording["scores"] for v in line["values"]), 1e-9]))

    def y(value: float) -> float:
        return round(top + _SCORES * (1 - min(max(value / most, 0), 1)), 1)

    lines = tuple(
        (line["label"], " ".join(f"{x(t)},{y(v)}" for t, v in zip(recording["times"], line["values"], strict=True)))
        for line in recording["scores"]
    )
    truths = tuple((x(t["start"]), x(t["end"]), t["label"], t["missed"]) for t in recording["truths"])
    marks = tuple((x(d["seconds"]), d["outcome"], d["label"]) for d in recording["detections"])
    return Timeline(
        _WIDTH,
        top + _SCORES + 24,
        _LEFT,
        _png(picture) if picture else "",
        _SPECTRUM,
        top,
        _SCORES,
        tuple((x(tick), f"{tick:g} s") for tick in _ticks(seconds)),
        y(own["threshold"]),
        lines,
        truths,
        marks,
    )


def _ticks(seconds: float) -> list[float]:
    step = next((s for s in (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600) if seconds / s <= 10), 7200)
    return [n * step for n in range(int(seconds / step) + 1)]


def _png(picture: Mapping[str, Any]) -> str:
    """A picture in colours of a palette, as a data URL."""
    height, width = picture["height"], picture["width"]
    levels = np.frombuffer(zlib.decompress(base64.b64decode(picture["data"])), np.uint8).reshape(height, width)
    stops = np.linspace(0, 255, len(_COLOURS))
    palette = np.stack([np.interp(np.arange(256), stops, [c[n] for c in _COLOURS]) for n in range(3)], axis=1)
    lines = np.zeros((height, width + 1), np.uint8)  # each behind the number of its filter
    lines[:, 1:] = levels
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", np.rint(palette).astype(np.uint8).tobytes()),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)).decode()


@dataclass(frozen=True)
class Curve:
    """False rejects over false accepts per hour: points (x, y, kind) and the line through those of the front."""

    line: str
    points: tuple[tuple[float, float, str], ...]
    most_per_hour: float
    most_percent: float


def _curve(thresholds: Mapping[str, Any]) -> Curve | None:
    """None where there is nothing to choose from."""
    front = [point for point in thresholds["front"] if point["miss_percent"] is not None]
    if not front:
        return None
    marked = [(thresholds["own"], "own"), (thresholds["chosen"], "chosen")]
    shown = [(p, "front") for p in front] + [
        (p, k) for p, k in marked if p is not None and p["miss_percent"] is not None
    ]
    per_hour = max([p["false_accepts_per_hour"] for p, _ in shown] + [1.0])
    percent = max([p["miss_percent"] for p, _ in shown] + [10.0])

    def place(point: Mapping[str, Any]) -> tuple[float, float]:
        return (
            round(60 + 470 * point["false_accepts_per_hour"] / per_hour, 1),
            round(14 + 200 * (1 - point["miss_percent"] / percent), 1),
        )

    ordered = sorted((place(p) for p in front), key=lambda at: (at[0], at[1]))
    line = " ".join(f"{x},{y}" for x, y in ordered)
    return Curve(line, tuple((*place(p), kind) for p, kind in shown), round(per_hour, 1), round(percent, 1))
