"""Wake words end to end with real audio: voices say the phrase and other phrases, in noise, to emulated boards."""

from __future__ import annotations

import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly

from mcugen import api
from tests.models import real
from tests.pipeline.test_on_boards import STREAMING, written

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed"),
]

RATE = 16_000
PAUSE = np.zeros(RATE // 2)


def spoken(folder: Path, text: str, voice: str) -> NDArray[np.float64]:
    path = folder / "spoken.wav"
    subprocess.run(["espeak-ng", "-v", voice, "-s", "140", "-w", str(path), text], check=True)
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
        return np.asarray(resample_poly(samples, RATE, file.getframerate()))


def saved(path: Path, parts: list[NDArray[np.float64]], noise: float) -> Path:
    """A recording with pauses, in noise of that level."""
    samples = np.concatenate([PAUSE, *(piece for part in parts for piece in (part, PAUSE))])
    samples = samples + np.random.default_rng(0).normal(0, noise, len(samples))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes())
    return path


@real("okay_nabu")
@pytest.mark.parametrize("board", ["mps2-an386", "netduinoplus2"])
def test_a_wake_word_is_heard_and_other_words_are_not(tmp_path: Path, board: str) -> None:
    pipeline = written(
        tmp_path, STREAMING.replace("smooth = 3", "smooth = 5"), "okay_nabu", threshold=0.85, channels=40
    )
    other = spoken(tmp_path, "what is the weather like today", "en-gb")
    phrase = spoken(tmp_path, "okay nabu", "en-us")
    folder = tmp_path / "recordings"
    folder.mkdir()
    saved(folder / "both.wav", [other, phrase], noise=20)
    saved(folder / "other.wav", [other], noise=200)
    proof = api.verify(pipeline, board=board, inputs=folder)
    assert proof.exit_code == 0
    signal = proof.signal
    assert signal is not None
    assert (signal.wrong_rows, signal.wrong_outputs, signal.wrong_events, signal.tolerance) == (0, 0, 0, 0)
    starts = [event for event in signal.listed if event.kind == "start"]
    assert [(event.recording, event.label) for event in starts] == [("both.wav", "word")]
    assert starts[0].seconds is not None
    assert 1.0 + len(other) / RATE < starts[0].seconds < 1.5 + (len(other) + len(phrase)) / RATE
