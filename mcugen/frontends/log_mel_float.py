"""`log_mel` and `mfcc` in float32."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mcugen.emit.c_text import float_literal
from mcugen.frontends import spectra
from mcugen.frontends.emitting import COMMON_HEADERS, config_text, const_array, memory, scratch, state_size_check
from mcugen.frontends.types import Array, EmittedFrontEnd, FrontEnd, Rows, Signal, Streaming

LOGS = {"ln": 1.0, "db": 10 / math.log(10), "none": 0.0}
"""What the natural logarithm is multiplied by."""


@dataclass(frozen=True)
class LogMel:
    """`coefficients` of a cosine transform of each row; 0: the row itself."""

    signal: Signal
    window: int
    step: int
    fft: int
    channels: int
    low_hz: float
    high_hz: float
    scale: str
    style: str
    power: int
    log: str
    floor: float
    offset: float
    coefficients: int
    orthonormal: bool

    def weights(self) -> Array:
        """(channels, fft / 2 + 1), float32."""
        rate = self.signal.rate
        assert rate is not None
        bins = self.fft // 2 + 1
        return spectra.mel_weights(self.channels, self.low_hz, self.high_hz, rate, bins, self.scale, self.style)

    def cosines(self) -> Array:
        return spectra.cosine_transform(self.coefficients, self.channels, self.orthonormal)

    def rows(self) -> Rows:
        return Rows((self.coefficients or self.channels,), "float32", self.window, self.step)

    def reference(self) -> Streaming:
        weights = self.weights()
        return WindowsReference(self, lambda windows: rows_of_windows(self, windows, weights))

    def emitted(self, name: str = "mcg_front") -> EmittedFrontEnd:
        tables, work = emitted_rows(self, name)
        samples = self.window * self.signal.frame_bytes
        config = config_text(
            tables,
            memory(f"{name}_samples", "uint8", samples),
            scratch(name, work),
            f"static mcg_fe_log_mel_state {name}_state = {{{name}_samples, (float *){name}_SCRATCH, 0}};",
            state_size_check(name, "mcg_fe_log_mel_state", 12),
        )
        return EmittedFrontEnd("mcg_fe_log_mel.h", COMMON_HEADERS, config, "log_mel", 12 + samples, work, 0.0)


def packed_triangles(weights: Array) -> tuple[Array, Array, Array]:
    """Of each channel of weights (channels, bins): its first bin, its count of bins, and all channels' weights.

    Behind them is a zero, so that there is an array where all channels are empty.
    """
    used = [np.nonzero(row)[0] for row in weights]
    starts = np.array([bins[0] if len(bins) else 0 for bins in used], np.uint16)
    counts = np.array([bins[-1] + 1 - bins[0] if len(bins) else 0 for bins in used], np.uint16)
    packed = [row[at : at + count] for row, at, count in zip(weights, starts, counts, strict=True)]
    return starts, counts, np.concatenate([*packed, np.zeros(1, weights.dtype)])


def emitted_rows(front_end: LogMel, name: str) -> tuple[str, int]:
    """The constant tables of rows and their `mcg_fe_log_mel` of that name as C, and the bytes of scratch for a row."""
    points = front_end.fft // 2
    starts, counts, packed = packed_triangles(front_end.weights())
    fields = {
        **{key: f"{name}_{key}" for key in ("hann", "order", "turns", "starts", "counts", "weights")},
        "cosines": f"{name}_cosines" if front_end.coefficients else "0",
        "window": front_end.window,
        "step": front_end.step,
        "points": points,
        "channels": front_end.channels,
        "coefficients": front_end.coefficients,
        "floor": float_literal(front_end.floor),
        "offset": float_literal(front_end.offset),
        "log": float_literal(LOGS[front_end.log]),
        "power": front_end.power,
        "type": f"MCG_FE_{front_end.signal.dtype.upper()}",
    }
    listed = ",\n".join(f"    .{key} = {value}" for key, value in fields.items())
    tables = config_text(
        const_array(f"{name}_hann", spectra.window(front_end.window)),
        const_array(f"{name}_order", spectra.input_order(points)),
        const_array(f"{name}_turns", spectra.turns(points)),
        const_array(f"{name}_starts", starts),
        const_array(f"{name}_counts", counts),
        const_array(f"{name}_weights", packed),
        const_array(f"{name}_cosines", front_end.cosines()) if front_end.coefficients else "",
        f"static const mcg_fe_log_mel {name} = {{\n{listed},\n}};",
    )
    work = 4 * (2 * points + (front_end.channels if front_end.coefficients else 0))
    return tables.rstrip("\n"), work


def rows_of_windows(front_end: LogMel, windows: Array, weights: Array) -> Array:
    """The rows (n, …) of windows (n, window) of the signal's values, float32."""
    values = windows.astype(np.float32)
    if front_end.signal.dtype == "int16":
        values = values * np.float32(1 / 32768)
    values = np.pad(values * spectra.window(front_end.window), ((0, 0), (0, front_end.fft - front_end.window)))
    spectrum = spectra.powers(values, front_end.fft // 2)
    mel = spectra.weighted(np.sqrt(spectrum) if front_end.power == 1 else spectrum, weights)
    if front_end.log != "none":
        mel = np.maximum(mel, np.float32(front_end.floor)) + np.float32(front_end.offset)
        mel = spectra.logarithm(mel) * np.float32(LOGS[front_end.log])
    return spectra.weighted(mel, front_end.cosines()) if front_end.coefficients else mel


class WindowsReference:
    """Cuts a signal into windows, and asks for the rows (n, …) of windows (n, window)."""

    _BLOCK = 256

    def __init__(self, front_end: FrontEnd, rows_of: Callable[[Array], Array]) -> None:
        self._signal, self._rows, self._rows_of = front_end.signal, front_end.rows(), rows_of
        self.reset()

    def reset(self) -> None:
        self._samples: Array = np.zeros(0, self._signal.dtype)

    def push(self, frames: Array) -> Array:
        window, step = self._rows.frames_first, self._rows.frames_step
        self._samples = np.concatenate([self._samples, frames[:, 0]])
        if len(self._samples) < window:
            return np.zeros((0, *self._rows.shape), self._rows.dtype)
        windows = sliding_window_view(self._samples, window)[::step]
        made = [self._rows_of(windows[at : at + self._BLOCK]) for at in range(0, len(windows), self._BLOCK)]
        self._samples = self._samples[len(windows) * step :]
        return np.concatenate(made)
