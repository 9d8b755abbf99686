"""Logarithms of a spectrum on the mel scale, as tf.signal, librosa and torchaudio compute them; here in float32."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mcugen.emit.c_text import float_literal
from mcugen.frontends import spectra
from mcugen.frontends.emitting import COMMON_HEADERS, config_text, const_array, memory, scratch, state_size_check
from mcugen.frontends.types import Array, EmittedFrontEnd, FrontEnd, FrontEndSpec, Rows, Signal, Streaming
from mcugen.toml_table import Table


@dataclass(frozen=True)
class Library:
    """What a library computes where it is told nothing."""

    low_hz: float
    high_hz: float | None
    scale: str
    style: str
    power: int
    log: str
    floor: float
    offset: float
    orthonormal: bool


LIBRARIES = {
    "tf": Library(125.0, 3800.0, "htk", "mel", 1, "ln", 0.0, 1e-6, False),
    "librosa": Library(0.0, None, "slaney", "area", 2, "db", 1e-10, 0.0, True),
    "torchaudio": Library(0.0, None, "htk", "hz", 2, "db", 1e-10, 0.0, True),
}
LOGS = {"ln": 1.0, "db": 10 / math.log(10), "none": 0.0}
"""What the natural logarithm is multiplied by."""

ARITHMETICS = ("float32", "int16")


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
        return _Reference(self)

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


def emitted_rows(front_end: LogMel, name: str) -> tuple[str, int]:
    """The constant tables of rows and their `mcg_fe_log_mel` of that name as C, and the bytes of scratch for a row."""
    points, weights = front_end.fft // 2, front_end.weights()
    used = [np.nonzero(row)[0] for row in weights]
    starts = np.array([bins[0] if len(bins) else 0 for bins in used], np.uint16)
    counts = np.array([bins[-1] + 1 - bins[0] if len(bins) else 0 for bins in used], np.uint16)
    packed = [row[at : at + count] for row, at, count in zip(weights, starts, counts, strict=True)]
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
        const_array(f"{name}_weights", np.concatenate([*packed, np.zeros(1, np.float32)])),
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


class _Reference:
    _BLOCK = 256

    def __init__(self, front_end: LogMel) -> None:
        self._fe, self._weights = front_end, front_end.weights()
        self.reset()

    def reset(self) -> None:
        self._samples: Array = np.zeros(0, self._fe.signal.dtype)

    def push(self, frames: Array) -> Array:
        fe = self._fe
        self._samples = np.concatenate([self._samples, frames[:, 0]])
        if len(self._samples) < fe.window:
            return np.zeros((0, *fe.rows().shape), np.float32)
        windows = sliding_window_view(self._samples, fe.window)[:: fe.step]
        blocks = (windows[at : at + self._BLOCK] for at in range(0, len(windows), self._BLOCK))
        made = [rows_of_windows(fe, block, self._weights) for block in blocks]
        self._samples = self._samples[len(windows) * fe.step :]
        return np.concatenate(made)


def parse_log_mel(table: Table, signal: Signal, mfcc: bool) -> FrontEnd:
    """The fields of both kinds; `coefficients` of MFCC alone."""
    from mcugen.frontends.log_mel_int16 import LogMelInt16  # which takes its settings from here

    made = _parsed(table, signal, mfcc)
    if table.choice("arithmetic", ARITHMETICS, ARITHMETICS[0]) == "float32":
        return made
    if signal.dtype != "int16":
        raise table.error("arithmetic", f"is int16, which takes int16 samples, not {signal.dtype}")
    if made.log == "none":
        raise table.error("arithmetic", 'is int16, which has too little range without a logarithm: log is "none"')
    return LogMelInt16(made)


def _parsed(table: Table, signal: Signal, mfcc: bool) -> LogMel:
    if signal.dtype not in ("int16", "float32") or signal.channels != 1 or signal.rate is None:
        raise table.error("kind", "takes int16 or float32 samples of one channel, at a rate")
    nyquist = signal.rate / 2
    library = LIBRARIES[table.choice("like", tuple(LIBRARIES), "tf")]
    window = int(table.number("window_ms", 1, 1000, 30) * signal.rate / 1000)
    step = int(table.number("step_ms", 1, 1000, 10) * signal.rate / 1000)
    if not 16 <= window <= 8192:
        raise table.error("window_ms", f"makes windows of {window} samples, not between 16 and 8192")
    if not 1 <= step <= window:
        raise table.error("step_ms", f"makes steps of {step} samples, not between 1 and those of a window")
    least = 1 << (window - 1).bit_length()
    fft = table.integer("fft", least, 8192, least)
    if fft & (fft - 1):
        raise table.error("fft", f"is {fft}, not a power of two")
    channels = table.integer("channels", 1, 256, 40)
    low = table.number("low_hz", 0, nyquist, library.low_hz)
    high = table.number("high_hz", 0, nyquist, min(library.high_hz or nyquist, nyquist))
    if low >= high:
        raise table.error("low_hz", f"is {low:g}, not below high_hz, {high:g}")
    style = library.style
    if style != "mel":
        style = "area" if table.boolean("equal_area", style == "area") else "hz"
    log = table.choice("log", tuple(LOGS), library.log)
    floor, offset = table.number("floor", 0, 1, library.floor), table.number("offset", 0, 1, library.offset)
    if log != "none" and floor + offset < 1e-30:
        raise table.error("floor", "and offset are 0, and silence has no logarithm")
    scale = table.choice("mel", ("htk", "slaney"), library.scale)
    power = table.integer("power", 1, 2, library.power)
    count = table.integer("coefficients", 1, channels, min(13, channels)) if mfcc else 0
    fields = (channels, low, high, scale, style, power, log, floor, offset, count, library.orthonormal)
    return LogMel(signal, window, step, fft, *fields)


def _parse(table: Table, signal: Signal) -> FrontEnd:
    return parse_log_mel(table, signal, mfcc=False)


SPEC = FrontEndSpec("log_mel", ("audio",), _parse)
