"""`log_mel` and `mfcc` in integers: the same rows as in float32, in int16."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mcugen.frontends import spectra, spectra_int16
from mcugen.frontends.emitting import COMMON_HEADERS, config_text, const_array, memory, scratch, state_size_check
from mcugen.frontends.log_mel_float import LOGS, LogMel, WindowsReference, packed_triangles
from mcugen.frontends.micro_tables import log_table
from mcugen.frontends.types import Array, EmittedFrontEnd, Rows, Signal, Streaming

_ROW_BITS = 15
_MOST_PLACES = 12
_BETWEEN = 15
"""Binary places of logarithms that a cosine transform takes."""


@dataclass(frozen=True)
class LogMelInt16:
    """Integers with `places` binary places, as many as the largest row that there can be leaves."""

    floats: LogMel

    @property
    def signal(self) -> Signal:
        return self.floats.signal

    @property
    def places(self) -> int:
        fe = self.floats
        full = float(spectra.window(fe.window).sum()) ** fe.power
        loudest = full * float(fe.weights().sum(axis=1).max()) + fe.offset
        most = max(abs(LOGS[fe.log] * math.log(value)) for value in (loudest, fe.floor + fe.offset))
        if fe.coefficients:
            most *= float(np.abs(fe.cosines()).sum(axis=1).max())
        return max(0, min(_MOST_PLACES, math.floor(math.log2(((1 << _ROW_BITS) - 1) / max(most, 1.0)))))

    @property
    def log_factor(self) -> int:
        """Of a logarithm to base 2, with 14 more places than the result's."""
        places = _BETWEEN if self.floats.coefficients else self.places
        return round(LOGS[self.floats.log] * math.log(2) * (1 << (places + 14)))

    def weights(self) -> tuple[Array, int]:
        """(channels, fft / 2 + 1) uint16, and their binary places."""
        whole, places = spectra_int16.scaled(self.floats.weights(), 16)
        whole[:, [0, -1]] = 0  # no triangle goes beyond them
        return whole.astype(np.uint16), places

    def cosines(self) -> tuple[Array, int]:
        """(coefficients, channels) int16, and their binary places."""
        whole, places = spectra_int16.scaled(self.floats.cosines(), 15)
        return whole.astype(np.int16), places

    def rows(self) -> Rows:
        rows = self.floats.rows()
        return Rows(rows.shape, "int16", rows.frames_first, rows.frames_step, 2.0**-self.places)

    def reference(self) -> Streaming:
        weights, places = self.weights()
        return WindowsReference(self, lambda windows: _rows_of_windows(self, windows, weights, places))

    def emitted(self, name: str = "mcg_front") -> EmittedFrontEnd:
        fe = self.floats
        points = fe.fft // 2
        weights, weight_places = self.weights()
        starts, counts, packed = packed_triangles(weights)
        cosines, cosine_places = self.cosines() if fe.coefficients else (np.zeros(0, np.int16), 0)
        magnitudes = fe.power == 1
        (floor, floor_exponent), (offset, offset_exponent) = map(spectra_int16.parted, (fe.floor, fe.offset))
        fields = {
            **{key: f"{name}_{key}" for key in ("hann", "order", "turns", "starts", "counts", "weights")},
            "cosines": f"{name}_cosines" if fe.coefficients else "0",
            "roots": f"{name}_roots" if magnitudes else "0",
            "logs": f"{name}_logs",
            "window": fe.window,
            "step": fe.step,
            "points": points,
            "channels": fe.channels,
            "coefficients": fe.coefficients,
            "floor": f"{floor}u",
            "offset": f"{offset}u",
            "log": self.log_factor,
            "floor_exponent": floor_exponent,
            "offset_exponent": offset_exponent,
            "places": weight_places + (spectra_int16.ROOT_BITS if magnitudes else 0),
            "cosine_shift": _BETWEEN + cosine_places - self.places if fe.coefficients else 0,
        }
        listed = ",\n".join(f"    .{key} = {value}" for key, value in fields.items())
        samples = 2 * fe.window
        work = 4 * points + (4 * fe.channels if fe.coefficients else 0)
        config = config_text(
            const_array(f"{name}_hann", spectra_int16.window(fe.window)),
            const_array(f"{name}_order", spectra.input_order(points)),
            const_array(f"{name}_turns", spectra_int16.turns(points)),
            const_array(f"{name}_starts", starts),
            const_array(f"{name}_counts", counts),
            const_array(f"{name}_weights", packed),
            const_array(f"{name}_cosines", cosines) if fe.coefficients else "",
            const_array(f"{name}_roots", spectra_int16.root_table()) if magnitudes else "",
            const_array(f"{name}_logs", log_table()),
            f"static const mcg_fe_log_mel_int16 {name} = {{\n{listed},\n}};",
            memory(f"{name}_samples", "int16", fe.window),
            scratch(name, work),
            f"static mcg_fe_log_mel_int16_state {name}_state = {{{name}_samples, (int16_t *){name}_SCRATCH, 0}};",
            state_size_check(name, "mcg_fe_log_mel_int16_state", 12),
        )
        header = "mcg_fe_log_mel_int16.h"
        return EmittedFrontEnd(header, COMMON_HEADERS, config, "log_mel_int16", 12 + samples, work, 0.0)


def _rows_of_windows(front_end: LogMelInt16, windows: Array, weights: Array, places: int) -> Array:
    """The rows (n, …) int16 of windows (n, window); `places` of the weights."""
    fe = front_end.floats
    values, exponents = spectra_int16.powers(windows, fe.fft // 2)
    exponents = exponents - spectra_int16.ONE_BITS
    if fe.power == 1:
        values, places = spectra_int16.roots(values), places + spectra_int16.ROOT_BITS
    sums = spectra_int16.weighted(values, weights)
    floor, offset = spectra_int16.parted(fe.floor), spectra_int16.parted(fe.offset)
    logs = spectra_int16.log2(sums, fe.power * exponents - places, floor, offset)
    logs = spectra_int16.multiplied(logs, front_end.log_factor)
    if fe.coefficients:
        cosines, cosine_places = front_end.cosines()
        shift = _BETWEEN + cosine_places - front_end.places
        logs = (logs @ cosines.astype(np.int64).T + (1 << (shift - 1))) >> shift
    return spectra_int16.as_int16(logs)
