"""A whole clip's mel spectrogram at a time, as Keras' MelSpectrogram computes it: centred windows, mirrored borders,
decibels down from the clip's loudest. In float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcugen.emit.c_text import float_literal
from mcugen.frontends.emitting import COMMON_HEADERS, config_text, memory, scratch, state_size_check
from mcugen.frontends.log_mel_float import LogMel, emitted_rows, rows_of_windows
from mcugen.frontends.types import Array, EmittedFrontEnd, FrontEnd, FrontEndSpec, Rows, Signal, Streaming
from mcugen.toml_table import Table

_f32 = np.float32
_MOST_SAMPLES = 1 << 20
_EVERYTHING = 1e9


@dataclass(frozen=True)
class Spectrogram:
    """A row is a clip's spectrogram (channels, columns).

    Attributes:
        spectrum: what a column is before `reference_db` is subtracted and `range_db` is kept to.
        clip, hop: samples of a clip, and from one clip to the next.
        stride: samples from one column to the next.
        reference_db: decibels that are subtracted.
        range_db: a clip's values are at most so far below its largest; 0: as they are.
    """

    signal: Signal
    spectrum: LogMel
    clip: int
    hop: int
    stride: int
    reference_db: float
    range_db: float

    @property
    def columns(self) -> int:
        return 1 + self.clip // self.stride

    @property
    def lead(self) -> int:
        """Samples that the first window begins before the clip."""
        fft, window = self.spectrum.fft, self.spectrum.window
        return fft // 2 - (fft - window) // 2

    def rows(self) -> Rows:
        return Rows((self.spectrum.channels, self.columns), "float32", self.clip, self.hop)

    def places(self) -> Array:
        """Which sample of the clip stands at each place of each window, (columns, window): mirrored at the borders."""
        starts = np.arange(self.columns) * self.stride - self.lead
        places = np.abs(starts[:, np.newaxis] + np.arange(self.spectrum.window))
        return np.asarray(np.where(places >= self.clip, 2 * (self.clip - 1) - places, places))

    def emitted(self, name: str = "mcg_front") -> EmittedFrontEnd:
        kept = self.clip * self.signal.frame_bytes
        window = -(-self.spectrum.window * self.signal.frame_bytes // 4) * 4
        tables, work = emitted_rows(self.spectrum, f"{name}_mel")
        fields = {
            "mel": f"&{name}_mel",
            "clip": self.clip,
            "hop": self.hop,
            "stride": self.stride,
            "lead": self.lead,
            "columns": self.columns,
            "reference": float_literal(self.reference_db),
            "range": float_literal(self.range_db),
        }
        listed = ",\n".join(f"    .{key} = {value}" for key, value in fields.items())
        used = work + window + 4 * self.spectrum.channels
        config = config_text(
            tables,
            f"static const mcg_fe_spectrogram {name} = {{\n{listed},\n}};",
            memory(f"{name}_samples", "uint8", kept),
            scratch(name, used),
            f"static mcg_fe_spectrogram_state {name}_state = {{{name}_samples, (float *){name}_SCRATCH, 0}};",
            state_size_check(name, "mcg_fe_spectrogram_state", 12),
        )
        needs = ("mcg_fe_log_mel.h", *COMMON_HEADERS)
        return EmittedFrontEnd("mcg_fe_spectrogram.h", needs, config, "spectrogram", 12 + kept, used, 0.0)

    def reference(self) -> Streaming:
        return _Reference(self)


class _Reference:
    def __init__(self, front_end: Spectrogram) -> None:
        self._fe, self._places = front_end, front_end.places()
        self._weights = front_end.spectrum.weights()
        self.reset()

    def reset(self) -> None:
        self._samples: Array = np.zeros(0, self._fe.signal.dtype)

    def push(self, frames: Array) -> Array:
        fe = self._fe
        self._samples = np.concatenate([self._samples, frames[:, 0]])
        made = []
        while len(self._samples) >= fe.clip:
            made.append(self._row(self._samples[: fe.clip]))
            self._samples = self._samples[fe.hop :]
        return np.array(made, np.float32).reshape(-1, *fe.rows().shape)

    def _row(self, clip: Array) -> Array:
        fe = self._fe
        columns = rows_of_windows(fe.spectrum, clip[self._places], self._weights)
        values = columns.T - _f32(fe.reference_db)
        if fe.range_db:
            values = np.maximum(values, values.max() - _f32(fe.range_db))
        return np.asarray(values)


def _parse(table: Table, signal: Signal) -> FrontEnd:
    if signal.dtype not in ("int16", "float32") or signal.channels != 1 or signal.rate is None:
        raise table.error("kind", "takes int16 or float32 samples of one channel, at a rate")
    clip = table.integer("clip", 32, _MOST_SAMPLES)
    hop = table.integer("hop", 1, clip, clip)
    window = table.integer("window", 16, 8192, 2048)
    stride = table.integer("stride", 1, clip, 512)
    least = 1 << (window - 1).bit_length()
    fft = table.integer("fft", least, 8192, least)
    if fft & (fft - 1):
        raise table.error("fft", f"is {fft}, not a power of two")
    if clip <= fft // 2:
        raise table.error(
            "clip", f"is {clip}: clips are mirrored at their borders, and must be longer than half of fft"
        )
    nyquist = signal.rate / 2
    channels = table.integer("channels", 1, 256, 128)
    low = table.number("low_hz", 0, nyquist, min(20.0, nyquist))
    high = table.number("high_hz", 0, nyquist, nyquist)
    if low >= high:
        raise table.error("low_hz", f"is {low:g}, not below high_hz, {high:g}")
    power = table.integer("power", 1, 2, 2)
    log = table.choice("log", ("db", "none"), "db")
    floor = table.number("floor", 1e-30, 1, 1e-10)
    reference = table.number("reference_db", -400, 400, 0) if log == "db" else 0.0
    range_db = table.number("range_db", 0, _EVERYTHING, 80) if log == "db" else 0.0
    shape = (channels, low, high, "htk", "mel", power, log, floor, 0.0, 0, False)
    spectrum = LogMel(signal, window, window, fft, *shape)
    return Spectrogram(signal, spectrum, clip, hop, stride, reference, range_db)


SPEC = FrontEndSpec("spectrogram", ("audio",), _parse)
