"""How cycles, time and energy are shown: a figure, and the two between which it lies."""

from __future__ import annotations

from collections.abc import Callable

from mcugen.cost.calibration import CALIBRATED
from mcugen.cost.estimate import Estimate
from mcugen.cost.types import Bounds

EXACT = 0.005
"""Bounds that are closer together than this share of the figure are not shown."""


def rounded(value: float) -> str:
    """A figure with three digits: "49.0", "4.51", "1,234"."""
    if value >= 999.5:
        return f"{value:,.0f}"
    for digits, most in ((0, 99.95), (1, 9.995), (2, 0.9995)):
        if value >= most:
            return f"{value:.{digits}f}"
    return f"{value:.3g}"


def count(value: float) -> str:
    """Cycles in a few letters: "5.88 M", "452 k", "980"."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{rounded(value / unit)} {name}"
    return f"{value:.0f}"


def spread(figure: Bounds, unit: str, form: Callable[[float], str] = rounded, *, bounds: bool = True) -> str:
    """ "≈ 49.0 ms (48.3 to 50.3)", or without the two."""
    nominal, low, high = form(figure.nominal), form(figure.low), form(figure.high)
    if not bounds or figure.high - figure.low <= EXACT * figure.nominal or low == high:
        return f"≈ {nominal}{unit}"
    return f"≈ {nominal}{unit} ({low} to {high})"


def time_rows(found: Estimate | None) -> list[tuple[str, str]]:
    """Cycles and time as far as they are known, with what they are called."""
    if found is None:
        return []
    if found.method == "measured" or found.cycles is None:
        return [("time", time_text(found))]
    rows = [("cycles", cycles_text(found))]
    return [*rows, ("time", time_text(found))] if found.time_ms is not None else rows


def cycles_text(found: Estimate) -> str:
    """The cycles of an inference."""
    assert found.cycles is not None
    waits = found.wait_cycles.nominal if found.wait_cycles is not None else 0
    said = ""
    if found.data_wait_cycles is not None:
        said = f", {count(found.data_wait_cycles.nominal)} of them waiting for data"
        waits -= found.data_wait_cycles.nominal
    if found.time_ms is None:
        said += ", without wait states of the flash"
    elif waits:
        said += f", {count(waits)} of them waiting for the flash"
    return f"{spread(found.cycles, '', count)}{said}"


def time_text(found: Estimate) -> str:
    """The time of an inference and its energy, or why they are not known."""
    if found.time_ms is None:
        return f"not known: {found.why}"
    energy = f" · {energy_text(found.energy_uj)}" if found.energy_uj is not None else ""
    at = f" on {found.board} at {found.clock_hz / 1e6:g} MHz"
    if found.method == "measured":
        return f"{rounded(found.time_ms.nominal)} ms{at}, measured{energy}{_prediction(found)}"
    alone = "" if found.validation is not None else ", by the manuals alone"
    if found.validation is not None and found.validation.what.startswith(CALIBRATED):
        alone = f", {CALIBRATED}"
    return f"{spread(found.time_ms, ' ms')}{at}{alone}{energy}"


def _prediction(found: Estimate) -> str:
    """How far off the model was; nothing where it predicts nothing."""
    if found.predicted is None or found.cycles is None or not found.cycles.nominal:
        return ""
    error = 100 * (found.predicted.nominal / found.cycles.nominal - 1)
    return f"; predicted {rounded(1000 * found.predicted.nominal / found.clock_hz)} ms ({error:+.1f} %)"


def energy_text(energy_uj: Bounds, *, bounds: bool = True) -> str:
    """ "≈ 2.06 mJ"."""
    if energy_uj.nominal >= 1000:
        return spread(energy_uj * 1e-3, " mJ", bounds=bounds)
    return spread(energy_uj, " µJ", bounds=bounds)
