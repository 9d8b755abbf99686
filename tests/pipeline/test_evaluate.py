"""`evaluate`: what recordings with known answers give, on the host and on an emulated board."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen import api
from mcugen.assess.detections import Judgement
from mcugen.convert import convert
from mcugen.errors import McugenError
from mcugen.flow import detecting, signals
from mcugen.flow.signals import FoundEvent
from mcugen.frontends import rows_of
from tests.models import model_path
from tests.schemas import check
from tests.zoo import float_model
from tests.zoo.layers import Net

PIPELINE = """
[input]
kind = "motion"
channels = 2
rate = 10

[frontend]
kind = "raw"

[model]
file = "scores.tflite"
row_scale = 0.001

[decision]
labels = ["on", "rest"]
threshold = {threshold}
smooth = {smooth}
{more}
"""
"""Two numbers in, their sigmoids out: a recording is what the scores are."""

TRUTH = "file,start,end,label\nday.npy,2,2.5,on\nday.npy,8,8.3,on\nday.npy,9,9.2,on\n"


@functools.cache
def scores_model() -> bytes:
    net = Net(1)
    tflite = net.build(net.sigmoid(net.input((1, 2), "x")))
    samples = np.linspace(-6, 6, 64, dtype=np.float32).reshape(-1, 2)
    return convert(tflite, samples).tflite


def day() -> NDArray[np.int16]:
    """10 s: a sure "on" at 2 s and again at 2.3 s, what is none at 5 s, a weaker one at 8 s, a doubtful one at 9 s."""
    frames = np.full((100, 2), -4000, np.int16)
    for first, last, value in ((20, 22, 4000), (23, 25, 4000), (50, 52, 1000), (80, 83, 2000), (90, 92, 500)):
        frames[first:last, 0] = value
    return frames


def written(folder: Path, threshold: float = 0.5, smooth: int = 1, more: str = "") -> Path:
    (folder / "scores.tflite").write_bytes(scores_model())
    (folder / "truth.csv").write_text(TRUTH)
    np.save(folder / "day.npy", day())
    path = folder / "pipeline.toml"
    path.write_text(PIPELINE.format(threshold=threshold, smooth=smooth, more=more))
    return path


def evaluated(path: Path, **how: Any) -> Any:
    return api.evaluate(path, data=path.parent / "day.npy", events=path.parent / "truth.csv", **how)


def test_a_day_with_known_answers(tmp_path: Path) -> None:
    result = evaluated(written(tmp_path), tolerance=0.2)
    assert result.exit_code == 0
    facts = check(result.to_dict())
    assert [(one["seconds"], one["outcome"]) for one in facts["detections"]] == [
        (2.1, "hit"),
        (2.4, "repeat"),
        (5.1, "false accept"),
        (8.1, "hit"),
        (9.1, "hit"),
    ]
    assert {name: facts["total"][name] for name in ("hits", "misses", "repeats", "false_accepts")} == {
        "hits": 3,
        "misses": 0,
        "repeats": 1,
        "false_accepts": 1,
    }
    assert facts["total"]["false_accepts_per_hour"] == 360
    assert facts["total"]["latency"] == 0.1
    assert [one["label"] for one in facts["labels"]] == ["on", "rest"]
    assert (facts["inferences"], facts["seconds"], facts["device"]) == (100, 10.0, None)
    # Sigmoids of 0.5, 1 and 2 are 0.62, 0.73 and 0.88.
    front = facts["thresholds"]["front"]
    assert [(one["misses"], one["false_accepts"]) for one in front] == [(0, 1), (1, 0)]
    assert 0.01 < front[0]["threshold"] < 0.63 < 0.72 < front[1]["threshold"] < 0.89


def test_every_threshold_gives_what_the_file_with_it_gives(tmp_path: Path) -> None:
    """The sweep makes the decision again over kept scores; here the whole pipeline runs again."""
    more = "release = 0.3\nconsecutive = 2\nrefractory = 4"
    path = written(tmp_path, smooth=2, more=more)
    app = evaluated(path).model.app
    result = evaluated(path, max_false_accepts_per_hour=0)
    thresholds = detecting.thresholds_of(app, result.found.listening)
    assert 4 < len(thresholds) == result.found.tried
    assert result.found.chosen is not None
    assert result.found.chosen.counts.false_accepts == 0
    points = detecting.swept(app, result.found.listening, result.found.truths, 10.0, 1.0)
    seen = set()
    for point in points:
        text = PIPELINE.format(threshold=point.threshold, smooth=2, more=more.replace("0.3", f"{point.release}"))
        path.write_text(text)
        again = evaluated(path).found.judgement.total
        assert again == point.counts
        seen.add((again.hits, again.false_accepts, again.repeats))
    assert len(seen) > 3


def test_a_sweep_is_of_at_most_200_thresholds(tmp_path: Path) -> None:
    path = written(tmp_path, smooth=64)
    frames = np.random.default_rng(0).integers(-4000, 4000, (600, 2)).astype(np.int16)
    result = api.evaluate(path, data={"day.npy": frames}, events=tmp_path / "truth.csv")
    app = result.model.app
    assert app is not None
    thresholds = detecting.thresholds_of(app, result.found.listening)
    assert len(thresholds) == len(set(thresholds)) == detecting.MOST_THRESHOLDS
    assert list(thresholds) == sorted(thresholds)


def test_an_autoencoders_thresholds(tmp_path: Path) -> None:
    """Its score is a mean of squares, whose threshold may be of any size; the file with it gives what was told."""
    elements = 160
    text = (
        '[input]\nkind = "motion"\nchannels = 16\nrate = 10\n[frontend]\nkind = "raw"\n'
        f'[model]\nfile = "{model_path("autoencoder")}"\nrow_scale = 0.0001\n'
        '[decision]\nkind = "anomaly"\nsmooth = 2\nthreshold = {}\n'
    )
    frames = np.random.default_rng(5).integers(-3000, 3000, (elements, 16)).astype(np.int16)
    frames[70:90] *= 8
    truth = tmp_path / "truth.csv"
    truth.write_text("file,start,end,label\nrun,6,9,anomaly\n")
    path = tmp_path / "pipeline.toml"
    path.write_text(text.format(1e9))
    how: dict[str, Any] = {"data": {"run": frames}, "events": truth, "max_false_accepts_per_hour": 0}
    result = api.evaluate(path, **how)
    assert (result.found.judgement.total.misses, result.found.chosen.counts.misses) == (1, 0)
    path.write_text(text.format(result.found.chosen.threshold))
    assert api.evaluate(path, **how).found.judgement.total == result.found.chosen.counts


@pytest.mark.emulator
def test_a_device_gives_the_same_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, smooth=2)
    project = tmp_path / "firmware"
    api.generate(path, board="mps2-an386", out=project)
    result = evaluated(project)
    facts = check(result.to_dict())
    assert (result.exit_code, facts["board"], facts["differing_events"]) == (0, "mps2-an386", 0)
    assert facts["device"]["passed"]
    assert facts["device"]["events"]["total"] == len(result.found.listening.events) > 4

    def off_by_one(front_end: Any, given: Any) -> Any:
        rows = rows_of(front_end, given).copy()
        rows[41, 1] += 1
        return rows

    monkeypatch.setattr(signals, "rows_of", off_by_one)
    result = evaluated(path, board="mps2-an386")
    assert (result.exit_code, result.device.verdict.wrong_rows) == (1, 1)


def test_events_of_one_alone_are_counted() -> None:
    def event(frame: int, kind: str = "start") -> FoundEvent:
        return FoundEvent("a", kind, "on", frame, frame / 10, 0.5)

    host, device = [event(3), event(5, "end"), event(9)], [event(3), event(6, "end"), event(9)]
    assert detecting.differing_events(host, host) == 0
    assert detecting.differing_events(host, device) == 2
    assert detecting.differing_events(host, host[:2]) == 1


def clips(folder: Path) -> None:
    from scipy.io import wavfile

    for name, value in {"on/1": 4000, "on/2": -4000, "rest/1": -4000, "noise/1": 2000, "noise/2": -4000}.items():
        path = folder / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = np.full((30, 2), -4000, np.int16)
        frames[10:15, 0] = value
        wavfile.write(path, 10, frames)


@pytest.mark.parametrize("inside", ["", "test"])
def test_a_folder_per_class(tmp_path: Path, inside: str) -> None:
    path = written(tmp_path, more='background = ["rest"]')
    clips(tmp_path / "clips" / inside)
    result = api.evaluate(path, data=tmp_path / "clips")
    total = result.found.judgement.total
    assert (total.truths, total.hits, total.misses, total.false_accepts) == (2, 1, 1, 1)
    assert [one.recording.removeprefix("test/") for one in result.found.judgement.missed] == ["on/2.wav"]
    assert result.found.notes == (
        "folders of other names than labels have, where nothing may be detected: noise, rest",
    )
    assert (total.seconds, total.latency) == (15.0, 1.1)


@pytest.mark.parametrize(
    ("change", "how", "words"),
    [
        (("rate = 10\n", ""), {}, r"\[input\] rate: is missing, so detections have no time"),
        (("[decision]", "[x]"), {}, r"field 'x': is unknown"),
        (("", ""), {"tolerance": -1}, r"`tolerance`: is -1 s, not between 0 and an hour"),
        (("", ""), {"max_false_accepts_per_hour": float("nan")}, r"`max_false_accepts_per_hour`: is nan, no number"),
        (("", ""), {"port": "socket://here:1"}, r"`board`: is missing, so there is no device to ask"),
        (("", ""), {"board": "mps2-an38"}, r"mps2-an38"),
        (("scores.tflite", "float.tflite"), {}, r"names a float model, and what is evaluated is what a device runs"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, change: tuple[str, str], how: dict[str, Any], words: str) -> None:
    path = written(tmp_path)
    (tmp_path / "float.tflite").write_bytes(float_model("autoencoder"))
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(McugenError, match=words):
        evaluated(path, **how)


def test_a_file_without_a_decision_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text().partition("[decision]")[0])
    with pytest.raises(McugenError, match=r"\[decision\]: is missing, so nothing is detected"):
        evaluated(path)
    with pytest.raises(McugenError, match=r"is no pipeline file"):
        evaluated(tmp_path / "scores.tflite")


def test_recordings_without_truth_are_refused(tmp_path: Path) -> None:
    path, data = written(tmp_path), tmp_path / "day.npy"
    with pytest.raises(McugenError, match=r'"day.npy" is in no folder .* Pass `events=TRUTH.csv`, or a folder'):
        api.evaluate(path, data=data)
    (tmp_path / "nothing.csv").write_text("file,start,end,label\n")
    assert api.evaluate(path, data=data, events=tmp_path / "nothing.csv").found.judgement.total.false_accepts == 5


def test_a_judge_that_takes_repeats_for_false_accepts_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = detecting.judge

    def broken(*given: Any) -> Judgement:
        detections, truths, labels, seconds, _ = given
        return own(detections, [truth for truth in truths if truth.start > 2], labels, seconds, 0.0)

    monkeypatch.setattr(detecting, "judge", broken)
    with pytest.raises(AssertionError, match="false accept"):
        test_a_day_with_known_answers(tmp_path)
