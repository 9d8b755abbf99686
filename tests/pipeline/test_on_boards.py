"""From sensor to decision on emulated boards: rows, outputs and events equal the host's, however a signal is cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import api
from mcugen.device.connecting import open_device
from mcugen.device.signals import SignalDevice, Told
from mcugen.errors import DeviceError, McugenError
from mcugen.flow import signals
from mcugen.flow.project import open_project
from mcugen.frontends import rows_of
from mcugen.runtimes.aot.graph import read_graph
from tests.models import model_path, real
from tests.schemas import check
from tests.zoo import float_model

pytestmark = pytest.mark.emulator

STREAMING = """
[input]
kind = "audio"
rate = 16000

[frontend]
kind = "micro"
output = "uint16"
channels = {channels}

[model]
file = "{model}"
row_scale = 0.0390625

[decision]
labels = ["word"]
threshold = {threshold}
smooth = 3
"""

WINDOWED = """
[input]
kind = "motion"
channels = 16
rate = 100

[frontend]
kind = "raw"

[model]
file = "{model}"
stride = 3
row_scale = 0.0001

[decision]
kind = "anomaly"
smooth = 2
threshold = {threshold}
release = {release}
refractory_ms = 60
"""


def written(folder: Path, text: str, model: str, **numbers: float) -> Path:
    path = folder / "pipeline.toml"
    path.write_text(text.format(model=model_path(model), **numbers))
    return path


def loud_and_quiet(frames: int, channels: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.int16]]:
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.integers(1, 30_000, 1 + frames // 31), 31)[:frames, np.newaxis]
    return (rng.uniform(-1, 1, (frames, channels)) * level).astype(np.int16)


def told(device: SignalDevice, frames: Any, sizes: list[int]) -> list[Told]:
    """What a device tells about frames that are pushed in pieces of these sizes, over and over."""
    device.reset()
    found, at, turn = [], 0, 0
    while at < len(frames):
        size = sizes[turn % len(sizes)]
        found += list(device.push(frames[at : at + size]))
        at, turn = at + size, turn + 1
    return found


def test_a_windowed_model_gets_its_windows_however_the_signal_is_cut(tmp_path: Path) -> None:
    path = written(tmp_path, WINDOWED, "autoencoder", threshold=0.4, release=0.3)
    frames = loud_and_quiet(200, 16)
    out = tmp_path / "firmware"
    proof = api.deploy(path, board="mps2-an386", data=frames, out=out)
    assert proof.exit_code == 0
    assert proof.signal is not None
    assert proof.signal.passed
    app = proof.ready.model.app
    assert app is not None
    assert app.stride == 3 < app.rows
    assert proof.signal.rows == 200
    assert proof.signal.inferences == 1 + (200 - app.rows) // 3
    assert proof.signal.events > 1
    assert proof.signal.cost > proof.signal.inferences * proof.cost.invoke
    assert 0 < proof.ready.plan.app_bytes <= proof.firmware.ram.static
    check(proof.to_dict())
    project, model, board, _ = open_project(out)
    assert model.app is not None
    elf = project.folder / ".pio" / "build" / board.name / "firmware.elf"
    with open_device(elf, board) as device:
        pushed = SignalDevice(device, 32)
        whole = told(pushed, frames, [200])
        assert told(pushed, frames, [1]) == whole
        assert told(pushed, frames, [7, 1, 13]) == whole
        assert [one.event for one in whole if one.event] != []
        # After a reset nothing is left of what was pushed before; without one, the past counts.
        assert list(pushed.push(frames[:50])) != whole[:50]
        with pytest.raises(DeviceError, match=r"its frames have 32 bytes, the pipeline's 4"):
            SignalDevice(device, 4)


def test_a_streaming_model_keeps_its_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, STREAMING, "wake_word", threshold=0.3, channels=10)
    frames = loud_and_quiet(16_000, 1)
    out = tmp_path / "firmware"
    proof = api.deploy(path, board="netduinoplus2", inputs=frames, out=out)
    assert proof.signal is not None
    assert proof.signal.passed
    assert (proof.signal.rows, proof.signal.tolerance) == (98, 0)
    assert proof.signal.cost_per_second is not None
    result = api.run(out, inputs={"one": frames, "two": frames[:8000]}, out=tmp_path / "y.npy")
    assert result.signal is not None
    check(result.to_dict())
    half = len(result.outputs[0]) - proof.signal.inferences
    assert np.array_equal(result.outputs[0][:half], result.outputs[0][proof.signal.inferences :])

    # A front end that differs in one value of one row is found, and named.
    def off_by_one(front_end: Any, given: Any) -> Any:
        rows = rows_of(front_end, given).copy()
        rows[41, 7] += 1
        return rows

    monkeypatch.setattr(signals, "rows_of", off_by_one)
    proof = api.verify(out, inputs=frames)
    assert proof.exit_code == 1
    assert proof.signal is not None
    assert (proof.signal.wrong_rows, proof.signal.wrong_outputs, proof.signal.wrong_events) == (1, 0, 0)
    assert proof.signal.first == 'row 41 of "array" differs'


def test_a_float_model_is_calibrated_with_what_the_device_makes(tmp_path: Path) -> None:
    model = tmp_path / "float.tflite"
    model.write_bytes(float_model("autoencoder"))
    rows = read_graph(float_model("autoencoder")).tensor(0).elements // 16
    text = WINDOWED.replace("stride = 3", f"stride = 3\nwindow = {rows}").replace("{model}", model.name)
    path = tmp_path / "pipeline.toml"
    path.write_text(text.format(threshold=0.5, release=0.5))
    frames = loud_and_quiet(300, 16)
    proof = api.deploy(path, board="mps2-an386", data=frames, out=tmp_path / "firmware", report=tmp_path / "page.html")
    assert proof.exit_code == 0
    assert proof.trusted
    report = proof.ready.model.report
    assert report is not None
    assert report.calibration.available == 1 + (300 - rows) // 3
    assert proof.signal is not None
    assert proof.signal.inferences == report.calibration.available
    check(proof.to_dict())


FRONT_ENDS = {
    "image": (
        'kind = "image"\nformat = "rgb565le"\nwidth = 48\nheight = 40\nrate = 5',
        'kind = "image"\nleft = 4\nwidth = 16\nheight = 16\nmethod = "bilinear"\noutput = "int8"',
        "resnet",
    ),
    "log_mel": (
        'kind = "audio"\nrate = 8000',
        'kind = "log_mel"\nwindow_ms = 32\nstep_ms = 16\nchannels = 16',
        "autoencoder",
    ),
    "mfcc in int16": (
        'kind = "audio"\nrate = 8000',
        'kind = "mfcc"\narithmetic = "int16"\nwindow_ms = 32\nstep_ms = 16\nchannels = 20\ncoefficients = 16',
        "autoencoder",
    ),
    "motion": (
        'kind = "motion"\nformat = "int16"\nchannels = 2\nrate = 50',
        'kind = "motion"\nwindow = 10\nstep = 5\nfeatures = ["mean", "rms", "zero_crossings"]\nfft_bins = 5',
        "autoencoder",
    ),
    "table": (
        'kind = "table"\nformat = "int16"\nchannels = 16',
        f'kind = "table"\noffset = {[100.0] * 16}\nsize = {[5e3] * 16}',
        "autoencoder",
    ),
}


@pytest.mark.parametrize("kind", FRONT_ENDS)
def test_every_kind_of_front_end(tmp_path: Path, kind: str) -> None:
    given, front, model = FRONT_ENDS[kind]
    path = tmp_path / "pipeline.toml"
    path.write_text(f'[input]\n{given}\n[frontend]\n{front}\n[model]\nfile = "{model_path(model)}"\n')
    proof = api.verify(path, board="mps2-an386", samples=3)
    assert proof.exit_code == 0
    assert proof.signal is not None
    assert proof.signal.passed
    assert (proof.signal.inferences, proof.signal.tolerance, proof.signal.decides) == (3, 0, False)


@real("okay_nabu")
@pytest.mark.parametrize("board", ["mps2-an386", "netduinoplus2"])
def test_okay_nabu_from_samples_to_events(tmp_path: Path, board: str) -> None:
    path = written(tmp_path, STREAMING, "okay_nabu", threshold=0.85, channels=40)
    proof = api.verify(path, board=board, samples=60)
    assert proof.exit_code == 0
    assert proof.signal is not None
    assert proof.signal.passed
    assert proof.signal.inferences == 60


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"runtime": "tflm"}, "runs compiled ahead of time only"),
        ({"auto": True}, "a pipeline takes a signal"),
        ({"data": np.zeros((5, 3), np.int16)}, r"has the shape \[5, 3\], and frames of the signal have 16 values"),
        ({"data": np.full((5, 16), 0.5)}, "holds float64 values that are no int16"),
        ({"data": np.zeros((5, 16), np.int16)}, "is too short for an inference"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, arguments: dict[str, Any], words: str) -> None:
    path = written(tmp_path, WINDOWED, "autoencoder", threshold=1.0, release=1.0)
    with pytest.raises(McugenError, match=words):
        api.deploy(path, board="mps2-an386", out=tmp_path / "firmware", **arguments)
