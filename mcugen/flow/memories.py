"""A model in several memories: what a board and its user leave for it, and the plan that makes the best of that."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mcugen.boards.types import Board, Region
from mcugen.builder import fit_report
from mcugen.errors import DoesNotFitError, ProjectError
from mcugen.runtimes.aot.plan.placing import place
from mcugen.runtimes.aot.plan.types import WEIGHTS_ALIGNMENT, Memory, Plan, aligned_weights
from mcugen.runtimes.aot.plan.waits import memory_uses, waits_without
from mcugen.runtimes.program import Program

Reserved = Mapping[str, int]
"""Bytes by memory that the user needs there."""

_AMOUNT = re.compile(r"([a-z][a-z0-9_]{0,15})=(\d{1,10})([kKmM]?)")
_UNITS = {"": 1, "k": 1024, "m": 1024 * 1024}


def read_reserved(given: str | Sequence[str] | None) -> dict[str, int]:
    """What is reserved, by name or kind of the memory: "sram=32K", or several such.

    Raises:
        ProjectError: it is not of that form, or names one memory twice.
    """
    found: dict[str, int] = {}
    for text in [given] if isinstance(given, str) else given or ():
        match = _AMOUNT.fullmatch(text)
        if match is None:
            raise ProjectError(
                f"{text[:60]!r} does not say what to reserve",
                where="`reserve`",
                hint="Write a memory and an amount, as `reserve=sram=32K`; units are bytes, K and M",
            )
        if match[1] in found:
            raise ProjectError(
                f"{match[1]} is reserved twice", where="`reserve`", hint="Give one amount for each memory"
            )
        found[match[1]] = int(match[2]) * _UNITS[match[3].lower()]
    return found


def reserved_in(board: Board, reserve: Reserved) -> dict[str, int]:
    """The same by the memories' own names.

    Raises:
        ProjectError: a board has no such memory, or several of the kind, or the memory is not as large.
    """
    found: dict[str, int] = {}
    for name, amount in reserve.items():
        meant = [r for r in board.memories if r.name == name] or [r for r in board.memories if r.kind == name]
        if len(meant) != 1 or meant[0].name in found:
            shown = ", ".join(_shown(region) for region in board.memories)
            what = "two amounts are reserved in one memory" if len(meant) == 1 else f"{name} is not one of its memories"
            raise ProjectError(what, where=f"`reserve`, board {board.name}", hint=f"It has {shown}: name each once")
        if amount > meant[0].size:
            what = f"{amount:,} bytes are reserved in {meant[0].name}, which has {meant[0].size:,}"
            raise ProjectError(what, where=f"`reserve`, board {board.name}", hint="Reserve less")
        found[meant[0].name] = amount
    return found


def _shown(region: Region) -> str:
    return f"{region.name} ({region.kind})" if region.kind not in ("", region.name) else region.name


def memories_of(board: Board, plan: Plan, reserved: Reserved) -> list[Memory]:
    """The board's memories with what firmware and user leave of them for the model.

    Args:
        plan: of the model on the board, whose code and variables take something as well.
        reserved: by the memories' names.
    """
    fit = fit_report(plan, board)
    small = sum(aligned_weights(size) for size in plan.small_constants())
    taken = {"flash": fit.code + fit.harness + WEIGHTS_ALIGNMENT + small, "ram": fit.static + fit.stack}
    found = []
    for region in (board.flash, board.ram, *board.placed):
        own = region.name in taken
        holds = region.holds if not own else ("weights",) if region.name == "flash" else ("arena", "weights")
        room = max(0, region.size - taken.get(region.name, 0) - reserved.get(region.name, 0))
        read, write = (cycles[1] if cycles else 0.0 for cycles in (region.read_cycles, region.write_cycles))
        kind = region.kind or ("flash" if region.name == "flash" else "sram")
        is_ram = region.name != "flash" and region.is_ram
        found.append(Memory(region.name, kind, room, read, write, holds, is_ram, region.dma, own))
    return found


def in_memories(plan: Plan, board: Board, reserved: Reserved) -> Plan | None:
    """The plan in the board's memories; as it is where the board has flash and RAM alone; None without room for it."""
    if not board.placed:
        return plan
    return place(plan, memories_of(board, plan, reserved))


def arena_room(board: Board, plan: Plan, reserved: Reserved) -> int:
    """Bytes that all memories together have for an arena."""
    return sum(memory.room for memory in memories_of(board, plan, reserved) if "arena" in memory.holds)


def no_room(plan: Plan, board: Board, reserved: Reserved) -> DoesNotFitError:
    """That a model does not fit, with what there is for it."""
    weights = sum(plan.constant_sizes())
    rooms = ", ".join(f"{m.room:,} in {m.name}" for m in memories_of(board, plan, reserved))
    return DoesNotFitError(
        f'"{plan.graph.name}" does not fit the memories of {board.title}: it needs {plan.arena_bytes:,} bytes of arena '
        f"and {weights:,} of weights; beside its code there is room for {rooms}",
        where=f"board {board.name}",
        hint="Choose a board with more memory, or a smaller model" + (", or reserve less" if reserved else ""),
    )


def memory_facts(program: Program, linked: Mapping[str, int]) -> dict[str, Any] | None:
    """What the JSON says of several memories: what lies where, and what that saves; None where there are none.

    Args:
        linked: bytes by memory of the linked firmware; nothing where it was not built.
    """
    if not isinstance(program, Plan) or not program.memories:
        return None
    uses = memory_uses(program)
    without, home = waits_without(program)
    return {
        "waits": round(sum(use.waits for use in uses)),
        "waits_without": round(without),
        "weights_without": home,
        "reserved": dict(program.reserved),
        "memories": [
            {
                "name": use.memory.name,
                "kind": use.memory.kind,
                "room": use.memory.room,
                "read_cycles": use.memory.read,
                "arena": use.arena,
                "weights": use.weights,
                "images": use.images,
                "linked": linked.get(use.memory.name),
                "accesses": round(use.accesses),
                "waits": round(use.waits),
                "hottest": list(use.hottest),
            }
            for use in uses
        ],
    }
