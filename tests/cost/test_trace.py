"""A trace counts exactly what the device's own counter counts, and every trace is the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mcugen.boards.shipped import load_board
from mcugen.boards.types import Cache, FlashFront
from mcugen.cost.decode import Instruction, instructions_of
from mcugen.cost.estimate import estimate
from mcugen.cost.record import read_trace
from mcugen.cost.timing import successions
from mcugen.cost.types import Counts
from mcugen.device.connecting import open_device
from mcugen.errors import ToolError

CALL = {"microbit": 3, "mps2-an385": 2, "mps2-an386": 2}
"""Instructions that the counter sees beside the inference: what leads to it and back."""

HOOK = range(5, 11)
"""The same for an op: what leads into the hook and out of it."""


@pytest.mark.emulator
@pytest.mark.parametrize("board", CALL)
def test_instructions_are_those_that_the_device_counts(board: str, traced: Any) -> None:
    found = traced(board)
    with open_device(found.ready.firmware.elf, load_board(board)) as device:
        device.run(found.sample)
        _, whole = device.run(found.sample)
        per_op = device.profile(found.sample)
    assert found.trace.instructions == whole - CALL[board]
    assert len(found.trace.ops) == len(per_op) == len(found.ready.plan.steps)
    assert all(own - op.instructions in HOOK for own, op in zip(per_op, found.trace.ops, strict=True))


@pytest.mark.emulator
def test_two_traces_are_equal(traced: Any) -> None:
    """QEMU may cut code into other blocks, as its clock stops between them; what is made of them does not change."""
    found = traced("mps2-an386")
    first, second = found.trace, found.again()
    decoded = instructions_of(found.ready.firmware.elf)
    for one, other in zip((first.whole, *first.ops), (second.whole, *second.ops), strict=True):
        assert successions(one, decoded) == successions(other, decoded)
        assert (one.memory, one.misses) == (other.memory, other.misses)
        assert taken(one, decoded) == taken(other, decoded)
    board = load_board("nucleo-l4r5zi")
    estimates = [estimate(trace, board, found.ready.firmware, decoded, "") for trace in (first, second)]
    assert estimates[0] == estimates[1]


def taken(counts: Counts, decoded: Mapping[int, Instruction]) -> dict[tuple[int, int], int]:
    return {edge: times for edge, times in counts.edges.items() if edge[1] != decoded[edge[0]].end}


@pytest.mark.emulator
def test_memory_and_edges_go_with_the_instructions(traced: Any) -> None:
    """Every load and store touches as many words as its instruction names, and every block but the first is entered."""
    found = traced("mps2-an386")
    whole, decoded = found.trace.whole, instructions_of(found.ready.firmware.elf)
    executed: dict[int, int] = {}
    for (start, length), times in whole.blocks.items():
        for _ in range(length):
            executed[start] = executed.get(start, 0) + times
            start = decoded[start].end
    for address, accesses in whole.memory.items():
        instruction = decoded[address]
        words = instruction.words or (2 if "double" in instruction.kind else 1)
        assert sum(accesses.reads) + sum(accesses.writes) == executed[address] * words, instruction
        assert not (sum(accesses.reads) and sum(accesses.writes))
        assert (sum(accesses.writes) > 0) == instruction.kind.startswith("store")
    entered = sum(whole.edges.values())
    assert entered == sum(whole.blocks.values()) - 1
    elsewhere = sum(a.reads[-1] + a.writes[-1] for a in whole.memory.values())
    assert elsewhere == 0, "a model touches flash and RAM only"


@pytest.mark.emulator
def test_weights_miss_as_often_as_a_cache_of_that_size_must(traced: Any) -> None:
    """More cache never misses more; without any, every read of data in flash does."""
    found = traced("mps2-an386")
    whole = found.trace.whole
    misses = {front: whole.misses[front] for front in found.fronts}
    data = {front: sum(m.data for m in each.values()) for front, each in misses.items()}
    reads = sum(accesses.reads[0] for accesses in whole.memory.values())
    assert all(0 < count < reads for count in data.values())
    small, large = FlashFront(Cache(4, 16, 4), Cache(0, 4, 1)), FlashFront(Cache(256, 16, 256), Cache(64, 16, 64))
    from mcugen.cost.record import record

    again = record(found.ready.firmware, found.ready.board, found.sample, (small, large)).whole.misses
    assert sum(m.data for m in again[small].values()) == reads
    assert sum(m.data for m in again[large].values()) < reads
    fetches = [sum(m.apart + m.in_sequence for m in again[front].values()) for front in (small, large)]
    assert fetches[0] > fetches[1] > 0


def test_a_damaged_trace_is_refused() -> None:
    whole = ["S 0", "B 10 2 3", "S 1", "B 10 2 3", "complete"]
    assert read_trace(whole, "cortex-m4", ("flash",), (), 1).instructions == 6
    with pytest.raises(ToolError, match="not whole: 2 of 2 parts"):
        read_trace(whole[:-1], "cortex-m4", ("flash",), (), 1)
    with pytest.raises(ToolError, match="not whole: 1 of 2 parts"):
        read_trace([*whole[:2], "complete"], "cortex-m4", ("flash",), (), 1)
    for line in ("B 10 2", "B x 2 3", "Q 10", "B 10 2 3", "C 10 0 1 1 1"):
        broken = [line, *whole] if line == "B 10 2 3" else ["S 0", line, "complete"]
        with pytest.raises(ToolError, match="the trace is damaged"):
            read_trace(broken, "cortex-m4", ("flash",), (), 0)


@pytest.mark.emulator
def test_firmware_without_the_functions_is_refused(traced: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    from mcugen.cost.record import record

    found = traced("mps2-an386")
    symbols = tuple(s for s in found.ready.firmware.symbols if s.name != "mcg_model_invoke")
    with pytest.raises(ToolError, match="has no function mcg_model_invoke"):
        record(replace(found.ready.firmware, symbols=symbols), found.ready.board, found.sample)
