"""Detections against the truth: every rule of docs/SENSORS.md by an example whose answer is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcugen.assess.detections import Counts, Detection, Point, Truth, choose, judge, pareto_front
from mcugen.assess.truths import folder_truths, read_truths
from mcugen.errors import DataError

LABELS = ("on", "off")
DURATIONS = {"a.wav": 20.0, "deep/b.wav": 5.0}


def found(*seconds: float, label: str = "on", recording: str = "a.wav") -> list[Detection]:
    return [Detection(recording, at, label, 0.9) for at in seconds]


def true(start: float, end: float, label: str = "on", recording: str = "a.wav") -> Truth:
    return Truth(recording, start, end, label)


def outcomes(detections: list[Detection], truths: list[Truth], tolerance: float = 1.0) -> list[str]:
    return [one.outcome for one in judge(detections, truths, LABELS, 3600.0, tolerance).detections]


@pytest.mark.parametrize(
    ("seconds", "outcome"),
    [
        (1.99, "false accept"),
        (2.0, "hit"),
        (3.0, "hit"),
        (4.0, "hit"),
        (4.01, "false accept"),
    ],
)
def test_a_hit_starts_between_start_and_end_plus_tolerance(seconds: float, outcome: str) -> None:
    assert outcomes(found(seconds), [true(2, 3)]) == [outcome]


def test_without_tolerance_the_end_is_the_end() -> None:
    assert outcomes(found(3.0), [true(2, 3)], 0.0) == ["hit"]
    assert outcomes(found(3.01), [true(2, 3)], 0.0) == ["false accept"]


def test_further_detections_of_an_interval_are_repeats() -> None:
    assert outcomes(found(2.1, 2.5, 3.9, 9.0), [true(2, 3)]) == ["hit", "repeat", "repeat", "false accept"]


def test_a_detection_between_two_intervals_is_of_the_first_that_has_none_yet() -> None:
    """Both hold 3.5 s because of the tolerance."""
    truths = [true(3.2, 4), true(2, 3)]
    assert outcomes(found(2.5, 3.5), truths) == ["hit", "hit"]
    judged = judge(found(3.5), truths, LABELS, 3600.0, 1.0)
    assert judged.missed == (true(3.2, 4),)
    assert judged.total.latency == 1.5
    assert outcomes(found(3.5, 3.6, 3.7), truths) == ["hit", "hit", "repeat"]


def test_other_labels_and_recordings_do_not_count() -> None:
    assert outcomes(found(2.5, label="off"), [true(2, 3)]) == ["false accept"]
    assert outcomes(found(2.5, recording="deep/b.wav"), [true(2, 3)]) == ["false accept"]


def test_the_counts_by_label_and_of_all() -> None:
    detections = [*found(2.5, 2.7, 10.0), *found(6.5, 12.0, label="off"), *found(1.0, recording="deep/b.wav")]
    truths = [true(2, 3), true(6, 7, "off"), true(15, 16), true(0, 2, recording="deep/b.wav")]
    judged = judge(detections, truths, LABELS, 1800.0, 1.0)
    on, off = judged.labels
    assert (on.label, on.truths, on.hits, on.misses, on.repeats, on.false_accepts) == ("on", 3, 2, 1, 1, 1)
    assert (off.label, off.truths, off.hits, off.misses, off.repeats, off.false_accepts) == ("off", 1, 1, 0, 0, 1)
    assert (on.per_hour, off.per_hour, judged.total.per_hour) == (2.0, 2.0, 4.0)
    assert on.miss_percent == pytest.approx(100 / 3)
    assert (on.latency, off.latency, judged.total.latency) == (0.75, 0.5, 0.5)
    assert judged.missed == (true(15, 16),)


def test_without_truths_there_is_no_rate_of_misses() -> None:
    total = judge(found(1.0), [], LABELS, 7200.0, 1.0).total
    assert (total.miss_percent, total.latency, total.per_hour) == (None, None, 0.5)


def point(threshold: float, misses: int, false_accepts: int) -> Point:
    return Point(threshold, threshold, Counts("all", 10, 10 - misses, 0, false_accepts, 3600.0, None))


def test_the_front_holds_what_no_other_beats() -> None:
    points = [point(0.1, 0, 9), point(0.2, 1, 9), point(0.3, 2, 4), point(0.4, 2, 5), point(0.5, 10, 0)]
    assert [one.threshold for one in pareto_front(points)] == [0.1, 0.3, 0.5]
    # Of those with the same counts the middle one; what is as good in one and worse in the other is beaten.
    alike = [point(t, 2, 4) for t in (0.3, 0.35, 0.5, 0.7, 0.9)]
    assert [one.threshold for one in pareto_front([*alike, point(0.95, 3, 4)])] == [0.5]


def test_the_choice_misses_least_within_the_limit() -> None:
    front = pareto_front([point(0.1, 0, 9), point(0.3, 2, 4), point(0.5, 10, 0)])
    chosen = [choose(front, limit) for limit in (100, 9, 8.9, 4, 0)]
    assert [one and one.threshold for one in chosen] == [0.1, 0.1, 0.3, 0.3, 0.5]
    assert choose(front[:1], 1) is None


def test_a_file_of_truths(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_bytes(
        "\ufefffile,start,end,label\r\n deep\\b.wav ,1,5.5,on\r\n\r\na.wav,0,2,off\r\na.wav,2,3e0,off\r\n".encode()
    )
    assert read_truths(path, DURATIONS, LABELS) == (
        true(1, 5.5, recording="deep/b.wav"),
        true(0, 2, "off"),
        true(2, 3, "off"),
    )
    path.write_text("file,start,end,label\n")
    assert read_truths(path, DURATIONS, LABELS) == ()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", r"does not begin with the line file,start,end,label"),
        ("a.wav,1,2,on", r"does not begin with the line file,start,end,label"),
        ("file,start,end,label\na.wav,1,2", r"line 2: has 3 values, not 4"),
        ("file,start,end,label\n\na.wav,one,2,on", r'line 3: start is "one", no number of seconds'),
        ("file,start,end,label\na.wav,1,nan,on", r'line 2: end is "nan", no number of seconds'),
        ("file,start,end,label\na.wav,-1,2,on", r'line 2: start is "-1", no number of seconds'),
        ("file,start,end,label\na.wav,1,1_0,on", r'line 2: end is "1_0", no number of seconds'),
        ("file,start,end,label\na.wav,0,inf,on", r'line 2: end is "inf", no number of seconds'),
        ("file,start,end,label\nc.wav,1,2,on", r'line 2: "c.wav" is not among the recordings. They are a.wav and'),
        ("file,start,end,label\nb.wav,1,2,on", r'line 2: "b.wav" is not among the recordings'),
        ("file,start,end,label\na.wav,1,2,oon", r'line 2: "oon" is no label of the pipeline. Its labels are on and'),
        ("file,start,end,label\na.wav,2,1,on", r"line 2: ends at 1 s, before its start at 2 s"),
        ("file,start,end,label\na.wav,20,20.5,on", r"line 2: is from 20 to 20.5 s, but the recording has 20 s"),
        ("file,start,end,label\na.wav,19,21.5,on", r"line 2: is from 19 to 21.5 s, but the recording has 20 s"),
        (
            "file,start,end,label\na.wav,5,7,on\na.wav,1,2,off\na.wav,4,5.5,on",
            r'line 4: overlaps line 2, of the same label "on"',
        ),
        ("file,start,end,label\na.wav,5,7,on\na.wav,5,7,on", r"line 3: says the same as line 2"),
        ('file,start,end,label\n"a.wav,5,7,on', r"is no readable .csv file"),
        ("file,start,end,label\na.wav,5,7,\x00", r"(no label of the pipeline|no readable .csv file)"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, lines: str, words: str) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(lines)
    with pytest.raises(DataError, match=words) as caught:
        read_truths(path, DURATIONS, LABELS)
    assert "\x00" not in str(caught.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        read_truths(tmp_path, DURATIONS, LABELS)
    path = tmp_path / "truth.csv"
    path.write_bytes(b"file,start,end,label\n\xff\xfe")
    with pytest.raises(DataError, match=r"is no readable \.csv file: 'utf-8' codec"):
        read_truths(path, DURATIONS, LABELS)


def test_overlaps_of_other_labels_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text("file,start,end,label\na.wav,5,7,on\na.wav,6,8,off\ndeep/b.wav,4,5,on\n")
    assert len(read_truths(path, DURATIONS, LABELS)) == 3


def test_a_folder_per_class() -> None:
    classes = {"a.wav": "on", "deep/b.wav": "noise"}
    assert folder_truths(classes, DURATIONS, LABELS, "recordings") == (true(0, 20),)
    with pytest.raises(DataError, match=r'"a.wav" is in no folder .* Pass `events=TRUTH.csv`'):
        folder_truths({**classes, "a.wav": ""}, DURATIONS, LABELS, "recordings")
