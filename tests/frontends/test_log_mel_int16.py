"""Spectra on the mel scale in integers: C gives the reference's bytes, and the reference what float32 gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import frontends
from mcugen.errors import FrontEndError
from mcugen.frontends import Signal, spectra_int16
from tests.frontends import configurations
from tests.frontends.on_host import HostFrontEnds, chunks
from tests.frontends.signals import extreme, random_sound

SOUND = Signal("audio", "int16", 1, 16000)


@pytest.mark.parametrize("seed", range(5))
def test_c_equals_the_reference(seed: int, tmp_path: Path) -> None:
    """1,000 random front ends in all."""
    rng = np.random.default_rng(seed)
    front_ends = [configurations.log_mel_int16(rng) for _ in range(200)]
    host = HostFrontEnds(tmp_path, front_ends)
    for i, front_end in enumerate(front_ends):
        sound = random_sound(rng, 2500).reshape(-1, 1)
        host.reset(i)
        rows = np.concatenate([host.push(chunk, i) for chunk in chunks(sound, rng)])
        expected = frontends.rows_of(front_end, sound)
        assert len(expected) > 0
        assert rows.tobytes() == expected.tobytes(), front_end


def test_extreme_sounds(tmp_path: Path) -> None:
    front_ends = [
        frontends.make("log_mel", SOUND, arithmetic="int16"),
        frontends.make("mfcc", SOUND, arithmetic="int16", like="librosa"),
    ]
    host = HostFrontEnds(tmp_path, front_ends, "-fsanitize=undefined", "-fno-sanitize-recover")
    for sound in extreme(4000).values():
        for i, front_end in enumerate(front_ends):
            host.reset(i)
            rows = frontends.rows_of(front_end, sound)
            assert np.abs(rows.astype(np.int64)).max() < 32767, "the largest row there can be is not clipped"
            assert host.push(sound.reshape(-1, 1), i).tobytes() == rows.tobytes()


DISTANCES = {20: 0.025, 40: 0.2, 60: 3.0}
"""By decibels below a window's loudest channel, how far a channel may be from float32's, in decibels."""


def test_it_is_what_float32_gives() -> None:
    fields = {"like": "librosa", "equal_area": False, "floor": 1e-20}
    whole = frontends.make("log_mel", SOUND, arithmetic="int16", **fields)
    exact = frontends.make("log_mel", SOUND, **fields)
    sounds = [random_sound(np.random.default_rng(seed), 3000) for seed in range(60)]
    scale = whole.rows().scale
    assert scale == 2.0**-7
    rows = np.concatenate([frontends.rows_of(whole, sound) for sound in sounds]) * scale
    floats = np.concatenate([frontends.rows_of(exact, sound) for sound in sounds])
    loudest = floats.max(axis=1, keepdims=True)
    for distance, most in DISTANCES.items():
        near = (floats > loudest - distance) & (loudest > -120)
        assert near.sum() > 1000
        assert np.abs(rows - floats)[near].max() < most, distance


def test_noise_is_near_in_all_of_a_row() -> None:
    noise = np.random.default_rng(5).normal(0, 3000, 16000).astype(np.int16)
    for kind, most in (("log_mel", 0.005), ("mfcc", 0.01)):
        whole = frontends.make(kind, SOUND, arithmetic="int16")
        floats = frontends.rows_of(frontends.make(kind, SOUND), noise)
        scale = whole.rows().scale
        assert scale is not None
        assert np.abs(frontends.rows_of(whole, noise) * scale - floats).max() < most


def test_roots_and_logarithms() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([np.arange(1, 70), 2.0 ** rng.uniform(0, 32, 3000), [2**32 - 1]]).astype(np.uint64)
    exact = np.sqrt(values.astype(np.float64)) * 256
    assert (np.abs(spectra_int16.roots(values) - exact) <= 1.01 + exact * 4e-5).all()
    sums, nothing = (2.0 ** rng.uniform(0, 63, (2000, 1))).astype(np.uint64), (0, 0)
    exponents = rng.integers(-90, 20, 2000).astype(np.int32)
    found = spectra_int16.log2(sums, exponents, nothing, nothing)[:, 0] / 65536
    assert np.abs(found - np.log2(sums[:, 0].astype(np.float64)) - exponents).max() < 6e-5
    values = sums[:, 0] * 2.0**exponents
    for floor, offset in ((1e-6, 0.0), (0.0, 1e-6), (1e-3, 3.0)):
        found = spectra_int16.log2(sums, exponents, spectra_int16.parted(floor), spectra_int16.parted(offset))
        assert np.abs(found[:, 0] / 65536 - np.log2(np.maximum(values, floor) + offset)).max() < 6e-5


@pytest.mark.parametrize(
    ("fields", "signal", "message"),
    [
        ({"arithmetic": "int8"}, SOUND, "arithmetic: is 'int8', not one of float32, int16"),
        ({"log": "none"}, SOUND, 'arithmetic: is int16, which has too little range without a logarithm: log is "none"'),
        ({}, Signal("audio", "float32", 1, 16000), "arithmetic: is int16, which takes int16 samples, not float32"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], signal: Signal, message: str) -> None:
    with pytest.raises(FrontEndError, match=message):
        frontends.make("mfcc", signal, **{"arithmetic": "int16", **fields})
