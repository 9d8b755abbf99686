"""A sensor's values in units: (value − offset) / size, channel by channel, in float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcugen.errors import FrontEndError
from mcugen.frontends.types import Array, Signal
from mcugen.toml_table import Table

TYPES = ("int8", "uint8", "int16", "uint16", "int32", "float32")
_LEAST = float(np.finfo(np.float32).tiny)
_MOST = 1e30


@dataclass(frozen=True)
class Units:
    """What each channel is moved and divided by."""

    offset: tuple[float, ...]
    size: tuple[float, ...]

    def of(self, frames: Array) -> Array:
        """Frames (n, channels) in units, float32: every operation is rounded to it."""
        offset, size = np.array(self.offset, np.float32), np.array(self.size, np.float32)
        return np.asarray((frames.astype(np.float32) - offset) / size)

    def arrays(self) -> tuple[Array, Array]:
        return np.array(self.offset, np.float32), np.array(self.size, np.float32)


def parse_units(table: Table, signal: Signal) -> Units:
    """`offset` and `size` of a table: one number for all channels, or one for each; 0 and 1 by default."""
    if signal.dtype not in TYPES:
        raise table.error("kind", f"does not take values of the type {signal.dtype}; it takes {', '.join(TYPES)}")
    offset = _numbers(table, "offset", signal.channels, 0.0)
    size = _numbers(table, "size", signal.channels, 1.0)
    for value in size:
        if abs(value) < _LEAST:
            raise table.error("size", f"holds {value:g}, by which nothing can be divided")
    return Units(offset, size)


def _numbers(table: Table, key: str, channels: int, default: float) -> tuple[float, ...]:
    if not table.is_list(key):
        return (table.number(key, -_MOST, _MOST, default),) * channels
    values = table.numbers(key, -_MOST, _MOST)
    if len(values) != channels:
        raise table.error(key, f"has {len(values)} numbers, and the signal {channels} channels")
    return tuple(values)


def units_of_scaler(scaler: object) -> Units:
    """The units of a fitted scaler of scikit-learn, or of a `Pipeline` of them.

    `StandardScaler`, `MinMaxScaler`, `MaxAbsScaler` and `RobustScaler`, by their attributes.

    Raises:
        FrontEndError: another step, one that is not fitted, or that clips.
    """
    steps = [step for _, step in getattr(scaler, "steps", [("", scaler)]) if step not in (None, "passthrough")]
    offset, size = np.zeros(1), np.ones(1)
    for step in steps:
        moved, divided = _affine(step)
        offset, size = offset + moved * size, size * divided
    offset, size = np.broadcast_arrays(offset, size)
    if not np.all(np.isfinite(offset) & np.isfinite(size) & (np.abs(size) >= _LEAST)):
        raise FrontEndError("has a column whose scale is 0 or not finite", where=type(scaler).__name__)
    return Units(tuple(float(value) for value in offset), tuple(float(value) for value in size))


def _affine(step: Any) -> tuple[Array, Array]:
    """Offset and size of one fitted step, float64."""
    name = type(step).__name__
    scale = getattr(step, "scale_", None)
    least = getattr(step, "min_", None)
    centre = _used(step, "mean_", "with_mean")
    if centre is None:
        centre = _used(step, "center_", "with_centering")
    if getattr(step, "clip", False):
        raise FrontEndError("clips, which a front end does not", where=name, hint="Fit it with clip=False")
    if least is not None and scale is not None:
        return -np.asarray(least, np.float64) / scale, 1 / np.asarray(scale, np.float64)
    if scale is None and centre is None:
        raise FrontEndError(
            "is no fitted scaler: it has neither scale_ nor mean_",
            where=name,
            hint="StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler and Pipelines of them are taken",
        )
    return _array(centre, 0.0), _array(scale, 1.0)


def _used(step: Any, attribute: str, switch: str) -> object:
    """An attribute, unless the switch says that it is not used, though fitting computes it."""
    return getattr(step, attribute, None) if getattr(step, switch, True) else None


def _array(values: object, default: float) -> Array:
    return np.full(1, default) if values is None else np.asarray(values, np.float64)


def for_columns(units: Units, count: int) -> Units:
    """Units for that many columns.

    Raises:
        FrontEndError: they are for another number.
    """
    if len(units.offset) == 1:
        return Units(units.offset * count, units.size * count)
    if len(units.offset) != count:
        raise FrontEndError(f"the scaler has {len(units.offset)} columns, and the signal {count}")
    return units
