"""Categories and whole clips' spectrograms: C gives the reference's bytes, and the reference what Keras computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import frontends
from mcugen.errors import FrontEndError
from mcugen.frontends import Signal
from tests.frontends import configurations
from tests.frontends.on_host import HostFrontEnds, chunks
from tests.frontends.signals import extreme, random_sound

COLUMNS = Signal("table", "float32", 3)
SOUND = Signal("audio", "int16", 1, 8000)


def test_categories_in_c_equal_the_reference(tmp_path: Path) -> None:
    """1,000 random front ends, with values at the boundaries themselves."""
    rng = np.random.default_rng(6)
    front_ends = [configurations.categories(rng) for _ in range(1000)]
    host = HostFrontEnds(tmp_path, front_ends)
    for i, front_end in enumerate(front_ends):
        frames = configurations.frames_for(rng, front_end.signal, 60)
        frames[::2] = rng.integers(-3, 135, frames[::2].shape).astype(frames.dtype)
        if front_end.signal.dtype == "float32":
            frames[5], frames[7] = np.nan, front_end.boundaries[0]
        rows = np.concatenate([host.push(chunk, i) for chunk in chunks(frames, rng)])
        assert rows.tobytes() == frontends.rows_of(front_end, frames).tobytes(), front_end


@pytest.mark.parametrize("seed", range(5))
def test_spectrograms_in_c_equal_the_reference(seed: int, tmp_path: Path) -> None:
    """1,000 random front ends in all."""
    rng = np.random.default_rng(seed)
    front_ends = [configurations.spectrogram(rng) for _ in range(200)]
    host = HostFrontEnds(tmp_path, front_ends, "-lm")
    for i, front_end in enumerate(front_ends):
        sound = random_sound(rng, 3000).reshape(-1, 1)
        if front_end.signal.dtype == "float32":
            sound = sound.astype(np.float32) / np.float32(32768)
        host.reset(i)
        rows = np.concatenate([host.push(chunk, i) for chunk in chunks(sound, rng)])
        expected = frontends.rows_of(front_end, sound)
        assert len(expected) > 1
        assert rows.tobytes() == expected.tobytes(), front_end


def test_extreme_clips(tmp_path: Path) -> None:
    front_end = frontends.make("spectrogram", SOUND, clip=2000, window=256, stride=100, channels=20)
    host = HostFrontEnds(tmp_path, [front_end], "-lm", "-fsanitize=undefined", "-fno-sanitize-recover")
    for sound in extreme(4000).values():
        host.reset()
        rows = frontends.rows_of(front_end, sound)
        assert np.isfinite(rows).all()
        assert host.push(sound.reshape(-1, 1)).tobytes() == rows.tobytes()


@pytest.mark.parametrize(
    ("kind", "signal", "fields", "message"),
    [
        ("categories", COLUMNS, {"boundaries": [1, 1]}, "boundaries: do not ascend"),
        ("categories", COLUMNS, {"tokens": 3}, "boundaries: is missing: float32 values are no numbers of categories"),
        ("categories", COLUMNS, {"boundaries": []}, "boundaries: has 0 numbers, not between 1 and 4095"),
        ("spectrogram", SOUND, {"clip": 1000}, "clip: is 1000: clips are mirrored at their borders"),
        ("spectrogram", SOUND, {"clip": 4000, "fft": 2500}, "fft: is 2500, not a power of two"),
        ("spectrogram", SOUND, {"clip": 4000, "hop": 4001}, "hop: is 4001, not between 1 and 4000"),
    ],
)
def test_what_cannot_be_is_refused(kind: str, signal: Signal, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(FrontEndError, match=message):
        frontends.make(kind, signal, **fields)
