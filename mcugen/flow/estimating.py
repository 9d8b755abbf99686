"""Cycles, time and energy of a model on boards: traces are taken where they can be, and what is missing is said."""

from __future__ import annotations

import contextvars
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Literal

from numpy.typing import NDArray

from mcugen import __version__
from mcugen.boards.types import Board
from mcugen.cost.calibration import calibrated
from mcugen.cost.decode import instructions_of
from mcugen.cost.estimate import Estimate, estimate, fronts_of, instructions_only, measured
from mcugen.cost.measurements import keep_measurement, measurement
from mcugen.cost.record import MOST_FRONTS, record
from mcugen.cost.rules import core_timing
from mcugen.cost.twin import twin_of
from mcugen.errors import McugenError
from mcugen.flow.model import Model
from mcugen.flow.proof import Cost
from mcugen.flow.ready import Ready, built_temporarily
from mcugen.oracle import make_inputs
from mcugen.progress import Progress, no_progress
from mcugen.runtimes.program import Program

AT_ONCE = 2
"""Traces that are taken at the same time."""


Place = Literal["qemu", "hardware", "elsewhere"]
"""Where a firmware runs."""

OFF = "MCUGEN_CYCLES"
"""Set to "no", no traces are taken."""

SWITCHED_OFF = f"traces are switched off ({OFF}=no)"


def _switched_off() -> bool:
    return os.environ.get(OFF, "") == "no"


def estimate_run(ready: Ready, cost: Cost, sample: Sequence[NDArray[Any]], where: Place, tflm: str | None) -> Estimate:
    """What an inference of a firmware that runs costs.

    Args:
        cost: what the device's counter told.
        sample: one array per input.
        where: "qemu", "hardware", or "elsewhere": then a trace is taken on the core's emulated twin.
        tflm: where TensorFlow Lite Micro is.
    """
    if where == "hardware" and cost.unit == "cycles":
        return _compared(ready, measured_estimate(ready.board, cost), tflm)
    if where == "qemu":
        return estimate_emulated(ready, sample)
    return estimate_planned(ready.model, [(ready.board, ready.plan)], tflm)[0]


def _compared(ready: Ready, told: Estimate, tflm: str | None) -> Estimate:
    """What a board told, beside what is predicted for it; both are kept for `mcugen calibrate`."""
    board, graph = ready.board, ready.model.graph
    predicted = estimate_planned(ready.model, [(board, ready.plan)], tflm)[0]
    found = measurement(board, graph.name, graph.sha256, ready.runtime, __version__, told, predicted)
    if found is not None:
        keep_measurement(board, found)
    return replace(told, predicted=predicted.cycles)


def measured_estimate(board: Board, cost: Cost) -> Estimate:
    """What a board's own counter told; nothing where it does not count cycles."""
    if cost.unit != "cycles":
        return instructions_only(board, f"the device counts {cost.unit}, not cycles")
    return measured(board, cost.invoke, cost.per_op)


def estimate_emulated(ready: Ready, sample: Sequence[NDArray[Any]]) -> Estimate:
    """What an inference costs, by a trace of the very firmware in QEMU. Never raises for want of a tool.

    Args:
        sample: one array per input.
    """
    return _estimated(ready, (ready.board,), sample)[0]


def nominal_pace(ready: Ready) -> float:
    """Nominal milliseconds on the board per instruction of the firmware in QEMU; 0 where they are not known."""
    found = estimate_emulated(ready, make_inputs(ready.plan.graph, 1, 0)[0])
    return found.time_ms.nominal / found.instructions if found.time_ms and found.instructions else 0.0


def _estimated(ready: Ready, boards: Sequence[Board], sample: Sequence[NDArray[Any]]) -> list[Estimate]:
    """Of boards with one core, by one trace of one firmware."""
    if core_timing(ready.board.cpu) is None:
        return [instructions_only(board) for board in boards]
    if _switched_off():
        return [instructions_only(board, SWITCHED_OFF) for board in boards]
    try:
        trace = record(ready.firmware, ready.board, sample, fronts_of(boards), model_sha256=ready.model.graph.sha256)
        decoded = instructions_of(ready.firmware.elf, ready.board.architecture)
        waits = [calibrated(board) for board in boards]
        return [estimate(trace, board, ready.firmware, decoded, ready.board.name, fit) for board, fit in waits]
    except McugenError as error:
        return [instructions_only(board, _reason(error)) for board in boards]


def _reason(error: McugenError) -> str:
    return f"no trace was taken: {error.what}"


def estimate_planned(
    model: Model,
    planned: Sequence[tuple[Board, Program]],
    tflm: str | None = None,
    progress: Progress | None = None,
) -> list[Estimate]:
    """What an inference costs on boards, by a trace per core on its emulated twin. Never raises for want of a tool.

    Args:
        planned: the boards, each with the model's plan for it.

    Returns:
        An estimate per board.
    """
    groups: dict[tuple[Any, ...], list[int]] = {}
    for position, (board, plan) in enumerate(planned):
        twin = twin_of(board)
        if twin is not None:
            key = (id(plan), twin.name, twin.cpu, twin.fpu, twin.features)
            groups.setdefault(key, []).append(position)
    found: list[Estimate | None] = [None] * len(planned)
    parts = [group[i : i + MOST_FRONTS] for group in groups.values() for i in range(0, len(group), MOST_FRONTS)]
    report = progress or no_progress
    with ThreadPoolExecutor(AT_ONCE) as pool:
        # Each thread sees what holds while a verb runs, as custom ops.
        contexts = [contextvars.copy_context() for _ in parts]
        taken = pool.map(lambda context, part: context.run(_of_twin, model, planned, part, tflm), contexts, parts)
        for done, (part, estimates) in enumerate(zip(parts, taken, strict=True), 1):
            report("counting cycles", done / len(parts))
            for position, each in zip(part, estimates, strict=True):
                found[position] = each
    return [each or instructions_only(board) for each, (board, _) in zip(found, planned, strict=True)]


def _of_twin(
    model: Model, planned: Sequence[tuple[Board, Program]], part: Sequence[int], tflm: str | None
) -> list[Estimate]:
    boards = [planned[position][0] for position in part]
    plan = planned[part[0]][1]
    twin = twin_of(boards[0])
    assert twin is not None
    if _switched_off():
        return [instructions_only(board, SWITCHED_OFF) for board in boards]
    try:
        with built_temporarily(model, plan, twin, tflm, no_progress) as ready:
            return _estimated(ready, boards, make_inputs(plan.graph, 1, 0)[0])
    except McugenError as error:
        return [instructions_only(board, _reason(error)) for board in boards]
