"""Cost: what a board makes of a trace, by its core's timing, its flash, its clock and its power."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mcugen.boards.types import Board, FlashFront, MemoryTiming, Region
from mcugen.builder import Firmware
from mcugen.cost.decode import Instruction
from mcugen.cost.rules import CoreTiming, Validation, core_timing
from mcugen.cost.timing import core_cycles
from mcugen.cost.types import NOTHING, Bounds, Counts, Method, Trace

NOT_ASKED = "cycles were not asked for"
NO_TIMING = "no timing of the {core} is published, so its cycles cannot be told"
NO_FLASH = "the board file does not say how long its flash takes"
GENERIC = "the clock and the flash of a generic board are not known"


@dataclass(frozen=True)
class OpCost:
    """What one op, or one function, costs. On hardware instructions are not counted.

    Attributes:
        waits: of the nominal cycles, those that wait for flash and other memories. Only of ops in a trace.
        apart, in_sequence: reads of flash that no cache held, as in `Misses`; those of data are `apart`.
    """

    instructions: int | None
    cycles: Bounds
    time_ms: Bounds | None
    waits: float = 0.0
    apart: int = 0
    in_sequence: int = 0


@dataclass(frozen=True)
class Estimate:
    """What an inference costs on a board, and how that is known.

    Attributes:
        method: "model" where cycles are made of a trace by the core's published timing; "instructions only" where
            there is no basis for cycles.
        why: what is missing for cycles or time; "" where nothing is.
        instructions: of one inference; None where not even these were counted.
        cycles, wait_cycles: with the waits for flash and other memories; these alone.
        time_ms: at the board's clock.
        energy_uj: with the board's active power.
        per_op: by op of the plan.
        functions: by function, the most expensive first.
        traced_on: the emulated board that the trace was taken on.
        documents: what the core's timing and the board's are taken from.
        validation: what is known of the model's error; None where it was never compared with a real board.
        predicted: of measured cycles, what the model said; None where it says nothing.
        data_wait_cycles: of the waits, those for data in memories whose waits the board file tells; None where it tells
            none.
    """

    board: str
    core: str
    clock_hz: int
    method: Method
    why: str = ""
    instructions: int | None = None
    cycles: Bounds | None = None
    wait_cycles: Bounds | None = None
    time_ms: Bounds | None = None
    energy_uj: Bounds | None = None
    per_op: tuple[OpCost, ...] = ()
    functions: Mapping[str, OpCost] = field(default_factory=dict, hash=False)
    traced_on: str = ""
    documents: tuple[str, ...] = ()
    validation: Validation | None = None
    predicted: Bounds | None = None
    data_wait_cycles: Bounds | None = None

    def to_dict(self) -> dict[str, Any]:
        """`cost.timing` of the JSON, and what `fit` says of a board; without the parts by op and by function."""
        return {
            "method": self.method,
            "why": self.why,
            "instructions": self.instructions,
            "cycles": self.cycles.whole() if self.cycles else None,
            "wait_cycles": self.wait_cycles.whole() if self.wait_cycles else None,
            "data_wait_cycles": self.data_wait_cycles.whole() if self.data_wait_cycles else None,
            "time_ms": self.time_ms.rounded(4) if self.time_ms else None,
            "energy_uj": self.energy_uj.rounded(2) if self.energy_uj else None,
            "clock_hz": self.clock_hz,
            "traced_on": self.traced_on,
            "documents": list(self.documents),
            "validation": asdict(self.validation) if self.validation else None,
            "predicted_cycles": self.predicted.whole() if self.predicted else None,
        }


def why_no_time(board: Board) -> str:
    """Why the time of an inference on a board cannot be told; "" where it can."""
    if core_timing(board.cpu) is None:
        return NO_TIMING.format(core=board.cpu)
    return "" if board.timing is not None else GENERIC if board.own_linker_script else NO_FLASH


def time_is_known(board: Board) -> bool:
    """Whether the time of an inference can be told without the board."""
    return not why_no_time(board)


def measured(board: Board, cycles: int, per_op: Sequence[int]) -> Estimate:
    """What the board itself told by its cycle counter."""
    whole = _exactly(cycles, board)
    ops = tuple(OpCost(None, *_exactly(own, board)) for own in per_op)
    energy = _energy(whole[1], board)
    return Estimate(
        board.name,
        board.cpu,
        board.clock_hz,
        "measured",
        cycles=whole[0],
        time_ms=whole[1],
        energy_uj=energy,
        per_op=ops,
    )


def _exactly(cycles: int, board: Board) -> tuple[Bounds, Bounds]:
    bounds = Bounds(cycles, cycles, cycles)
    return bounds, bounds * (1000 / board.clock_hz)


def instructions_only(board: Board, why: str = "", instructions: int | None = None) -> Estimate:
    """There is no basis for cycles.

    Args:
        why: the reason; "" where it is the core.
    """
    said = why or NO_TIMING.format(core=board.cpu)
    return Estimate(board.name, board.cpu, board.clock_hz, "instructions only", said, instructions)


def estimate(
    trace: Trace,
    board: Board,
    firmware: Firmware,
    instructions: Mapping[int, Instruction],
    traced_on: str,
    compared: Validation | None = None,
) -> Estimate:
    """What a trace costs on a board with the core that it was taken on.

    Args:
        firmware: that was traced.
        instructions: of this firmware.
        traced_on: the board that it was built for.
        compared: how this very board's waits compare with what it told; None for what is known of the core.

    Raises:
        ToolError: an instruction was executed that the firmware does not have, or that no rule is for.
    """
    timing = core_timing(board.cpu)
    if timing is None:
        return instructions_only(board, instructions=trace.instructions)
    memory = board.timing
    regions = _timed_regions(trace, board)
    parts = [_Part(counts, timing, memory, instructions, regions) for counts in (trace.whole, *trace.ops)]
    whole = parts[0]
    hz = board.clock_hz if memory is not None else None
    validation = compared or (timing.validation if memory is not None else None)
    time_ms = _time(_widened(whole.cycles, validation), hz)
    sources = dict.fromkeys(region.source for region in regions if region is not None)
    documents = (*timing.documents.values(), *((memory.source,) if memory else ()), *sources)
    return Estimate(
        board.name,
        board.cpu,
        board.clock_hz,
        "model",
        why_no_time(board),
        trace.instructions,
        _widened(whole.cycles, validation),
        whole.waits,
        time_ms,
        _energy(time_ms, board),
        tuple(_op_cost(part, validation, hz) for part in parts[1:]),
        dict(_by_function(whole, firmware, hz)),
        traced_on,
        documents,
        validation,
        data_wait_cycles=whole.data_waits if any(regions) else None,
    )


class _Part:
    """Cycles of a stretch of an inference, by instruction and in all."""

    def __init__(
        self,
        counts: Counts,
        timing: CoreTiming,
        memory: MemoryTiming | None,
        instructions: Mapping[int, Instruction],
        regions: Sequence[Region | None],
    ) -> None:
        self.counts = counts
        self.instructions = counts.instructions
        front = memory.front if memory is not None else None
        self.misses = [*counts.misses[front].values()] if front is not None else []
        by_core = core_cycles(counts, instructions, timing, memory.multiplier if memory else "")
        by_flash, by_memory = flash_waits(counts, memory), memory_waits(counts, regions)
        self.data_waits = _sum(by_memory.values())
        self.waits = _sum(by_flash.values()) + self.data_waits
        self.cycles = _sum(by_core.values()) + self.waits
        self.at = {
            address: _sum(part.get(address, NOTHING) for part in (by_core, by_flash, by_memory))
            for address in sorted({*by_core, *by_flash, *by_memory})
        }


def _widened(cycles: Bounds, validation: Validation | None) -> Bounds:
    """The bounds of the manual, or those of the error that was found against measured boards where that is larger."""
    if validation is None:
        return cycles
    low, high = cycles.nominal / validation.high, cycles.nominal / validation.low
    return Bounds(min(cycles.low, low), cycles.nominal, max(cycles.high, high))


def _op_cost(part: _Part, validation: Validation | None, hz: int | None) -> OpCost:
    cycles = _widened(part.cycles, validation)
    misses = part.misses
    apart, in_sequence = sum(each.apart + each.data for each in misses), sum(each.in_sequence for each in misses)
    return OpCost(part.instructions, cycles, _time(cycles, hz), part.waits.nominal, apart, in_sequence)


def flash_waits(counts: Counts, memory: MemoryTiming | None) -> dict[int, Bounds]:
    """Cycles that each instruction, by its address, waits for the flash."""
    if memory is None or memory.front is None:
        return {}
    found = {}
    for address, misses in counts.misses[memory.front].items():
        apart = misses.apart + misses.data
        low, nominal, high = (
            apart * wait + misses.in_sequence * max(0, wait - hidden)
            for wait, hidden in zip(memory.miss, memory.hidden, strict=True)
        )
        found[address] = Bounds(low, nominal, high)
    return found


def _timed_regions(trace: Trace, board: Board) -> list[Region | None]:
    """By position in a trace's regions: the board's memory, where an access of it is known to wait."""
    timed = {region.name: region for region in board.memories if region.read_cycles or region.write_cycles}
    return [timed.get(name) for name in trace.regions]


def memory_waits(counts: Counts, regions: Sequence[Region | None]) -> dict[int, Bounds]:
    """Cycles that the loads and stores of each instruction wait for the memories that they touch.

    Args:
        regions: in the order in which accesses are counted; None where they do not wait.
    """
    found = {}
    for address, accesses in counts.memory.items():
        waits = [
            Bounds(*cycles) * times
            for region, reads, writes in zip(regions, accesses.reads, accesses.writes, strict=True)
            if region is not None
            for cycles, times in ((region.read_cycles, reads), (region.write_cycles, writes))
            if cycles is not None and times
        ]
        if waits:
            found[address] = _sum(waits)
    return found


def _sum(bounds: Iterable[Bounds]) -> Bounds:
    return sum(bounds, NOTHING)


def _time(cycles: Bounds, hz: int | None) -> Bounds | None:
    return cycles * (1000 / hz) if hz else None


def _energy(time_ms: Bounds | None, board: Board) -> Bounds | None:
    """Microjoules are milliwatts times milliseconds."""
    if time_ms is None or board.power is None:
        return None
    low, nominal, high = board.power.active_mw
    return Bounds(time_ms.low * low, time_ms.nominal * nominal, time_ms.high * high)


def _by_function(part: _Part, firmware: Firmware, hz: int | None) -> Iterator[tuple[str, OpCost]]:
    code = sorted((s.address, s.address + s.size, s.name) for s in firmware.symbols if s.section.startswith(".text"))
    starts = [start for start, _, _ in code]

    def name_of(address: int) -> str:
        at = bisect.bisect_right(starts, address) - 1
        return code[at][2] if at >= 0 and address < code[at][1] else "?"

    cycles: dict[str, Bounds] = {}
    executed: dict[str, int] = {}
    for address, bounds in part.at.items():
        name = name_of(address)
        cycles[name] = cycles.get(name, NOTHING) + bounds
    for (start, length), times in part.counts.blocks.items():
        name = name_of(start)  # blocks do not cross functions
        executed[name] = executed.get(name, 0) + length * times
    for name, bounds in sorted(cycles.items(), key=lambda item: (-item[1].nominal, item[0])):
        yield name, OpCost(executed.get(name, 0), bounds, _time(bounds, hz))


def fronts_of(boards: Sequence[Board]) -> tuple[FlashFront, ...]:
    """The different caches of some boards, in their order."""
    return tuple(dict.fromkeys(b.timing.front for b in boards if b.timing is not None and b.timing.front is not None))
