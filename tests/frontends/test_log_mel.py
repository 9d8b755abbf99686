"""Float32 spectra on the mel scale: C gives the reference's bytes, and the reference what the libraries compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import frontends
from mcugen.errors import FrontEndError
from mcugen.frontends import Signal, spectra
from tests.frontends import configurations
from tests.frontends.on_host import HostFrontEnds, chunks
from tests.frontends.signals import extreme, random_sound

LIBRARY_ROWS: dict[str, Any] = json.loads((Path(__file__).parent / "library_rows.json").read_text())
SOUND = Signal("audio", "int16", 1, 16000)


@pytest.mark.parametrize("seed", range(5))
def test_c_equals_the_reference(seed: int, tmp_path: Path) -> None:
    """1,000 random front ends in all."""
    rng = np.random.default_rng(seed)
    front_ends = [configurations.log_mel(rng) for _ in range(200)]
    host = HostFrontEnds(tmp_path, front_ends, "-lm")
    for i, front_end in enumerate(front_ends):
        sound = random_sound(rng, 3000).reshape(-1, 1)
        if front_end.signal.dtype == "float32":
            sound = sound.astype(np.float32) / np.float32(32768)
        host.reset(i)
        rows = np.concatenate([host.push(chunk, i) for chunk in chunks(sound, rng)])
        expected = frontends.rows_of(front_end, sound)
        assert len(expected) > 0
        assert rows.tobytes() == expected.tobytes(), front_end


def test_extreme_sounds(tmp_path: Path) -> None:
    front_ends = [frontends.make("log_mel", SOUND), frontends.make("mfcc", SOUND, like="librosa")]
    host = HostFrontEnds(tmp_path, front_ends, "-lm", "-fsanitize=undefined", "-fno-sanitize-recover")
    for sound in extreme(4000).values():
        for i, front_end in enumerate(front_ends):
            host.reset(i)
            rows = frontends.rows_of(front_end, sound)
            assert np.isfinite(rows).all()
            assert host.push(sound.reshape(-1, 1), i).tobytes() == rows.tobytes()


def test_powers_are_those_of_an_fft() -> None:
    for points in (8, 128, 256, 2048):
        values = np.random.default_rng(points).normal(0, 1, (3, 2 * points)).astype(np.float32)
        exact = np.abs(np.fft.rfft(values.astype(np.float64))) ** 2
        assert np.abs(spectra.powers(values, points) - exact).max() < 1e-6 * exact.max()


def test_logarithm() -> None:
    values = (2.0 ** np.random.default_rng(0).uniform(-100, 100, 10000)).astype(np.float32)
    exact = np.log(values.astype(np.float64))
    assert np.abs(spectra.logarithm(values) - exact).max() < 8e-6
    near_one = (1 + np.random.default_rng(1).uniform(-0.2, 0.2, 10000)).astype(np.float32)
    assert np.abs(spectra.logarithm(near_one) - np.log(near_one.astype(np.float64))).max() < 4e-8


@pytest.mark.tensorflow
def test_it_is_what_tensorflow_computes() -> None:
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not here")
    sound = random_sound(np.random.default_rng(4), 16000)
    frames = tf.signal.stft(sound.astype(np.float32) / 32768, 480, 160, 512)
    matrix = tf.signal.linear_to_mel_weight_matrix(40, 257, 16000, 80.0, 7600.0)
    logs = tf.math.log(tf.tensordot(tf.abs(frames), matrix, 1) + 1e-6)
    cepstra = tf.signal.mfccs_from_log_mel_spectrograms(logs)[..., :13]
    fields = {"low_hz": 80.0, "high_hz": 7600.0}
    assert np.abs(frontends.rows_of(frontends.make("log_mel", SOUND, **fields), sound) - logs.numpy()).max() < 1e-3
    assert np.abs(frontends.rows_of(frontends.make("mfcc", SOUND, **fields), sound) - cepstra.numpy()).max() < 2e-3


@pytest.mark.parametrize("number", range(len(LIBRARY_ROWS["cases"])))
def test_it_is_what_other_libraries_computed(number: int) -> None:
    """Their rows were recorded, with their windows laid where ours lie: they centre them in the transform."""
    case = LIBRARY_ROWS["cases"][number]
    sound = np.array(LIBRARY_ROWS["sound"], np.int16)
    rows = frontends.rows_of(frontends.make(case["kind"], SOUND, **case["fields"]), sound)
    expected = np.array(case["rows"])
    assert rows.shape == expected.shape
    assert np.abs(rows - expected).max() < (3e-4 if case["kind"] == "mfcc" else 5e-5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fft": 600}, "fft: is 600, not a power of two"),
        ({"fft": 256}, "fft: is 256, not between 512 and 8192"),
        ({"step_ms": 40}, "step_ms: makes steps of 640 samples"),
        ({"offset": 0.0}, "floor: and offset are 0, and silence has no logarithm"),
        ({"low_hz": 5000}, "low_hz: is 5000, not below high_hz, 3800"),
        ({"like": "numpy"}, "like: is 'numpy', not one of tf, librosa, torchaudio"),
        ({"coefficients": 3}, "coefficients.*unknown"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(FrontEndError, match=message):
        frontends.make("log_mel", SOUND, **fields)
