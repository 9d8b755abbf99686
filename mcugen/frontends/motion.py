"""Axes of an accelerometer and the like: in units, and in windows of which features are computed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mcugen.frontends.emitting import COMMON_HEADERS, config_text, const_array, memory, scratch, state_size_check
from mcugen.frontends.table import Columns
from mcugen.frontends.types import Array, EmittedFrontEnd, FrontEnd, FrontEndSpec, Rows, Signal, Streaming
from mcugen.frontends.units import Units, parse_units
from mcugen.toml_table import Table

FEATURES = ("mean", "variance", "rms", "zero_crossings", "min", "max")
"""In the order in which an axis has them in a row; the magnitudes of `fft_bins` frequencies follow."""


@dataclass(frozen=True)
class Motion:
    """A row is the features of a window, all of the first axis before those of the next, float32."""

    signal: Signal
    units: Units
    window: int
    step: int
    features: tuple[str, ...]
    fft_bins: int

    @property
    def per_axis(self) -> int:
        return len(self.features) + self.fft_bins

    def rows(self) -> Rows:
        return Rows((self.signal.channels * self.per_axis,), "float32", self.window, self.step)

    def reference(self) -> Streaming:
        return _Reference(self)

    def emitted(self, name: str = "mcg_front") -> EmittedFrontEnd:
        offset, size = self.units.arrays()
        fields = {
            "offset": f"{name}_offset",
            "size": f"{name}_size",
            "cosines": f"{name}_cosines" if self.fft_bins else "0",
            "window": f"{self.window}u",
            "step": f"{self.step}u",
            "channels": f"{self.signal.channels}u",
            "frame_bytes": f"{self.signal.frame_bytes}u",
            "fft_bins": f"{self.fft_bins}u",
            "features": f"{sum(1 << FEATURES.index(feature) for feature in self.features)}u",
            "type": f"MCG_FE_{self.signal.dtype.upper()}",
        }
        listed = ",\n".join(f"    .{key} = {value}" for key, value in fields.items())
        kept = self.window * self.signal.frame_bytes
        config = config_text(
            const_array(f"{name}_offset", offset),
            const_array(f"{name}_size", size),
            const_array(f"{name}_cosines", cosines(self.window)) if self.fft_bins else "",
            f"static const mcg_fe_motion {name} = {{\n{listed},\n}};",
            memory(f"{name}_frames", "uint8", kept),
            scratch(name, 4 * self.window),
            f"static mcg_fe_motion_state {name}_state = {{{name}_frames, (float *){name}_SCRATCH, 0}};",
            state_size_check(name, "mcg_fe_motion_state", 12),
        )
        headers = COMMON_HEADERS
        return EmittedFrontEnd("mcg_fe_motion.h", headers, config, "motion", 12 + kept, 4 * self.window, 0.0)


def cosines(window: int) -> Array:
    """cos(2π·i/window) for each i, and then sin, float32 (2·window,)."""
    return np.array([f(2 * math.pi * i / window) for f in (math.cos, math.sin) for i in range(window)], np.float32)


class _Reference:
    def __init__(self, front_end: Motion) -> None:
        self._fe = front_end
        self.reset()

    def reset(self) -> None:
        self._frames: Array = np.zeros((0, self._fe.signal.channels), self._fe.signal.dtype)

    def push(self, frames: Array) -> Array:
        fe = self._fe
        self._frames = np.concatenate([self._frames, frames])
        if len(self._frames) < fe.window:
            return np.zeros((0, *fe.rows().shape), np.float32)
        values = fe.units.of(self._frames)
        windows = sliding_window_view(values, fe.window, axis=0)[:: fe.step]
        self._frames = self._frames[len(windows) * fe.step :]
        return np.stack(list(_features(fe, windows)), axis=2).reshape(len(windows), -1)


def _features(fe: Motion, windows: Array) -> list[Array]:
    """The features (n, channels) of windows (n, channels, window), one after another."""
    count = np.float32(fe.window)
    mean = _sums(windows) / count
    moved = windows - mean[..., None]
    made = {
        "mean": mean,
        "variance": _sums(moved * moved) / count,
        "rms": np.sqrt(_sums(windows * windows) / count),
        "zero_crossings": ((moved[..., 1:] < 0) != (moved[..., :-1] < 0)).sum(axis=2).astype(np.float32),
        "min": windows.min(axis=2) + np.float32(0),
        "max": windows.max(axis=2) + np.float32(0),
    }
    found = [made[name] for name in FEATURES if name in fe.features]
    table = cosines(fe.window).reshape(2, -1)
    for k in range(1, fe.fft_bins + 1):
        at = np.arange(fe.window) * k % fe.window
        re, im = (_sums(moved * part[at]) for part in table)
        found.append(np.sqrt(re * re + im * im) / count)
    return found


def _sums(values: Array) -> Array:
    """Sums over the last axis from 0 on, in order, each rounded to float32: `np.sum` adds in another order."""
    return np.asarray(np.cumsum(values, axis=-1, dtype=np.float32)[..., -1] + np.float32(0))


def _parse(table: Table, signal: Signal) -> FrontEnd:
    units = parse_units(table, signal)
    features = tuple(name for name in FEATURES if name in table.strings("features", FEATURES))
    bins = table.integer("fft_bins", 0, 512, 0)
    if not features and not bins:
        return Columns(signal, units)
    window = table.integer("window", 2, 4096)
    step = table.integer("step", 1, window, window)
    if bins > window // 2:
        raise table.error("fft_bins", f"is {bins}, and a window of {window} frames has {window // 2} frequencies")
    return Motion(signal, units, window, step, features, bins)


SPEC = FrontEndSpec("motion", ("motion",), _parse)
