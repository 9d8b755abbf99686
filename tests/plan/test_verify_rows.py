"""Faults put into plans with pipelines: the check finds each, in its own words."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import Plan, make_plan, verify_plan
from mcugen.runtimes.aot.plan.planner import row_search
from mcugen.runtimes.aot.plan.turns import Span
from mcugen.runtimes.aot.plan.types import Ring, Run, Step, Stripes
from mcugen.runtimes.aot.plan.verify import PlanError
from tests.models import model_bytes
from tests.plan.random_rows import flowing_plan, random_network
from tests.plan.test_overlay import TARGETS


@pytest.fixture(scope="module", params=[False, True], ids=["whole", "pushed"])
def plan(request: pytest.FixtureRequest) -> Plan:
    graph = optimize(read_graph(model_bytes("mobilenet_v2")))
    return make_plan(graph, TARGETS["dsp"], "ram", request.param)


def with_ring(plan: Plan, ring: Ring, **changes: int) -> Plan:
    pipelines = tuple(
        replace(p, rings=tuple(replace(r, **changes) if r is ring else r for r in p.rings)) for p in plan.pipelines
    )
    return replace(plan, pipelines=pipelines)


def with_step(plan: Plan, number: int, step: Step) -> Plan:
    return replace(plan, steps=(*plan.steps[:number], step, *plan.steps[number + 1 :]))


def striped_steps(plan: Plan) -> list[tuple[int, Step, Stripes]]:
    return [(n, step, step.stripes) for n, step in enumerate(plan.steps) if step.stripes]


def rings_of_few_rows(plan: Plan) -> list[Ring]:
    return [r for p in plan.pipelines for r in p.rings if r.rows < plan.graph.tensor(r.tensor).shape[1]]


def test_plans_with_pipelines_are_right(plan: Plan) -> None:
    verify_plan(plan)
    assert len(rings_of_few_rows(plan)) > 1


def test_every_ring_needs_all_of_its_rows(plan: Plan) -> None:
    for ring in rings_of_few_rows(plan):
        with pytest.raises(PlanError, match=r"has no room for row|has a ring of 0 rows|misses row"):
            verify_plan(with_ring(plan, ring, rows=ring.rows - 1))


@pytest.mark.parametrize("change", ["pad", "stride", "span"])
def test_every_window_must_be_the_ops_own(plan: Plan, change: str) -> None:
    """A stripe that begins at another row is refused. One that waits for more or fewer rows is where that matters."""
    refused = 0
    for n, step, stripes in striped_steps(plan):
        firsts = range(0, plan.graph.output_of(step.op).shape[1], stripes.height)
        for by in (-1, 1):
            window = replace(stripes.window, **{change: getattr(stripes.window, change) + by})
            wrong = with_step(plan, n, replace(step, stripes=replace(stripes, window=window)))
            if any(window.first(row) != stripes.window.first(row) for row in firsts):
                with pytest.raises(PlanError, match=r"begins at row|misses row|has no room"):
                    verify_plan(wrong)
                refused += 1
            else:
                with contextlib.suppress(PlanError):
                    verify_plan(wrong)
                    continue
                refused += 1
    assert refused > 2


def test_every_stripe_needs_the_calls_of_its_own_shape(plan: Plan) -> None:
    found = 0
    for n, step, stripes in striped_steps(plan):
        if len(stripes.runs) < 2 or not {"input_height", "input_rows", "columns"} & dict(step.calls[0].params).keys():
            continue
        first, second, *others = stripes.runs
        runs = (Run(first.until, second.calls), Run(second.until, first.calls), *others)
        with pytest.raises(PlanError, match="a call for rows"):
            verify_plan(with_step(plan, n, replace(step, stripes=replace(stripes, runs=runs))))
        found += 1
    assert found


def test_every_row_is_made(plan: Plan) -> None:
    for n, step, stripes in striped_steps(plan):
        if stripes.count > 1:
            runs = (*stripes.runs[:-1], replace(stripes.runs[-1], until=stripes.count - 1))
            with pytest.raises(PlanError, match="stripes, which are not its rows"):
                verify_plan(with_step(plan, n, replace(step, stripes=replace(stripes, runs=runs))))


def test_no_stripe_is_made_outside_of_a_pipeline(plan: Plan) -> None:
    with pytest.raises(PlanError, match=r"outside of a pipeline|was overwritten|outside the arena"):
        verify_plan(replace(plan, pipelines=plan.pipelines[1:], pushed=None))


def test_all_steps_of_a_pipeline_make_stripes(plan: Plan) -> None:
    for n, step, _ in striped_steps(plan):
        with pytest.raises(PlanError, match="makes no stripes"):
            verify_plan(with_step(plan, n, replace(step, stripes=None)))


def test_every_tensor_has_a_ring(plan: Plan) -> None:
    for pipeline in plan.pipelines:
        for ring in pipeline.rings:
            rings = tuple(r for r in pipeline.rings if r is not ring)
            wrong = tuple(replace(p, rings=rings) if p is pipeline else p for p in plan.pipelines)
            with pytest.raises(PlanError, match=r"without a ring|waits for|stripes|outside the arena|misses"):
                verify_plan(replace(plan, pipelines=wrong))


@pytest.mark.parametrize("by", [-4, 4, 2])
def test_no_ring_lies_elsewhere(plan: Plan, by: int) -> None:
    """Moved by a word, a ring lies over something else or outside, unless there is a gap: then nothing is lost."""
    refused = 0
    for pipeline in plan.pipelines:
        for ring in pipeline.rings:
            addresses = {**plan.addresses, ring.tensor: plan.addresses[ring.tensor] + by}
            try:
                verify_plan(replace(plan, addresses=addresses))
            except PlanError:
                refused += 1
            else:
                assert by % 4 == 0
    assert refused > 1


def test_scratch_never_lies_over_rows(plan: Plan) -> None:
    """Wherever the scratch of a step is put, the check agrees with what the bytes are used for."""
    n, step, _ = next(found for found in striped_steps(plan) if found[1].scratch_bytes)
    source, output = (plan.addresses[i] for i in (step.op.inputs[0], step.op.outputs[0]))
    for at, words in ((source, "scratch overwrites its inputs"), (output, "writes over its scratch")):
        with pytest.raises(PlanError, match=words):
            verify_plan(replace(plan, scratch={**plan.scratch, n: at}))
    with pytest.raises(PlanError, match="lies outside the arena"):
        verify_plan(replace(plan, scratch={k: v for k, v in plan.scratch.items() if k != n}))


@pytest.fixture(scope="module")
def gathering() -> tuple[Plan, int, Step]:
    search = row_search(optimize(read_graph(model_bytes("ds_cnn"))), TARGETS["dsp"], "ram", pushed=False)
    assert search is not None
    ways = [next(search.ways(n), None) for n in range(search.count)]
    last = next(n for n, way in enumerate(ways) if way and way.stripes and way.stripes.gathers)
    span = Span(min(search.firsts(last)), last)
    plan = search.planned([span], {n: way for n, way in enumerate(ways) if way and n in span})
    n, step = next((n, step) for n, step, stripes in striped_steps(plan) if stripes.gathers)
    return plan, n, step


@pytest.mark.parametrize("name", ["pixels", "channels", "first", "last"])
def test_every_row_is_gathered_once(gathering: tuple[Plan, int, Step], name: str) -> None:
    plan, n, step = gathering
    verify_plan(plan)
    for k, one in enumerate(step.calls):
        params = tuple((key, value + 1 if key == name else value) for key, value in one.params)
        calls = (*step.calls[:k], replace(one, params=params), *step.calls[k + 1 :])
        with pytest.raises(PlanError, match="a call for rows that are gathered takes"):
            verify_plan(with_step(plan, n, replace(step, calls=calls)))


def test_rows_are_gathered_by_a_kernel_that_can(gathering: tuple[Plan, int, Step]) -> None:
    plan, n, step = gathering
    calls = tuple(replace(one, kernel="mcg_any") for one in step.calls)
    with pytest.raises(PlanError, match="gathers rows by a kernel that cannot"):
        verify_plan(with_step(plan, n, replace(step, calls=calls)))


def test_what_was_gathered_is_kept(gathering: tuple[Plan, int, Step]) -> None:
    """Over anything else that a pipeline writes meanwhile, sums would be lost, or it would."""
    plan, n, _ = gathering
    for i in {i for pipeline in plan.pipelines if pipeline.last == n for i in (r.tensor for r in pipeline.rings)}:
        with pytest.raises(PlanError, match=r"misses what it has gathered|misses row|scratch overwrites|outside"):
            verify_plan(replace(plan, scratch={**plan.scratch, n: plan.addresses[i]}))


def rows_of(plan: Plan, step: Step) -> int:
    """Rows that a step makes, or gathers."""
    gathers = step.stripes is not None and step.stripes.gathers
    return plan.graph.tensor(step.op.inputs[0] if gathers else step.op.outputs[0]).shape[1]


FAULTS: dict[str, Callable[[Plan], list[Plan]]] = {
    "rings": lambda plan: [with_ring(plan, ring, rows=ring.rows - 1) for ring in rings_of_few_rows(plan)],
    "heights": lambda plan: [
        with_step(plan, n, replace(step, stripes=replace(stripes, height=stripes.height + 1)))
        for n, step, stripes in striped_steps(plan)
        if rows_of(plan, step) > stripes.height
    ],
}


FOUND = {
    "rings": r"has a ring of \d+ rows|is gathered from \d+ rows, not from|has no room for row",
    "heights": r"makes \d+ stripes, which are not its rows|: a call for rows \d+ to \d+ |has no room for row",
}
"""By fault what it is found by."""


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("seed", range(8))
def test_faults_in_random_networks_are_found(seed: int, fault: str) -> None:
    plan = flowing_plan(optimize(read_graph(random_network(seed))), TARGETS["dsp"], seed)
    for wrong in FAULTS[fault](plan) if plan else []:
        with pytest.raises(PlanError, match=FOUND[fault]):
            verify_plan(wrong)
