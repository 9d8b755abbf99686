"""Rows that flow through layers: the same results from less memory, also of every inner tensor."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.names import Goal
from mcugen.ops.base import Target
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import Plan, make_plan, planner
from mcugen.runtimes.aot.plan.pipelines import MORE_ARENA
from mcugen.runtimes.aot.plan.work import work_of
from tests.kernels.single_op import make_samples
from tests.models import both, model_bytes
from tests.plan.test_overlay import TARGETS, assert_equal_to_oracle

DSP = Target("cortex-m4", ("dsp",))

ZOO = {
    "mobilenet_v1": (7_400, 2_400),
    "mobilenet_v2": (5_000, 4_300),
    "resnet": (3_600, 3_600),
    "ds_cnn": (2_100, 2_100),
}
REAL = {"vww_96_int8": (29_000, 13_900), "pretrainedResnet_quant": (17_000, 17_000), "kws_ref_model": (5_500, 5_200)}
ARENAS = {**ZOO, **REAL}
"""Bytes that the smallest arenas take at most, with the input in the arena and with rows brought by the caller."""


def cycles(plan: Plan) -> float:
    return sum(work_of(plan.graph, step) for step in plan.steps)


def plan_of(name: str, target: Target = DSP, pushed: bool = False) -> Plan:
    return make_plan(optimize(read_graph(model_bytes(name))), target, "ram", pushed)


@pytest.mark.parametrize("pushed", [False, True])
@pytest.mark.parametrize("name", both(ZOO, REAL))
def test_models_give_the_same_from_less_memory(name: str, pushed: bool) -> None:
    plan = plan_of(name, pushed=pushed)
    assert plan.pipelines or not pushed
    assert_equal_to_oracle(model_bytes(name), plan)
    assert plan.arena_bytes <= ARENAS[name][pushed] * MORE_ARENA


def roomy(name: str, goal: Goal = "balanced", *, whole: bool = False) -> Plan:
    return make_plan(optimize(read_graph(model_bytes(name))), DSP, goal, whole=whole)


@pytest.mark.parametrize("name", both((), ("pretrainedResnet_quant",)))
def test_pipelines_leave_room_for_faster_kernels_in_the_same_arena(name: str) -> None:
    usual, plan = roomy(name, whole=True), roomy(name)
    assert plan.pipelines
    assert not usual.pipelines
    assert plan.arena_bytes <= usual.arena_bytes
    assert cycles(plan) < cycles(usual) * 0.85
    assert_equal_to_oracle(model_bytes(name), plan)


def test_a_small_model_does_not_pay_for_pipelines_in_flash(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = roomy("resnet", whole=True)
    assert not roomy("resnet").pipelines
    monkeypatch.setattr(planner, "_room_for_code", lambda _plan: 1 << 20)
    plan = roomy("resnet")
    assert plan.pipelines
    assert plan.arena_bytes <= usual.arena_bytes
    assert cycles(plan) < cycles(usual) * 0.98
    assert_equal_to_oracle(model_bytes("resnet"), plan)
    assert not roomy("resnet", "size").pipelines
    monkeypatch.setattr(planner, "weights_of", lambda _graph, _op: (b"the same",))
    assert not roomy("resnet").pipelines, "rounds of a loop are lost beside pipelines"


@pytest.mark.parametrize("name", ["ds_cnn", "mobilenet_v1"])
def test_models_whose_kernels_have_room_stay_as_they_are(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "row_search", lambda *_, **__: pytest.fail("no pipelines are worth looking for"))
    assert not roomy(name).pipelines


@pytest.mark.parametrize("pushed", [False, True])
@pytest.mark.parametrize("name", both(ZOO, REAL))
def test_a_limit_that_cannot_be_kept_leads_to_the_smallest_arena(name: str, pushed: bool) -> None:
    graph = optimize(read_graph(model_bytes(name)))
    smallest = make_plan(graph, DSP, pushed=pushed, arena_limit=1)
    assert smallest.arena_bytes <= ARENAS[name][pushed]
    usual = plan_of(name, pushed=pushed)
    assert smallest.arena_bytes <= usual.arena_bytes
    assert cycles(usual) <= cycles(smallest)


@pytest.mark.parametrize("pushed", [False, True])
@pytest.mark.parametrize("target", ["portable", "mla"])
@pytest.mark.parametrize("name", ["mobilenet_v1", "resnet"])
def test_kernels_of_other_cores_make_stripes_as_well(name: str, target: str, pushed: bool) -> None:
    assert_equal_to_oracle(model_bytes(name), plan_of(name, TARGETS[target], pushed))


@pytest.mark.parametrize("pushed", [False, True])
@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "resnet"])
def test_every_inner_tensor_is_put_together_from_its_rows(name: str, pushed: bool) -> None:
    graph = optimize(read_graph(model_bytes(name)))
    sample = make_samples(model_bytes(name), 1)[0]
    with HostModel(make_plan(graph)) as whole, HostModel(make_plan(graph, DSP, "ram", pushed)) as in_rows:
        wanted, got = dict(whole.layers(sample)), dict(in_rows.layers(sample))
    assert list(got) == list(wanted)
    for op, values in wanted.items():
        np.testing.assert_array_equal(got[op], values)


def test_rows_of_an_inference_that_is_not_complete_are_forgotten() -> None:
    model = model_bytes("mobilenet_v1")
    plan = plan_of("mobilenet_v1", pushed=True)
    sample = make_samples(model, 1)[0]
    with HostModel(plan) as host:
        [wanted] = host.run(sample)
        host._library.mcg_model_row_buffer()
        assert host._library.mcg_model_push_row() == 0
        host.reset()
        [got] = host.run(sample)
    np.testing.assert_array_equal(got, wanted)
