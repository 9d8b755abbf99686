"""Timing: cycles of a core that executed what a trace counted, with memory that answers at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from mcugen.cost.decode import Instruction
from mcugen.cost.rules import NONE, CoreTiming, Rule, Three
from mcugen.cost.types import Bounds, Counts
from mcugen.errors import ToolError

_ALWAYS = frozenset({"branch", "branch_link", "branch_register", "move_pc", "table_branch"})
_BY_REGISTER = frozenset({"branch_register", "move_pc", "table_branch"})
_ACCESSES = frozenset({"load", "store", "load_double", "store_double", "load_multiple", "store_multiple"})
_COMPUTES = frozenset({"data", "multiply", "multiply_long", "multiply_add", "multiply_add_long", "divide"})


def core_cycles(
    counts: Counts, instructions: Mapping[int, Instruction], timing: CoreTiming, multiplier: str = "fast"
) -> dict[int, Bounds]:
    """Cycles by instruction's address.

    Args:
        instructions: the firmware's.
        multiplier: "fast", "small", or "" for either, where the core comes with both.

    Raises:
        ToolError: an instruction was executed that the firmware does not have, or that no rule is for.
    """
    totals: dict[int, list[int]] = {}
    for (before, address), times in successions(counts, instructions).items():
        previous = instructions[before] if before is not None else None
        _add(totals, address, _cycles(instructions[address], previous, timing, multiplier), times)
    for (source, target), times in counts.edges.items():
        instruction = _at(source, instructions)
        if target != instruction.end or instruction.kind in _ALWAYS or instruction.to_pc:
            _add(totals, source, _refill(instruction, instructions.get(target), target, timing), times)
    for address, accesses in counts.memory.items():
        _add(totals, address, timing.unaligned, accesses.unaligned)
    return {address: Bounds(*figures) for address, figures in totals.items()}


def _add(totals: dict[int, list[int]], address: int, cycles: Three, times: int) -> None:
    figures = totals.setdefault(address, [0, 0, 0])
    for i in range(3):
        figures[i] += cycles[i] * times


def _at(address: int, instructions: Mapping[int, Instruction]) -> Instruction:
    found = instructions.get(address)
    if found is None:
        raise ToolError(
            f"something at {address:#x} was executed that is no instruction of the firmware",
            hint="The project and its firmware do not belong together: build it again",
        )
    return found


def _run(start: int, length: int, instructions: Mapping[int, Instruction]) -> list[Instruction]:
    found = []
    for _ in range(length):
        found.append(_at(start, instructions))
        start = found[-1].end
    return found


def successions(counts: Counts, instructions: Mapping[int, Instruction]) -> dict[tuple[int | None, int], int]:
    """(An instruction directly before, an instruction) → how often; None before those that control came to otherwise.

    These do not depend on how the emulator cuts code into blocks.

    Raises:
        ToolError: an instruction was executed that the firmware does not have.
    """
    found: Counter[tuple[int | None, int]] = Counter()
    for (start, length), times in counts.blocks.items():
        before = None
        for instruction in _run(start, length, instructions):
            found[before, instruction.address_of] += times
            before = instruction.address_of
    for (source, target), times in counts.edges.items():
        if target == _at(source, instructions).end:
            found[source, target] += times
            found[None, target] -= times
    return {pair: times for pair, times in found.items() if times}


def _cycles(now: Instruction, previous: Instruction | None, timing: CoreTiming, multiplier: str) -> Three:
    rule = timing.rules.get(now.kind)
    if rule is None:
        raise ToolError(f"no rule for {now.name} {now.operands}", where=f"the timing of {timing.core}")
    base = _base(rule, multiplier)
    after_load = previous is not None and previous.kind == "load" and not previous.to_pc
    if now.kind == "if_then":
        folds = previous is not None and previous.size == timing.fold_behind
        return timing.folded if folds else base
    if now.kind not in _ACCESSES:
        return base
    words = now.words if "multiple" in now.kind or now.words else 2 if "double" in now.kind else 0
    total = _sum(base, _times(rule.per_word, words))
    if now.kind == "load":
        if now.words == 2:  # VLDR of a double
            total = _sum(total, (1, 1, 1))
        elif (
            timing.load_after_load is not None
            and previous is not None
            and after_load
            and not previous.writes_back
            and not now.writes_back
            and not previous.writes & now.address
        ):
            total = timing.load_after_load
            if now.size == 4 and now.address_of & 2:
                total = _sum(total, timing.wide_at_odd_word)
        if "pc" in now.address:
            total = _sum(total, timing.literal)
    elif now.kind == "store":
        if now.words == 2:
            total = _sum(total, (1, 1, 1))
        elif now.writes_back and timing.writing_back_store is not None:
            total = timing.writing_back_store
        elif now.indexed and timing.indexed_store is not None:
            total = timing.indexed_store
            if after_load and timing.store_after_load is not None:
                total = timing.store_after_load
    if previous is not None and previous.kind in _COMPUTES and previous.writes & now.address:
        total = _sum(total, timing.address)
    return total


def _base(rule: Rule, multiplier: str) -> Three:
    if rule.small_multiplier is None or multiplier == "fast":
        return rule.cycles
    if multiplier == "small":
        return rule.small_multiplier
    return (rule.cycles[0], rule.cycles[1], rule.small_multiplier[2])


def _refill(source: Instruction, target: Instruction | None, address: int, timing: CoreTiming) -> Three:
    if source.to_pc:
        cycles = timing.refill["load"]
    elif source.kind in _BY_REGISTER:
        cycles = timing.refill["register"]
    elif source.kind in ("branch", "branch_link", "conditional_branch", "compare_branch"):
        cycles = timing.refill["direct"]
    else:
        return NONE
    if target is not None and target.size == 4 and address & 2:
        return _sum(cycles, timing.unaligned_target)
    return cycles


def _sum(a: Three, b: Three) -> Three:
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2])


def _times(a: Three, times: int) -> Three:
    return (a[0] * times, a[1] * times, a[2] * times)


def mix(counts: Counts, instructions: Mapping[int, Instruction]) -> Counter[str]:
    """How many instructions of each kind were executed."""
    found: Counter[str] = Counter()
    for (start, length), times in counts.blocks.items():
        for instruction in _run(start, length, instructions):
            found[instruction.kind] += times
    return found
