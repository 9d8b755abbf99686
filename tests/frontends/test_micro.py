"""The fixed-point audio front end: equal to TensorFlow Lite Micro's, in numpy and in C."""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import frontends
from mcugen.errors import FrontEndError
from mcugen.frontends import Signal, micro_rows, micro_tables
from tests.frontends.configurations import micro
from tests.frontends.on_host import HostFrontEnds, chunks, compiled
from tests.frontends.signals import extreme, random_sound

SOUND = Signal("audio", "int16", 1, 16000)
RECORDED: list[dict[str, Any]] = json.loads((Path(__file__).parent / "tflm_rows.json").read_text())
"""Hashes of rows that TensorFlow Lite Micro's own front end gave: random settings and extreme signals."""


def sha256(rows: np.ndarray) -> str:
    return hashlib.sha256(rows.astype("<u2").tobytes()).hexdigest()


@pytest.mark.parametrize("record", RECORDED, ids=lambda r: str(r.get("seed", r.get("sound"))))
def test_rows_are_those_of_tflm(record: dict[str, Any]) -> None:
    front_end = frontends.make(
        "micro", Signal("audio", "int16", 1, record["rate"]), output="uint16", **record["fields"]
    )
    if "seed" in record:
        rng = np.random.default_rng(record["seed"])
        micro(rng)
        sound = random_sound(rng, 6000)
    else:
        sound = extreme(16000)[record["sound"]]
    rows = frontends.rows_of(front_end, sound)
    assert len(rows) == record["rows"]
    assert sha256(rows) == record["sha256"]


@pytest.mark.parametrize("seed", range(10))
def test_c_equals_the_reference(seed: int, tmp_path: Path) -> None:
    """1,000 random front ends in all, each on a random sound in random chunks."""
    rng = np.random.default_rng(seed)
    front_ends = [micro(rng) for _ in range(100)]
    host = HostFrontEnds(tmp_path, front_ends)
    for i, front_end in enumerate(front_ends):
        sound = random_sound(rng, 3000).reshape(-1, 1)
        host.reset(i)
        rows = np.concatenate([host.push(chunk, i) for chunk in chunks(sound, rng)])
        assert np.array_equal(rows, frontends.rows_of(front_end, sound)), front_end


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> HostFrontEnds:
    front_ends = [frontends.make("micro", SOUND), frontends.make("micro", SOUND, step_ms=20, output="int8")]
    return HostFrontEnds(tmp_path_factory.mktemp("usual"), front_ends, "-fsanitize=undefined", "-fno-sanitize-recover")


@pytest.mark.parametrize("name", extreme(1))
def test_extreme_sounds(name: str, usual: HostFrontEnds) -> None:
    sound = extreme(8000)[name].reshape(-1, 1)
    for i, fields in enumerate(({}, {"step_ms": 20, "output": "int8"})):
        usual.reset(i)
        assert np.array_equal(usual.push(sound, i), frontends.rows_of(frontends.make("micro", SOUND, **fields), sound))


def test_chunks_and_reset_make_no_difference() -> None:
    reference = frontends.make("micro", SOUND).reference()
    sound = random_sound(np.random.default_rng(3), 5000).reshape(-1, 1)
    whole = reference.push(sound)
    reference.reset()
    parts = [reference.push(chunk) for chunk in chunks(sound, np.random.default_rng(4))]
    assert whole.shape == (29, 40)
    assert np.array_equal(np.concatenate(parts), whole)


def test_rows_are_those_of_pymicro_features() -> None:
    features = pytest.importorskip("pymicro_features", reason="pymicro-features has no wheel here")
    if not _libm_is_suns():
        pytest.skip("this libm rounds log1pf in another way, and pymicro-features takes it from there")
    sound = random_sound(np.random.default_rng(11), 48000)
    theirs = np.array(list(_their_rows(features.MicroFrontend(), sound)), np.float32)
    ours = frontends.rows_of(frontends.make("micro", SOUND), sound)
    assert theirs.shape == (298, 40)
    assert np.array_equal(ours, theirs)


