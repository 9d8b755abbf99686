"""Plans in several memories: the best choice, the same results, and every fault that is put into one is found."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from mcugen.ops.base import Target
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import Plan, make_plan, verify_plan
from mcugen.runtimes.aot.plan.placing import parts_of, place
from mcugen.runtimes.aot.plan.regroup import regrouped
from mcugen.runtimes.aot.plan.types import Arena, Memory
from mcugen.runtimes.aot.plan.verify import PlanError
from mcugen.runtimes.aot.plan.waits import memory_uses, waits_without
from tests import zoo
from tests.plan.test_overlay import assert_equal_to_oracle

DSP = Target("cortex-m4", ("dsp",))


def memories(dtcm: int = 1 << 17, ram: int = 1 << 19, flash: int = 1 << 17, *, dma: bool = True) -> list[Memory]:
    both = ("arena", "weights")
    return [
        Memory("flash", "flash", flash, 1, 0, ("weights",), False, True, True),
        Memory("ram", "sram", ram, 4, 0, both, True, True, True),
        Memory("dtcm", "dtcm", dtcm, 0, 0, both, True, dma, False),
        Memory("qspi", "qspi", 1 << 24, 56, 0, ("weights",), False, True, False),
    ]


def plan_of(name: str, goal: str = "balanced", *, pushed: bool = False) -> Plan:
    return make_plan(optimize(read_graph(zoo.model(name))), DSP, goal, pushed)  # type: ignore[arg-type]


def placed(plan: Plan, given: list[Memory]) -> Plan:
    found = place(plan, given)
    assert found is not None
    return found


def waits(plan: Plan) -> float:
    return sum(use.waits for use in memory_uses(plan))


def test_one_memory_is_emitted_as_ever() -> None:
    files = emit_model(plan_of("ds_cnn"))
    assert "static uint8_t mcg_arena[MCG_MODEL_ARENA_BYTES];" in files["mcg_model.c"]
    assert "&mcg_arena[at[index]]" in files["mcg_model.c"]
    assert not [text for text in files.values() if "MCG_IN_" in text or "MCG_WEIGHTS_IN_" in text]


def test_where_all_fits_all_is_fast() -> None:
    plan = placed(plan_of("ds_cnn"), memories())
    assert [arena.memory for arena in plan.arenas] == ["dtcm"]
    assert {each.memory for each in plan.weights} == {"dtcm"}
    assert {each.image for each in plan.weights} == {"flash"}
    assert waits(plan) == 0 < waits_without(plan)[0]


def test_inputs_and_outputs_lie_where_dma_reaches() -> None:
    plan = placed(plan_of("ds_cnn"), memories(dma=False))
    ram = next(arena for arena in plan.arenas if arena.memory == "ram")
    assert all(ram.start <= plan.addresses[i] < ram.end for i in (*plan.graph.inputs, *plan.graph.outputs))
    assert any(arena.memory == "dtcm" for arena in plan.arenas)


def test_cold_weights_lie_in_slow_flash() -> None:
    plan = plan_of("ds_cnn")
    reads = {part.weights: part.accesses.reads / part.size for part in parts_of(plan, memories()) if part.weights}
    only = [replace(m, holds=("arena",)) if m.is_ram else m for m in memories(flash=2_000)]
    found = placed(plan, only)
    flash = [reads[each.content] for each in found.weights if each.memory == "flash"]
    qspi = [reads[each.content] for each in found.weights if each.memory == "qspi"]
    assert flash
    assert qspi
    assert sum(flash) / len(flash) > sum(qspi) / len(qspi)


def test_what_does_not_fit_is_no_plan() -> None:
    plan = plan_of("ds_cnn")
    assert place(plan, memories(dtcm=64, ram=plan.arena_bytes // 2)) is None
    assert place(plan, [m for m in memories(flash=1_000) if m.name != "qspi"]) is None


@pytest.mark.parametrize("room", [40, 120, 250, 1_200])
@pytest.mark.parametrize("name", ["gru", "lstm", "speech"])
def test_of_few_parts_the_choice_is_the_best(name: str, room: int) -> None:
    plan = plan_of(name)
    given = [replace(m, holds=("arena",)) if m.is_ram else m for m in memories(dtcm=room)]
    blocks = [part for part in parts_of(plan, given) if part.weights is None]
    assert len(blocks) <= 10
    dtcm, ram = (next(m for m in given if m.name == name) for name in ("dtcm", "ram"))
    gains = []
    for count in range(len(blocks) + 1):
        for chosen in itertools.combinations(blocks, count):
            if not chosen or regrouped(plan, [part.block for part in chosen])[1] <= room // 16 * 16:
                gains.append(sum(part.waits(ram) - part.waits(dtcm) for part in chosen))
    uses = {use.memory.name: use for use in memory_uses(placed(plan, given))}
    everything = sum(part.waits(ram) for part in blocks)
    assert everything - uses["ram"].waits == pytest.approx(max(gains))


@pytest.mark.parametrize("goal", ["balanced", "ram"])
@pytest.mark.parametrize("name", ["ds_cnn", "mobilenet_v2", "lstm", "u_net", "wake_word", "gru"])
def test_any_memories_hold_a_sound_plan_or_none(name: str, goal: str) -> None:
    """Every plan is verified when it is made."""
    plan = plan_of(name, goal)
    generator = random.Random(name + goal)
    some = 0
    for _ in range(12):
        total = plan.arena_bytes + sum(plan.constant_sizes())
        rooms = [generator.randrange(16, total) for _ in range(3)]
        found = place(plan, memories(*rooms, dma=generator.random() < 0.5))
        if found is not None:
            some += 1
            assert all(found.taken_in(memory.name) <= memory.room for memory in found.memories)
            assert waits(found) <= waits_without(found)[0]
    assert some


@pytest.mark.parametrize(("name", "goal"), [("mobilenet_v2", "balanced"), ("resnet", "ram"), ("u_net", "balanced")])
def test_results_do_not_depend_on_the_memory(name: str, goal: str) -> None:
    plan = plan_of(name, goal)
    found = placed(plan, memories(dtcm=plan.arena_bytes // 2, flash=sum(plan.constant_sizes()) // 2, dma=False))
    assert len(found.arenas) == 2
    assert {each.memory for each in found.weights} > {"flash"}
    assert_equal_to_oracle(zoo.model(name), found)


def test_rows_that_are_pushed_lie_in_several_memories_too() -> None:
    plan = plan_of("mobilenet_v1", "ram", pushed=True)
    found = placed(plan, memories(dtcm=plan.arena_bytes // 2, dma=False))
    assert len(found.arenas) == 2
    assert_equal_to_oracle(zoo.model("mobilenet_v1"), found)


# ---- faults


@pytest.fixture(scope="module")
def sound() -> Plan:
    plan = plan_of("ds_cnn")
    found = placed(plan, memories(dtcm=plan.arena_bytes // 2, flash=2_000, dma=False))
    assert [arena.memory for arena in found.arenas] == ["dtcm", "ram"]
    return found


def _moved(plan: Plan, tensor: int, by: int) -> Plan:
    return replace(plan, addresses={**plan.addresses, tensor: plan.addresses[tensor] + by})


def _with_memory(plan: Plan, name: str, **changes: object) -> Plan:
    changed = tuple(replace(m, **changes) if m.name == name else m for m in plan.memories)  # type: ignore[arg-type]
    return replace(plan, memories=changed)


def _with_weights(plan: Plan, which: int, **changes: object) -> Plan:
    changed = tuple(
        replace(each, **changes) if n == which else each  # type: ignore[arg-type]
        for n, each in enumerate(plan.weights)
    )
    return replace(plan, weights=changed)


def _first(plan: Plan, memory: str) -> int:
    return next(n for n, each in enumerate(plan.weights) if each.memory == memory)


def _across(plan: Plan) -> Plan:
    """The buffer that lies highest in the first arena reaches into the second one."""
    first = plan.arenas[0]
    last = max((b for b in plan.buffers if b.offset < first.end), key=lambda b: b.offset)
    by = first.end - last.offset - 4
    buffers = tuple(replace(b, offset=b.offset + by) if b is last else b for b in plan.buffers)
    return replace(plan, buffers=buffers)


FAULTS: list[tuple[str, str, Callable[[Plan], Plan]]] = [
    (
        "a tensor between two memories",
        "tensor .* lies in no arena as a whole",
        lambda p: _moved(p, p.graph.ops[1].outputs[0], p.arenas[0].end - 4),
    ),
    ("a buffer between two memories", "buffer at .* lies in no arena as a whole", _across),
    (
        "scratch between two memories",
        "scratch of .* lies in no arena as a whole",
        lambda p: replace(p, scratch=dict.fromkeys(p.scratch, p.arenas[0].end - 4)),
    ),
    (
        "an input where no DMA reaches",
        "DMA does not reach dtcm",
        lambda p: _moved(p, p.graph.inputs[0], -p.addresses[p.graph.inputs[0]]),
    ),
    (
        "an arena over the memory's size",
        "dtcm holds .* but has room for",
        lambda p: _with_memory(p, "dtcm", room=p.taken_in("dtcm") - 1),
    ),
    (
        "weights over the memory's size",
        "flash holds .* but has room for",
        lambda p: _with_memory(p, "flash", room=p.taken_in("flash") - 1),
    ),
    (
        "an arena where none may lie",
        "an arena lies in dtcm, which holds none",
        lambda p: _with_memory(p, "dtcm", holds=("weights",)),
    ),
    ("an arena in flash", "an arena lies in dtcm, which holds none", lambda p: _with_memory(p, "dtcm", is_ram=False)),
    ("weights where none may lie", "lie in ram, which holds none", lambda p: _with_memory(p, "ram", holds=("arena",))),
    (
        "two memories of one name",
        "two memories have one name",
        lambda p: replace(p, memories=(*p.memories, p.memories[0])),
    ),
    (
        "two arenas in one memory",
        "dtcm has two arenas",
        lambda p: replace(p, arenas=(p.arenas[0], replace(p.arenas[1], memory="dtcm"))),
    ),
    (
        "two arenas that overlap",
        "overlaps another",
        lambda p: replace(p, arenas=(p.arenas[0], replace(p.arenas[1], start=0))),
    ),
    (
        "a gap between arenas",
        "begins or ends where none can",
        lambda p: replace(p, arenas=(replace(p.arenas[0], size=16), p.arenas[1])),
    ),
    (
        "an arena more",
        "an arena lies in qspi, which holds none",
        lambda p: replace(p, arenas=(*p.arenas, Arena("qspi", p.arena_bytes, 16))),
    ),
    ("an arena that ends early", "the arenas end at", lambda p: replace(p, arena_bytes=p.arena_bytes + 16)),
    ("no arena", "lies in no arena as a whole", lambda p: replace(p, arenas=(), arena_bytes=0)),
    ("weights without a place", "have no place", lambda p: replace(p, weights=p.weights[1:])),
    ("weights with two places", "weights have two places", lambda p: replace(p, weights=(*p.weights, p.weights[0]))),
    (
        "weights of another size",
        "no kernel reads such weights",
        lambda p: _with_weights(p, 0, size=p.weights[0].size + 16),
    ),
    (
        "weights that nothing reads",
        "no kernel reads such weights",
        lambda p: _with_weights(p, 0, content=("|i1", b"x")),
    ),
    ("weights in no memory", "lie in nowhere, which holds none", lambda p: _with_weights(p, 0, memory="nowhere")),
    ("weights in RAM that nobody copies", "are never copied", lambda p: _with_weights(p, _first(p, "ram"), image="")),
    (
        "weights in flash that are copied",
        "need not be copied",
        lambda p: _with_weights(p, _first(p, "flash"), image="qspi"),
    ),
    (
        "weights that are copied from RAM",
        "are copied from dtcm, which holds none after a start",
        lambda p: _with_weights(p, _first(p, "ram"), image="dtcm"),
    ),
    ("places without memories", "places in memories that it does not have", lambda p: replace(p, memories=())),
]


@pytest.mark.parametrize(("what", "said", "fault"), FAULTS, ids=[what for what, _, _ in FAULTS])
def test_faults_are_found(sound: Plan, what: str, said: str, fault: Callable[[Plan], Plan]) -> None:
    verify_plan(sound)
    broken = fault(sound)
    with pytest.raises(PlanError, match=said):
        verify_plan(broken)
