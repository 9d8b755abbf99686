"""Columns in the units of training: (value − offset) / size, column by column, in float32."""

from __future__ import annotations

from dataclasses import dataclass

from mcugen.frontends.emitting import COMMON_HEADERS, config_text, const_array, state_size_check
from mcugen.frontends.types import Array, EmittedFrontEnd, FrontEnd, FrontEndSpec, Rows, Signal, Streaming
from mcugen.frontends.units import Units, for_columns, parse_units, units_of_scaler
from mcugen.toml_table import Table


@dataclass(frozen=True)
class Columns:
    """A row is a frame in units, float32."""

    signal: Signal
    units: Units

    def rows(self) -> Rows:
        return Rows((self.signal.channels,), "float32", 1, 1)

    def reference(self) -> Streaming:
        return _Reference(self.units)

    def emitted(self, name: str = "mcg_front") -> EmittedFrontEnd:
        offset, size = self.units.arrays()
        kind = f"MCG_FE_{self.signal.dtype.upper()}"
        config = config_text(
            const_array(f"{name}_offset", offset),
            const_array(f"{name}_size", size),
            f"static const mcg_fe_table {name} = {{{name}_offset, {name}_size, {self.signal.channels}u, {kind}}};",
            f"static mcg_fe_table_state {name}_state;",
            state_size_check(name, "mcg_fe_table_state", 4),
        )
        return EmittedFrontEnd("mcg_fe_table.h", COMMON_HEADERS, config, "table", 4, 0, 0.0)


class _Reference:
    def __init__(self, units: Units) -> None:
        self._units = units

    def reset(self) -> None:
        pass

    def push(self, frames: Array) -> Array:
        return self._units.of(frames)


def from_scaler(signal: Signal, scaler: object) -> Columns:
    """The front end that does what a fitted scaler of scikit-learn does (see `units_of_scaler`).

    Raises:
        FrontEndError: it is no such scaler, or has another number of columns.
    """
    return Columns(signal, for_columns(units_of_scaler(scaler), signal.channels))


def _parse(table: Table, signal: Signal) -> FrontEnd:
    return Columns(signal, parse_units(table, signal))


SPEC = FrontEndSpec("table", ("table", "motion"), _parse)
