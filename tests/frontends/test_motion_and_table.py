"""Axes and columns: units, windows, features; and scikit-learn's scalers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler, StandardScaler

from mcugen import frontends
from mcugen.errors import FrontEndError
from mcugen.frontends import Signal
from mcugen.frontends.table import from_scaler
from tests.frontends import configurations
from tests.frontends.on_host import HostFrontEnds, chunks

AXES = Signal("motion", "int16", 3, 50)
COLUMNS = Signal("table", "float32", 4)


@pytest.mark.parametrize("kind", ["motion", "table"])
def test_c_equals_the_reference(kind: str, tmp_path: Path) -> None:
    """1,000 random front ends. The bytes are equal: this computer fuses no products and sums in ISO C."""
    rng = np.random.default_rng(5)
    front_ends = [getattr(configurations, kind)(rng) for _ in range(1000)]
    host = HostFrontEnds(tmp_path, front_ends, "-lm")
    for i, front_end in enumerate(front_ends):
        frames = configurations.frames_for(rng, front_end.signal, 150)
        host.reset(i)
        rows = np.concatenate([host.push(chunk, i) for chunk in chunks(frames, rng)])
        expected = frontends.rows_of(front_end, frames)
        assert len(expected) > 0
        assert rows.tobytes() == expected.tobytes(), front_end


def test_features_are_what_their_names_say() -> None:
    front_end = frontends.make(
        "motion", AXES, size=16384, window=50, step=25, features=["mean", "variance", "rms", "zero_crossings", "max"]
    )
    frames = np.random.default_rng(1).integers(-30000, 30000, (175, 3)).astype(np.int16)
    rows = frontends.rows_of(front_end, frames).reshape(-1, 3, 5)
    assert len(rows) == 6
    for i, row in enumerate(rows):
        window = frames[25 * i : 25 * i + 50].astype(np.float64) / 16384
        signs = np.signbit(window - window.mean(axis=0))
        told = [
            window.mean(axis=0),
            window.var(axis=0),
            np.sqrt((window**2).mean(axis=0)),
            (signs[1:] != signs[:-1]).sum(axis=0),
            window.max(axis=0),
        ]
        np.testing.assert_allclose(row, np.transpose(told), rtol=1e-5, atol=1e-6)


def test_frequencies_are_those_of_an_fft() -> None:
    front_end = frontends.make("motion", AXES, window=64, fft_bins=32)
    frames = np.random.default_rng(2).integers(-30000, 30000, (64, 3)).astype(np.int16)
    (row,) = frontends.rows_of(front_end, frames).reshape(-1, 3, 32)
    spectrum = np.abs(np.fft.rfft(frames - frames.mean(axis=0), axis=0))[1:] / 64
    np.testing.assert_allclose(row, spectrum.T, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize(
    "scaler",
    [
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        MinMaxScaler((-1, 1)),
        MaxAbsScaler(),
        RobustScaler(with_centering=False),
        make_pipeline(StandardScaler(), "passthrough", MinMaxScaler()),
    ],
    ids=str,
)
def test_scalers_of_scikit_learn(scaler: Any) -> None:
    data = np.random.default_rng(3).normal(5, 20, (200, 4)).astype(np.float32)
    scaler.fit(data)
    rows = frontends.rows_of(from_scaler(COLUMNS, scaler), data)
    np.testing.assert_allclose(rows, scaler.transform(data), rtol=2e-5, atol=2e-5)


def test_what_is_no_scaler_is_refused() -> None:
    with pytest.raises(FrontEndError, match="Normalizer: is no fitted scaler"):
        from_scaler(COLUMNS, Normalizer())
    with pytest.raises(FrontEndError, match="MinMaxScaler: clips, which a front end does not"):
        from_scaler(COLUMNS, MinMaxScaler(clip=True).fit(np.eye(4)))
    with pytest.raises(FrontEndError, match="the scaler has 3 columns, and the signal 4"):
        from_scaler(COLUMNS, StandardScaler().fit(np.eye(3)))


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("motion", {"size": [1, 2]}, "size: has 2 numbers, and the signal 3 channels"),
        ("motion", {"size": 0}, "size: holds 0, by which nothing can be divided"),
        ("motion", {"features": ["mode"]}, "features: holds 'mode', not one of mean, variance"),
        ("motion", {"features": ["mean"]}, "window: is missing"),
        ("motion", {"fft_bins": 9, "window": 16}, "fft_bins: is 9, and a window of 16 frames has 8 frequencies"),
        ("motion", {"window": 16}, "'window'.*unknown|window: is unknown"),
        ("table", {"offset": 1}, 'does not take the signal "audio"'),
    ],
)
def test_what_cannot_be_is_refused(kind: str, fields: dict[str, Any], message: str) -> None:
    signal = Signal("audio", "int16", 1, 16000) if kind == "table" else AXES
    with pytest.raises(FrontEndError, match=message):
        frontends.make(kind, signal, **fields)
