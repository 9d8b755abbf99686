"""The fixed-point audio front end of TensorFlow Lite Micro, microWakeWord and ESPHome, byte for byte.

A row is a spectrum on the mel scale: window, transform, filter bank, noise reduction, gain control, logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mcugen.frontends import micro_rows, micro_tables
from mcugen.frontends.emitting import COMMON_HEADERS, config_text, const_array, memory, scratch, state_size_check
from mcugen.frontends.types import Array, EmittedFrontEnd, FrontEnd, FrontEndSpec, Rows, Signal, Streaming
from mcugen.toml_table import Table

OUTPUTS = ("float32", "uint16", "int8")
"""float32: 1/25.6 of the integer, as pymicro-features gives it. uint16: the integer. int8: as TFLM's micro_speech and
ESPHome make it, (256·v + 333) / 666 − 128."""

FLOAT_SCALE = 0.0390625
_BLOCK = 256


@dataclass(frozen=True)
class Micro:
    """The defaults are microWakeWord's."""

    signal: Signal
    window_ms: int = 30
    step_ms: int = 10
    channels: int = 40
    low_hz: float = 125.0
    high_hz: float = 7500.0
    smoothing_bits: int = 10
    even_smoothing: float = 0.025
    odd_smoothing: float = 0.06
    min_signal_remaining: float = 0.05
    pcan: bool = True
    pcan_strength: float = 0.95
    pcan_offset: float = 80.0
    pcan_gain_bits: int = 21
    log: bool = True
    log_scale_shift: int = 6
    output: str = "float32"

    @property
    def rate(self) -> int:
        assert self.signal.rate is not None
        return int(self.signal.rate)

    @property
    def window(self) -> int:
        """Samples of a window."""
        return self.window_ms * self.rate // 1000

    @property
    def step(self) -> int:
        return self.step_ms * self.rate // 1000

    @property
    def points(self) -> int:
        """Complex values of the transform: half the power of two that a window fits into."""
        return (1 << (self.window - 1).bit_length()) // 2

    @property
    def correction_bits(self) -> int:
        """The binary point of what the filter bank gives."""
        return self.points.bit_length() - 6

    @property
    def bank(self) -> micro_tables.FilterBank:
        return micro_tables.filter_bank(self.channels, self.low_hz, self.high_hz, self.rate, self.points + 1)

    @property
    def gains(self) -> Array:
        bits = self.smoothing_bits - self.correction_bits
        return micro_tables.gain_table(self.pcan_strength, self.pcan_offset, self.pcan_gain_bits, bits)

    @property
    def snr_shift(self) -> int:
        return self.pcan_gain_bits - self.correction_bits - micro_tables.SNR_BITS

    def noise_shares(self) -> tuple[int, int, int]:
        """Even and odd smoothing and the least that remains of a signal, in 1/16384."""
        shares = (self.even_smoothing, self.odd_smoothing, self.min_signal_remaining)
        even, odd, least = (int(np.float32(value) * np.float32(1 << micro_tables.NOISE_BITS)) for value in shares)
        return even, odd, least

    def rows(self) -> Rows:
        return Rows((self.channels,), self.output, self.window, self.step)

    def reference(self) -> Streaming:
        return _Reference(self)

    def emitted(self, name: str = "mcg_front") -> EmittedFrontEnd:
        bank, even_odd_least = self.bank, self.noise_shares()
        tables = [
            const_array(f"{name}_window", micro_tables.window_coefficients(self.window)),
            const_array(f"{name}_order", micro_tables.input_order(self.points)),
            const_array(f"{name}_turns", micro_tables.twiddles(self.points)),
            const_array(f"{name}_split", micro_tables.split_twiddles(self.points)),
            const_array(f"{name}_widths", bank.widths),
            const_array(f"{name}_weights", bank.weights),
            const_array(f"{name}_gains", self.gains) if self.pcan else "",
            const_array(f"{name}_logs", micro_tables.log_table()) if self.log else "",
        ]
        fields = {
            **{key: f"{name}_{key}" for key in ("window", "order", "turns", "split", "widths", "weights")},
            "gains": f"{name}_gains" if self.pcan else "0",
            "logs": f"{name}_logs" if self.log else "0",
            "window_size": self.window,
            "step": self.step,
            "points": self.points,
            "channels": self.channels,
            "first_bin": bank.first_bin,
            **dict(zip(("even_smoothing", "odd_smoothing", "least"), even_odd_least, strict=True)),
            "smoothing_bits": self.smoothing_bits,
            "snr_shift": self.snr_shift if self.pcan else 0,
            "correction_bits": self.correction_bits,
            "log_scale_shift": self.log_scale_shift,
            "output": f"MCG_FE_MICRO_{self.output.upper()}",
        }
        listed = ",\n".join(f"    .{key} = {value}" for key, value in fields.items())
        config = config_text(
            *tables,
            f"static const mcg_fe_micro {name} = {{\n{listed},\n}};",
            memory(f"{name}_samples", "int16", self.window),
            memory(f"{name}_noise", "uint32", self.channels),
            scratch(name, 4 * self.points),
            f"static mcg_fe_micro_state {name}_state = {{{name}_samples, {name}_noise, (int16_t *){name}_SCRATCH, 0}};",
            state_size_check(name, "mcg_fe_micro_state", 16),
        )
        kept = 16 + 2 * self.window + 4 * self.channels
        return EmittedFrontEnd("mcg_fe_micro.h", COMMON_HEADERS, config, "micro", kept, 4 * self.points, 0.0)


