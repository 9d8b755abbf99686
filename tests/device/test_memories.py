"""A model in the memories of an STM32H750, emulated: what lies where, what an inference touches, what it saves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytest

from mcugen.boards.shipped import load_board
from mcugen.boards.types import Board
from mcugen.builder.linker_map import parse_map
from mcugen.cost.decode import instructions_of
from mcugen.cost.estimate import Estimate, estimate
from mcugen.cost.record import record
from mcugen.cost.types import Trace
from mcugen.flow.memories import memories_of
from mcugen.flow.model import Model, load_model, plan_model
from mcugen.flow.proof import Proof
from mcugen.flow.prove import prove
from mcugen.flow.ready import built_temporarily
from mcugen.flow.runtime import Choice
from mcugen.oracle import make_inputs
from mcugen.progress import no_progress
from mcugen.runtimes.aot.plan import Plan, make_plan
from mcugen.runtimes.aot.plan.placing import place
from mcugen.runtimes.aot.plan.waits import memory_uses
from tests.models import both, model_path

pytestmark = pytest.mark.emulator

BOARD = "mps2-an386-qspi"
MODELS = {"ds_cnn": 1.3, "kws_ref_model": 2.5, "ad01_int8": 7.0}
"""Of each model how many times the cycles it takes at least with its arena in SRAM and its weights in QSPI flash."""


@dataclass
class Ran:
    """A firmware, its verdict, its trace and its cost."""

    plan: Plan
    proof: Proof
    trace: Trace
    estimate: Estimate
    map: str

    def touched(self, memory: str) -> tuple[int, int]:
        """Reads and writes of an inference."""
        at = self.trace.regions.index(memory)
        accesses = self.trace.whole.memory.values()
        return sum(each.reads[at] for each in accesses), sum(each.writes[at] for each in accesses)


def without(model: Model, board: Board) -> Plan:
    """The arena in RAM, all weights in QSPI flash."""
    plan = make_plan(model.graph, board.target())
    given = [
        replace(memory, room=0 if memory.name in ("flash", "dtcm") else memory.room, holds=holds)
        for memory in memories_of(board, plan, {})
        for holds in [("arena",) if memory.is_ram else ("weights",)]
    ]
    found = place(plan, given)
    assert found is not None
    return found


def ran(stack: ExitStack, model: Model, plan: Plan, board: Board) -> Ran:
    ready = stack.enter_context(built_temporarily(model, plan, board, None, no_progress))
    how: dict[str, Any] = {"inputs": None, "samples": 2, "seed": 0, "layers": True, "port": None, "progress": None}
    proof = prove(ready, "verify", **how)
    trace = record(ready.firmware, board, make_inputs(plan.graph, 1, 0)[0])
    firmware = ready.firmware
    cost = estimate(trace, board, firmware, instructions_of(firmware.elf, board.architecture), board.name)
    return Ran(plan, proof, trace, cost, firmware.map.read_text(errors="replace"))


@pytest.fixture(scope="module", params=both(["ds_cnn"], ["kws_ref_model", "ad01_int8"]))
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[str, Ran, Ran]]:
    model, board = load_model(model_path(request.param)), load_board(BOARD)
    plan = plan_model(model, board, Choice())
    assert isinstance(plan, Plan)
    with ExitStack() as stack:
        yield request.param, ran(stack, model, plan, board), ran(stack, model, without(model, board), board)


def test_results_are_the_same_and_placing_pays(pair: tuple[str, Ran, Ran]) -> None:
    name, placed, spread = pair
    for each in (placed, spread):
        assert each.proof.verdict.bit_exact
        assert each.proof.verdict.layers_checked
    fast, slow = placed.estimate, spread.estimate
    assert fast.cycles is not None
    assert slow.cycles is not None
    assert fast.data_wait_cycles is not None
    assert fast.data_wait_cycles.nominal < fast.cycles.nominal
    assert slow.cycles.nominal > MODELS[name] * fast.cycles.nominal


def test_the_map_says_what_lies_where(pair: tuple[str, Ran, Ran]) -> None:
    _, placed, spread = pair
    board = load_board(BOARD)
    for each in (placed, spread):
        pieces = parse_map(each.map).sections
        linked = dict(each.proof.firmware.memories)
        for memory in board.memories:
            weights = sum(w.size for w in each.plan.weights if w.memory == memory.name)
            own = [
                p
                for p in pieces
                if p.size and p.name.startswith((f".mcg_in_{memory.name}", f".bss.mcg_in_{memory.name}"))
            ]
            assert all(memory.origin <= piece.address < memory.end for piece in own)
            arena = sum(arena.size for arena in each.plan.arenas if arena.memory == memory.name)
            marked = (0 if memory.name == "flash" else weights) + (0 if memory.name == "ram" else arena)
            assert marked <= sum(piece.size for piece in own) <= marked + 16 * len(each.plan.weights)
            assert each.plan.taken_in(memory.name) <= linked[memory.name] <= memory.size
        arena = next(p for p in pieces if p.name == ".bss.mcg_arena")
        assert board.ram.origin <= arena.address < board.ram.end


def test_an_inference_touches_what_the_plan_says(pair: tuple[str, Ran, Ran]) -> None:
    _, placed, spread = pair
    assert spread.touched("dtcm") == (0, 0)
    assert placed.touched("qspi") == (0, 0)
    assert spread.touched("qspi")[0] > 0
    for each in (placed, spread):
        assert each.touched("flash")[1] == each.touched("qspi")[1] == 0
        for use in memory_uses(each.plan):
            if use.memory.name in ("dtcm", "qspi"):  # in the others lie the stack, and parameters of calls
                counted = sum(each.touched(use.memory.name))
                assert use.accesses / 1.6 <= counted <= use.accesses * 1.6 + 100
