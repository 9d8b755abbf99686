"""A front end works in the arena where nothing else is alive between two inferences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcugen.ops.base import Target
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import Plan, make_plan
from mcugen.runtimes.aot.plan.front import with_front_room
from mcugen.runtimes.aot.plan.types import FrontRoom
from mcugen.runtimes.aot.plan.verify import verify_plan
from mcugen.runtimes.aot.plan.verify_rows import PlanError
from tests.models import model_bytes


@pytest.fixture(scope="module", params=["ds_cnn", "wake_word"])
def plan(request: pytest.FixtureRequest) -> Plan:
    return make_plan(optimize(read_graph(model_bytes(request.param))), Target())


def test_it_gets_what_is_free(plan: Plan) -> None:
    kept = [plan.graph.tensor(i) for i in plan.graph.inputs] + list(plan.graph.states)
    blocks = [(plan.addresses[t.id], plan.addresses[t.id] + t.nbytes) for t in kept]
    sizes = [size for size in range(8, plan.arena_bytes + 1, 8) if with_front_room(plan, size) is not None]
    assert sizes, "there is room"
    for size in (sizes[0], sizes[-1]):
        found = with_front_room(plan, size)
        assert found is not None
        assert found.front is not None
        verify_plan(found)
        assert found.arena_bytes == plan.arena_bytes
        begin, end = found.front.offset, found.front.offset + size
        assert all(end <= first or last <= begin for first, last in blocks)
    assert with_front_room(plan, plan.arena_bytes) is None, "beside an input there is never all of the arena"


def test_the_check_of_a_plan_finds_what_cannot_be(plan: Plan) -> None:
    given = plan.addresses[plan.graph.inputs[0]]
    for room, words in (
        (FrontRoom(given - given % 8, 16), "overlap"),
        (FrontRoom(plan.arena_bytes - plan.arena_bytes % 8, 16), "outside"),
        (FrontRoom(-8, 4), "outside"),
        (FrontRoom(4, 4), "not aligned"),
        *((FrontRoom(plan.addresses[t.id] // 8 * 8, t.nbytes), "overlap") for t in plan.graph.states),
    ):
        with pytest.raises(PlanError, match=words):
            verify_plan(replace(plan, front=room))
