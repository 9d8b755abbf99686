"""`mcugen monitor` on pipelines: samples in, events out, on an emulated board; recorded and replayed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mcugen import api
from mcugen.errors import DataError
from mcugen.monitor.record import read_recording
from mcugen.monitor.state import State
from mcugen.monitor.types import Message, Note, Opened, Reading
from mcugen.ui.monitor import picture
from tests.cli.conftest import Cli
from tests.pipeline.test_on_boards import STREAMING, loud_and_quiet, written

pytestmark = pytest.mark.emulator

BOARD = "mps2-an386"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    path = written(folder, STREAMING, "wake_word", threshold=0.3, channels=10)
    api.generate(path, board=BOARD, out=folder / "firmware")
    api.build(folder / "firmware")
    return folder / "firmware"


def test_a_signal_goes_in_and_events_come_out(project: Path, tmp_path: Path) -> None:
    frames = loud_and_quiet(16_000, 1)
    np.save(tmp_path / "x.npy", frames)
    expected = api.run(project, inputs=frames, out=tmp_path / "y.npy")
    assert expected.signal is not None
    count, outputs = len(expected.outputs[0]), expected.outputs[0]
    messages: list[Message] = []

    def show(message: Message | None, _state: State) -> None:
        if message is not None:
            messages.append(message)

    file = tmp_path / "run.csv"
    seen = api.monitor(project, inputs=str(tmp_path / "x.npy"), count=count + 3, record=file, show=show, profile=True)
    readings = [message for message in messages if isinstance(message, Reading)]
    assert len(readings) == count + 3
    for n, reading in enumerate(readings):  # the recording begins anew, from a reset
        assert np.array_equal(reading.outputs[0].reshape(-1), outputs[n % count].reshape(-1)), n
    assert [reading.sample.number for reading in readings[-4:]] == [count - 1, 0, 1, 2]
    assert sum(reading.cost for reading in readings[:count]) <= sum(expected.signal.costs)
    opened = next(message for message in messages if isinstance(message, Opened))
    assert opened.facts.ops
    assert opened.facts.labels == ("other", "word")
    events = [message.text for message in messages if isinstance(message, Note) and message.kind == "event"]
    first = expected.signal.events[0]
    assert first.seconds is not None
    assert events[0] == f"word starts, score {first.score:.4g}, at {first.seconds:.2f} s of x.npy"
    assert len(events) >= len(expected.signal.events) > 0
    state = seen.state.devices[0]
    assert (state.count, state.events, state.warnings) == (count + 3, len(events), state.warnings)
    # The input that is shown is the window that the model saw.
    assert readings[0].sample.arrays[0].shape == opened.facts.inputs[0].shape
    replayed = [message for message in read_recording(file) if isinstance(message, Note)]
    assert [note.text for note in replayed if note.kind == "event"] == events
    assert json.loads(json.dumps(seen.to_dict()))["devices"][0]["events"] == len(events)
    assert picture(seen.state, 80, "end") is not None


def test_lines_name_events(project: Path, cli: Cli) -> None:
    ran = cli("monitor", project, "-i", "noise", "-n", 60, "--lines")
    assert ran.code == 0, ran.err
    assert "word starts, score" in ran.out
    assert "of made up" in ran.out


@pytest.mark.parametrize("kind", ["sine", "chirp"])
def test_tones(project: Path, kind: str) -> None:
    seen = api.monitor(project, inputs=kind, count=3)
    assert seen.state.devices[0].facts.feed == kind


def test_what_cannot_be_is_refused(project: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "short.npy", np.zeros(100, np.int16))
    with pytest.raises(DataError, match="is too short for an inference"):
        api.monitor(project, inputs=str(tmp_path / "short.npy"), count=1)
    with pytest.raises(DataError, match="there is no such file"):
        api.monitor(project, inputs=str(tmp_path / "none.npy"), count=1)
    with pytest.raises(DataError, match="runs no loop of its own"):
        api.monitor(project, inputs="device", count=1)
