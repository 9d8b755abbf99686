"""Plans of whole models reach the bound; wrong plans are caught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcugen.boards.shipped import load_board
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import Plan, make_plan, verify_plan
from mcugen.runtimes.aot.plan.verify import PlanError
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, constant, options
from tests.models import both, model_bytes

ZOO_LIMITS = {
    "autoencoder": 192,
    "ds_cnn": 3_120,
    "lstm": 344,
    "mobilenet_v1": 10_368,
    "mobilenet_v2": 15_360,
    "resnet": 6_144,
    "svdf": 840,
    "u_net": 9_216,
}
REAL_LIMITS = {
    "kws_ref_model": 16_640,
    "vww_96_int8": 55_808,
    "pretrainedResnet_quant": 50_176,
    "ad01_int8": 1_024,
}
ARENA_LIMITS = {**ZOO_LIMITS, **REAL_LIMITS}
MACS = {
    "autoencoder": 16_896,
    "ds_cnn": 268_608,
    "lstm": 14 * 12 * 4 * (10 + 12) + 1_680,
    "mobilenet_v1": 375_451,  # of 658,656: channels that never change are dropped
    "mobilenet_v2": 644_880,
    "resnet": 809_280,
    "svdf": 2_056,
    "u_net": 698_880,
}
REAL_MACS = {
    "kws_ref_model": 2_656_768,
    "vww_96_int8": 3_727_313,  # of 7,489,664: channels that never change are dropped
    "pretrainedResnet_quant": 12_501_632,
    "ad01_int8": 264_192,
}


def plan_of(name: str) -> Plan:
    return make_plan(optimize(read_graph(model_bytes(name), name)))


@pytest.mark.parametrize("board", ["microbit", "mps2-an385", "mps2-an386", "mps2-an505", "mps3-an547"])
@pytest.mark.parametrize("name", both(ZOO_LIMITS, REAL_LIMITS))
def test_the_arena_stays_at_the_live_tensor_bound_or_below(name: str, board: str) -> None:
    graph = optimize(read_graph(model_bytes(name), name))
    assert make_plan(graph, load_board(board).target()).arena_bytes <= ARENA_LIMITS[name]


@pytest.mark.parametrize("name", both(MACS, REAL_MACS))
def test_macs_are_those_of_the_architecture_without_dead_channels(name: str) -> None:
    assert plan_of(name).macs == {**MACS, **REAL_MACS}[name]


@pytest.mark.parametrize("name", both(["resnet", "wake_word"], ["pretrainedResnet_quant"]))
def test_planning_is_deterministic(name: str) -> None:
    assert plan_of(name).buffers == plan_of(name).buffers


def moved(plan: Plan, tensor: int, address: int) -> Plan:
    return replace(plan, addresses={**plan.addresses, tensor: address})


@pytest.mark.parametrize(
    ("name", "message"),
    [("autoencoder", 'FULLY_CONNECTED .* writes over its input "'), ("ds_cnn", r"buffers .* and .* overlap")],
)
def test_a_tensor_moved_onto_a_live_one_is_caught(name: str, message: str) -> None:
    plan = plan_of(name)
    op = plan.steps[1].op
    with pytest.raises(PlanError, match=message):
        verify_plan(moved(plan, op.outputs[0], plan.addresses[op.inputs[0]]))


def test_a_tensor_outside_the_arena_is_caught() -> None:
    plan = plan_of("ds_cnn")
    with pytest.raises(PlanError, match="outside the arena"):
        verify_plan(moved(plan, plan.graph.outputs[0], plan.arena_bytes - 4))


def test_overlapping_buffers_are_caught() -> None:
    plan = plan_of("ds_cnn")
    first, second, *rest = plan.buffers
    shifted = replace(second, offset=first.offset, first=first.first, last=first.last)
    with pytest.raises(PlanError, match="overlap"):
        verify_plan(replace(plan, buffers=(first, shifted, *rest)))


def test_a_result_overwritten_before_it_is_read_is_caught() -> None:
    """The skip connection's tensor waits where the other branch's result is put. Blocks are not asked."""
    plan = plan_of("resnet")
    add = next(step.op for step in plan.steps if step.op.kind == "ADD")
    waiting, late = sorted(add.inputs)
    with pytest.raises(PlanError, match=r'ADD .* reads "first/Conv2D", which was overwritten'):
        verify_plan(replace(moved(plan, late, plan.addresses[waiting]), buffers=()))


@pytest.mark.parametrize("begin", [0, 1])
def test_a_model_of_views_alone_runs_as_a_copy(begin: int) -> None:
    """Rows of an input, and a reshape of them: both are outputs, and nothing is computed."""
    shape = {"scale": 0.1, "zero_point": 3}
    x, rows, flat = TensorSpec((1, 4, 8), **shape), TensorSpec((1, 2, 8), **shape), TensorSpec((16,), **shape)
    bounds = [constant(np.array(v, np.int32)) for v in ([0, begin, 0], [1, begin + 2, 8], [1, 1, 1])]
    nodes = [
        Node("STRIDED_SLICE", options("StridedSliceOptions"), [x, *bounds], [rows]),
        Node("RESHAPE", None, [rows, constant(np.array([16], np.int32))], [flat]),
    ]
    for outputs, steps in (([rows], 1), ([flat], 1), ([rows, flat], 2)):
        model = build_graph(nodes, outputs)
        assert_bit_exact(model, optimized=True)
        assert len(make_plan(optimize(read_graph(model))).steps) == steps