def _their_rows(front_end: Any, sound: np.ndarray) -> Iterator[list[float]]:
    audio, at = sound.tobytes(), 0
    while at + 320 <= len(audio):
        output = front_end.process_samples(audio[at : at + 320])
        at += 2 * output.samples_read
        if output.features:
            yield output.features


def _libm_is_suns() -> bool:
    library = ctypes.CDLL(ctypes.util.find_library("m") or None)
    library.log1pf.restype, library.log1pf.argtypes = ctypes.c_float, [ctypes.c_float]
    bins = np.arange(5, 241, dtype=np.float32) * np.float32(31.25) / np.float32(700)
    return all(library.log1pf(float(x)) == float(micro_tables.log1p(x)) for x in bins)


def test_log1p_is_that_of_libm() -> None:
    if not _libm_is_suns():
        pytest.skip("this libm rounds log1pf in another way")
    library = ctypes.CDLL(ctypes.util.find_library("m") or None)
    library.log1pf.restype, library.log1pf.argtypes = ctypes.c_float, [ctypes.c_float]
    values = np.concatenate([2.0 ** np.random.default_rng(0).uniform(-14, 6, 3000), 2.0 ** np.arange(1, 7) - 1])
    for x in values.astype(np.float32):
        assert float(micro_tables.log1p(x)) == library.log1pf(float(x)), x


def test_roots_stop_at_the_largest_of_16_and_32_bits(tmp_path: Path) -> None:
    """As the original's do: 2^32 − 1 has the root 65535, and 2^32 has 65536."""
    values = [0, 1, 2, 3, 6, 7, 65535**2 + 65535, 65535**2 + 65536, 2**32 - 1, 2**32, 2**40 + 1, 2**62 + 2**31 + 1]
    values += [int(value) for value in 2.0 ** np.random.default_rng(0).uniform(0, 62, 500)]
    function = "uint32_t root(uint64_t value);\nuint32_t root(uint64_t value) { return mcg_fe_micro_root64(value); }\n"
    root = compiled(tmp_path, f'#include "mcg_fe_micro.h"\n{function}').root
    root.restype, root.argtypes = ctypes.c_uint32, [ctypes.c_uint64]
    expected = micro_rows.roots(np.array(values, np.uint64))
    assert [root(value) for value in values] == expected.tolist()
    assert expected[6:10].tolist() == [65535, 65535, 65535, 65536]
    assert np.abs(np.sqrt(np.array(values[10:], np.float64)) - expected[10:]).max() < 0.51


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"step_ms": 31}, "step_ms: makes steps of 496 samples, not between 1 and those of a window"),
        ({"window_ms": 300}, "window_ms: makes windows of 4800 samples, not between 16 and 4096"),
        ({"high_hz": 8000}, "high_hz: is 8000, too close to half the rate, 8000"),
        ({"low_hz": 7600}, "low_hz: is 7600, not below high_hz, 7500"),
        ({"low_hz": 100, "high_hz": 101}, "high_hz: leaves no frequency between 100 and 101 Hz"),
        ({"pcan_gain_bits": 10}, "pcan_gain_bits: is 10, and windows of this length need 15 or more"),
        ({"smoothing_bits": 2}, "smoothing_bits: is 2, and windows of this length need 3 or more"),
        ({"channel": 40}, "field channel|'channel'"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(FrontEndError, match=message):
        frontends.make("micro", SOUND, **fields)


def test_other_signals_are_refused() -> None:
    with pytest.raises(FrontEndError, match='"micro" takes int16 samples of one channel'):
        frontends.make("micro", Signal("audio", "int16", 2, 16000))
    with pytest.raises(FrontEndError, match=r'does not take the signal "motion"; these do: .*raw'):
        frontends.make("micro", Signal("motion", "int16", 3, 50))
