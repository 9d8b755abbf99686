"""Plans of real models reach the bound; wrong plans are caught."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mcugen.boards.shipped import load_board
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import Plan, make_plan, verify_plan
from mcugen.runtimes.aot.plan.verify import PlanError

ARENA_LIMITS = {
    "kws_ref_model": 16_640,
    "vww_96_int8": 55_808,
    "pretrainedResnet_quant": 50_176,
    "ad01_int8": 1_024,
}


def plan_of(models_dir: Path, name: str) -> Plan:
    return make_plan(optimize(read_graph((models_dir / f"{name}.tflite").read_bytes(), name)))


@pytest.mark.parametrize("board", ["microbit", "mps2-an385", "mps2-an386", "mps2-an505", "mps3-an547"])
@pytest.mark.parametrize("name", sorted(ARENA_LIMITS))
def test_the_arena_stays_at_the_live_tensor_bound_or_below(models_dir: Path, name: str, board: str) -> None:
    graph = optimize(read_graph((models_dir / f"{name}.tflite").read_bytes(), name))
    assert make_plan(graph, load_board(board).target()).arena_bytes <= ARENA_LIMITS[name]


def test_macs_are_those_of_the_published_models_without_dead_channels(models_dir: Path) -> None:
    counts = {name: plan_of(models_dir, name).macs for name in ARENA_LIMITS}
    assert counts == {
        "kws_ref_model": 2_656_768,
        "vww_96_int8": 3_727_313,  # of 7,489,664: channels that never change are dropped
        "pretrainedResnet_quant": 12_501_632,
        "ad01_int8": 264_192,
    }


def test_planning_is_deterministic(models_dir: Path) -> None:
    assert (
        plan_of(models_dir, "pretrainedResnet_quant").buffers == plan_of(models_dir, "pretrainedResnet_quant").buffers
    )


def moved(plan: Plan, tensor: int, address: int) -> Plan:
    return replace(plan, addresses={**plan.addresses, tensor: address})


def test_a_tensor_moved_onto_a_live_one_is_caught(models_dir: Path) -> None:
    plan = plan_of(models_dir, "kws_ref_model")
    op = plan.steps[1].op
    with pytest.raises(PlanError, match=r"writes over its input|overlap"):
        verify_plan(moved(plan, op.outputs[0], plan.addresses[op.inputs[0]]))


def test_a_tensor_outside_the_arena_is_caught(models_dir: Path) -> None:
    plan = plan_of(models_dir, "kws_ref_model")
    with pytest.raises(PlanError, match="outside the arena"):
        verify_plan(moved(plan, plan.graph.outputs[0], plan.arena_bytes - 4))


def test_overlapping_buffers_are_caught(models_dir: Path) -> None:
    plan = plan_of(models_dir, "kws_ref_model")
    first, second, *rest = plan.buffers
    shifted = replace(second, offset=first.offset, first=first.first, last=first.last)
    with pytest.raises(PlanError, match="overlap"):
        verify_plan(replace(plan, buffers=(first, shifted, *rest)))


def test_a_result_overwritten_before_it_is_read_is_caught(models_dir: Path) -> None:
    """The skip connection's tensor moved under a tensor that is written while it waits."""
    plan = plan_of(models_dir, "pretrainedResnet_quant")
    add = next(step.op for step in plan.steps if step.op.kind == "ADD")
    waiting = min(add.inputs)
    between = next(s.op for s in plan.steps if s.op.outputs[0] not in add.inputs and waiting in s.op.inputs)
    with pytest.raises(PlanError):
        verify_plan(moved(plan, waiting, plan.addresses[between.outputs[0]]))
