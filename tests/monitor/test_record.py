"""Recordings: what goes in comes out, whole or refused."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcugen.errors import DataError, ProjectError, ToolError
from mcugen.monitor.record import Recorder, check_recording, columns, read_recording
from mcugen.monitor.replay import play
from mcugen.monitor.types import Block, Message, Note, OpCost, Opened, Reading
from mcugen.tflite.types import TensorSpec
from tests.monitor.fakes import facts, reading, scores

REAL = TensorSpec("real", (1, 2), "float32")
SUFFIXES = [".csv", pytest.param(".parquet", id="parquet")]


def some_messages() -> list[Message]:
    told = facts(
        outputs=(TensorSpec("scores", (1, 3), "int8", 1 / 256, -128), REAL),
        ranges=((-0.5, 0.5),),
        ops=(OpCost("hidden", "CONV_2D", 700),),
        blocks=(Block("hidden", 0, 64, -1, 2),),
        notes=("=cmd|'/c calc'!A1",),
    )
    reals = np.array([[0.1, -3e-30]], np.float32)
    return [
        Opened(0, told),
        reading([scores(1, 127, -128), reals], number=1, time=1000.125, outside=0.25, cost=2**40),
        Note(0, 1000.5, "lost", 'the "cable"\nis out, ✖', ""),
        Note(0, 1001.0, "warning", "drifts", "drift"),
        reading([scores(-1, 0, 5), reals], number=2, time=1002.0),
    ]


def record(path: Path, messages: list[Message]) -> None:
    with Recorder(path, 1) as recorder:
        for message in messages:
            recorder.take(message)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_recorded_is_read_again(tmp_path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"run{suffix}"
    messages = some_messages()
    record(path, messages)
    read = list(read_recording(path))
    assert len(read) == len(messages)
    for before, after in zip(messages, read, strict=True):
        if not isinstance(before, Reading):
            assert after == before
            continue
        assert isinstance(after, Reading)
        assert (after.number, after.time, after.cost, after.sample.number, after.sample.outside) == (
            before.number,
            before.time,
            before.cost,
            before.sample.number,
            before.sample.outside,
        )
        for a, b in zip(before.outputs, after.outputs, strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            np.testing.assert_array_equal(a, b)


def test_csv_has_a_row_per_inference_that_others_can_read(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    record(path, some_messages())
    with path.open(newline="", encoding="utf-8") as file:
        assert json.loads(file.readline()[2:])["schema"] == "mcugen.recording/1"
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows] == ["reading", "lost", "warning", "reading"]
    assert (rows[0]["0:scores[1]"], rows[0]["prediction"], rows[0]["cost"]) == ("127", "yes", str(2**40))


def test_a_csv_that_was_cut_off_is_read_to_its_last_whole_row(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    recorder = Recorder(path, 1)
    for message in some_messages():
        recorder.take(message)
    text = path.read_text(encoding="utf-8")  # nobody has closed it
    assert len(list(read_recording(path))) == 5
    path.write_text(text[:-9], encoding="utf-8")
    assert [type(m).__name__ for m in read_recording(path)] == ["Opened", "Reading", "Note", "Note"]
    recorder.close()


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


def _replace(old: str, new: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


@pytest.mark.parametrize(
    "damage",
    [
        _truncate,
        lambda path: path.write_bytes(b"\x00\xff" * 50),
        lambda path: path.write_bytes(b""),
        _replace("mcugen.recording/1", "mcugen.recording/9"),
        _replace('"shape": [1, 3]', '"shape": [1, 1000000000]'),
        _replace('"shape": [1, 3]', '"shape": [0, 3]'),
        _replace('"dtype": "int8"', '"dtype": "object"'),
        _replace('"devices": [{', '"devices": [[], {'),
        _replace("\n0,reading,1", "\n7,reading,1"),
        _replace("\n0,reading,1", "\n0,nonsense,1"),
        _replace("\n0,reading,1", "\n0,reading,one"),
        _replace(",1,127,-128,", ",1,400,-128,"),
        _replace(",1000.125,", ",inf,"),
        _replace("\n0,warning,", "\n0,"),
    ],
)
def test_damaged_recordings_are_refused(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = tmp_path / "run.csv"
    record(path, some_messages())
    damage(path)
    with pytest.raises(
        (DataError, ProjectError),
        match=r"row \d+ cannot be read|has the schema|is not a recording made by mcugen|columns instead of|has room",
    ):
        list(read_recording(path))


def test_damaged_parquet_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "run.parquet"
    record(path, some_messages())
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], b"PAR1", b""):
        path.write_bytes(data)
        with pytest.raises(DataError, match="is not a recording made by mcugen, or is damaged"):
            list(read_recording(path))


def test_what_cannot_be_recorded_is_refused_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProjectError, match=r"\.csv or \.parquet"):
        check_recording(tmp_path / "run.txt")
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(ProjectError, match="exists already"):
        check_recording(tmp_path / "there.csv")
    with pytest.raises(ProjectError, match="folder"):
        check_recording(tmp_path / "no" / "run.csv")
    with pytest.raises(ProjectError, match="1,000,000 values"):
        columns([facts(outputs=(TensorSpec("large", (1, 1_000_000), "int8"),))])
    with pytest.raises(ProjectError, match="different outputs"):
        columns([facts(), facts(outputs=(REAL,))])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ToolError, match="pyarrow") as caught:
        check_recording(tmp_path / "run.parquet")
    assert "mcugen[parquet]" in caught.value.hint


def test_replay_keeps_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.csv"
    record(path, some_messages())
    clock = [0.0]
    monkeypatch.setattr("mcugen.monitor.replay.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("mcugen.monitor.replay.time.sleep", lambda s: clock.__setitem__(0, clock[0] + s))
    assert len([m for m in play(path, 2.0) if m is not None]) == 5
    assert clock[0] == pytest.approx((1002.0 - 1000.125) / 2)
    clock[0] = 0.0
    assert None not in list(play(path, 0.0))
    assert clock[0] == 0.0
