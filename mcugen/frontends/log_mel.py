"""Logarithms of a spectrum on the mel scale, as tf.signal, librosa and torchaudio compute them."""

from __future__ import annotations

from dataclasses import dataclass

from mcugen.frontends.log_mel_float import LOGS, LogMel
from mcugen.frontends.log_mel_int16 import LogMelInt16
from mcugen.frontends.types import FrontEnd, FrontEndSpec, Signal
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

ARITHMETIC = ("float32", "int16")


def parse_log_mel(table: Table, signal: Signal, mfcc: bool) -> FrontEnd:
    """The fields of both kinds; `coefficients` of MFCC alone."""
    made = _parsed(table, signal, mfcc)
    if table.choice("arithmetic", ARITHMETIC, ARITHMETIC[0]) == "float32":
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
