"""Random networks in pipelines of any kind give what the oracle gives."""

from __future__ import annotations

import os

import pytest

from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from tests.plan.random_rows import flowing_plan, random_network
from tests.plan.test_overlay import TARGETS, assert_equal_to_oracle

CASES = int(os.environ.get("MCUGEN_CONFORMANCE_CASES", "6"))


@pytest.mark.parametrize("seed", range(CASES))
@pytest.mark.parametrize("target", TARGETS)
def test_random_networks_in_random_pipelines_are_exact(seed: int, target: str) -> None:
    model = random_network(seed)
    plan = flowing_plan(optimize(read_graph(model)), TARGETS[target], seed)
    if plan is not None:
        assert plan.pipelines
        assert_equal_to_oracle(model, plan)


@pytest.mark.parametrize("seed", range(CASES))
def test_rows_that_are_pushed_make_no_difference(seed: int) -> None:
    model = random_network(seed)
    plan = flowing_plan(optimize(read_graph(model)), TARGETS["dsp"], seed, pushed=True)
    if plan is not None:
        assert plan.pushed is not None
        assert_equal_to_oracle(model, plan)


def test_most_random_networks_have_pipelines() -> None:
    plans = [flowing_plan(optimize(read_graph(random_network(seed))), TARGETS["dsp"], seed) for seed in range(12)]
    assert sum(plan is not None for plan in plans) >= 10