class _Reference:
    def __init__(self, front_end: Micro) -> None:
        self._fe = front_end
        self._window = micro_tables.window_coefficients(front_end.window)
        self._fft = tuple(
            table(front_end.points)
            for table in (micro_tables.input_order, micro_tables.twiddles, micro_tables.split_twiddles)
        )
        self._bank, self._logs = front_end.bank, micro_tables.log_table()
        self._gains = front_end.gains if front_end.pcan else None
        self.reset()

    def reset(self) -> None:
        fe = self._fe
        self._samples: Array = np.zeros(0, np.int16)
        self._noise = micro_rows.NoiseReduction(fe.channels, fe.smoothing_bits, *fe.noise_shares())

    def push(self, frames: Array) -> Array:
        fe = self._fe
        self._samples = np.concatenate([self._samples, frames[:, 0]])
        if len(self._samples) < fe.window:
            return np.zeros((0, fe.channels), fe.output)
        windows = sliding_window_view(self._samples, fe.window)[:: fe.step]
        made = [self._rows(windows[at : at + _BLOCK]) for at in range(0, len(windows), _BLOCK)]
        self._samples = self._samples[len(windows) * fe.step :]
        return np.concatenate(made)

    def _rows(self, windows: Array) -> Array:
        fe = self._fe
        values, shifts = micro_rows.windowed(windows, self._window)
        padded = np.pad(values, ((0, 0), (0, 2 * fe.points - fe.window)))
        signals = micro_rows.magnitudes(*micro_rows.spectrum(padded, *self._fft), self._bank, shifts)
        estimates = np.empty_like(signals)
        for i, signal in enumerate(signals):
            signals[i] = self._noise.row(signal)
            estimates[i] = self._noise.estimate
        if self._gains is not None:
            signals = micro_rows.amplified(signals, estimates, self._gains, fe.snr_shift)
        if fe.log:
            signals = micro_rows.logarithms(signals, self._logs, fe.correction_bits, fe.log_scale_shift)
        return output_rows(np.minimum(signals, 0xFFFF), fe.output)


def output_rows(values: Array, output: str) -> Array:
    """Integers of 16 bits as one of `OUTPUTS`."""
    if output == "float32":
        return np.asarray(values.astype(np.float32) * np.float32(FLOAT_SCALE))
    if output == "int8":
        return np.asarray(np.minimum((values.astype(np.int64) * 256 + 333) // 666 - 128, 127).astype(np.int8))
    return np.asarray(values.astype(np.uint16))


def _parse(table: Table, signal: Signal) -> FrontEnd:
    if signal.dtype != "int16" or signal.channels != 1 or signal.rate is None or signal.rate != int(signal.rate):
        raise table.error("kind", '"micro" takes int16 samples of one channel, a whole number per second')
    nyquist = signal.rate / 2
    made = Micro(
        signal,
        window_ms=table.integer("window_ms", 1, 1000, 30),
        step_ms=table.integer("step_ms", 1, 1000, 10),
        channels=table.integer("channels", 1, 256, 40),
        low_hz=table.number("low_hz", 0, nyquist, 125.0),
        high_hz=table.number("high_hz", 0, nyquist, 7500.0),
        smoothing_bits=table.integer("smoothing_bits", 0, 20, 10),
        even_smoothing=table.number("even_smoothing", 0, 1, 0.025),
        odd_smoothing=table.number("odd_smoothing", 0, 1, 0.06),
        min_signal_remaining=table.number("min_signal_remaining", 0, 1, 0.05),
        pcan=table.boolean("pcan", True),
        pcan_strength=table.number("pcan_strength", 0, 2, 0.95),
        pcan_offset=table.number("pcan_offset", 0, 1e6, 80.0),
        pcan_gain_bits=table.integer("pcan_gain_bits", 0, 31, 21),
        log=table.boolean("log", True),
        log_scale_shift=table.integer("log_scale_shift", 0, 11, 6),
        output=table.choice("output", OUTPUTS, "float32"),
    )
    if not 16 <= made.window <= 4096:
        raise table.error("window_ms", f"makes windows of {made.window} samples, not between 16 and 4096")
    if not 1 <= made.step <= made.window:
        raise table.error("step_ms", f"makes steps of {made.step} samples, not between 1 and those of a window")
    if made.low_hz >= made.high_hz:
        raise table.error("low_hz", f"is {made.low_hz:g}, not below high_hz, {made.high_hz:g}")
    if made.bank.end_bin > made.points:
        raise table.error("high_hz", f"is {made.high_hz:g}, too close to half the rate, {nyquist:g}")
    if not len(made.bank.weights):
        raise table.error("high_hz", f"leaves no frequency between {made.low_hz:g} and {made.high_hz:g} Hz")
    if made.pcan and made.snr_shift < 0:
        least = made.correction_bits + micro_tables.SNR_BITS
        raise table.error(
            "pcan_gain_bits", f"is {made.pcan_gain_bits}, and windows of this length need {least} or more"
        )
    if made.pcan and made.smoothing_bits < made.correction_bits:
        least = made.correction_bits
        raise table.error(
            "smoothing_bits", f"is {made.smoothing_bits}, and windows of this length need {least} or more"
        )
    return made


SPEC = FrontEndSpec("micro", ("audio",), _parse)
