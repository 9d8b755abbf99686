"""Reads what a board file says of time and power: the tables [timing] and [power]."""

from __future__ import annotations

from mcugen.boards.types import Cache, FlashFront, MemoryTiming, Power
from mcugen.toml_table import Table

MOST_WAIT = 1000
MOST_LINES = 4096


def read_timing(table: Table, clock_hz: int) -> MemoryTiming:
    """How long the flash takes at the core's clock.

    Raises:
        BoardError: a field breaks the format, or the clock is above the last that the table knows.
    """
    if table.has("miss_cycles") == table.has("wait_states_to_hz"):
        raise table.error("wait_states_to_hz", "or miss_cycles is needed, and not both")
    if table.has("miss_cycles"):
        low, nominal, high = (int(each) for each in _three(table, "miss_cycles", MOST_WAIT))
        miss = (low, nominal, high)
    else:
        wait = _wait_states(table, clock_hz)
        miss = (wait, wait, wait)
    ahead = table.boolean("fetches_ahead", default=False)
    shared = table.boolean("shared_cache", default=False)
    front = None
    if any(miss):
        code = _cache(table.table("code_cache"))
        data = Cache(0, code.line_bytes, 1) if shared else _cache(table.table("data_cache"))
        front = FlashFront(code, data, shared)
    timing = MemoryTiming(
        miss=miss,
        hidden=_hidden(miss, front.code.line_bytes) if ahead and front is not None else (0, 0, 0),
        front=front,
        multiplier=table.choice("multiplier", ("", "fast", "small"), default=""),
        source=table.text("source", most=300),
    )
    table.finish()
    return timing


def _hidden(miss: tuple[int, int, int], line_bytes: int) -> tuple[int, int, int]:
    """Of the cycles that the next line takes, how many pass while this one is executed.

    All, or as many as its instructions usually take (of less than three bytes each), or none.
    """
    return (miss[0], min(miss[1], line_bytes * 3 // 8), 0)


def _wait_states(table: Table, clock_hz: int) -> int:
    limits = table.integers("wait_states_to_hz", 1_000_000, 2_000_000_000)
    if not limits or limits != sorted(limits) or len(limits) > MOST_WAIT:
        raise table.error("wait_states_to_hz", "is not a list of clocks that rise, for no wait state, one, …")
    for states, limit in enumerate(limits):
        if clock_hz <= limit:
            return states
    raise table.error("wait_states_to_hz", f"ends at {limits[-1]} Hz, below clock_hz, which is {clock_hz}")


def _three(table: Table, key: str, most: float) -> tuple[float, float, float]:
    figures = table.numbers(key, 0, most)
    if len(figures) != 3 or figures != sorted(figures):
        raise table.error(key, "is not three figures that rise: low, nominal, high")
    return (figures[0], figures[1], figures[2])


def _cache(table: Table) -> Cache:
    lines = table.integer("lines", 0, MOST_LINES)
    line_bytes = table.integer("line_bytes", 4, 256)
    if line_bytes & (line_bytes - 1):
        raise table.error("line_bytes", f"is {line_bytes}, not a power of 2")
    ways = table.integer("ways", 1, MOST_LINES, default=max(1, lines))
    if lines % ways:
        raise table.error("ways", f"is {ways}, which does not divide the {lines} lines")
    table.finish()
    return Cache(lines, line_bytes, ways)


def read_power(table: Table) -> Power:
    """Power while an inference runs.

    Raises:
        BoardError: a field breaks the format.
    """
    low, nominal, high = _three(table, "active_mw", 100_000)
    power = Power((low, nominal, high), table.text("source", most=300))
    table.finish()
    return power
