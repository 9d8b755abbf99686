"""The search for pipelines against all there are, on networks so small that each can be tried."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mcugen.errors import ModelError
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from mcugen.runtimes.aot.plan.pipelines import Search
from mcugen.runtimes.aot.plan.planner import row_search
from mcugen.runtimes.aot.plan.turns import Span
from tests.models import model_bytes
from tests.plan.random_rows import random_network
from tests.plan.test_overlay import TARGETS


def search_of(seed: int, *, pushed: bool = False) -> Search:
    search = row_search(optimize(read_graph(random_network(seed))), TARGETS["dsp"], "ram", pushed=pushed)
    assert search is not None
    return search


def partitions(search: Search, last: int) -> Iterator[list[Span]]:
    """All ways to cut the steps up to `last` into pipelines and single steps."""
    if last < 0:
        yield []
        return
    for first in search.firsts(last):
        for rest in partitions(search, first - 1):
            yield [*rest, Span(first, last)]


def need(search: Search, parts: list[Span]) -> int:
    return max(search._need(part.first, part.last) for part in parts)


def work(search: Search, parts: list[Span]) -> float:
    return sum(search._work(part.first, part.last) for part in parts)


@pytest.mark.parametrize("pushed", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_no_other_pipelines_need_less_or_do_less(seed: int, pushed: bool) -> None:
    search = search_of(seed, pushed=pushed)
    possible = list(partitions(search, search.count - 1))
    assert len(possible) > 1
    least = min(need(search, parts) for parts in possible)
    most = max(n for parts in possible if (n := need(search, parts)) < 1 << 40)
    for budget in (0, (least + most) // 2, most):
        found = search._spans(budget)
        singles = [Span(n, n) for n in range(search.count) if not any(n in span for span in found)]
        allowed = max(budget, least)
        assert need(search, [*found, *singles]) <= allowed
        assert work(search, found) == min(work(search, p) for p in possible if need(search, p) <= allowed)


@pytest.mark.parametrize("name", ["ds_cnn", "resnet"])
def test_a_budget_is_kept(name: str) -> None:
    graph = optimize(read_graph(model_bytes(name)))
    smallest = make_plan(graph, TARGETS["dsp"], "ram").arena_bytes
    usual = make_plan(graph, TARGETS["dsp"]).arena_bytes
    for limit in (smallest, (smallest + usual) // 2, usual):
        plan = make_plan(graph, TARGETS["dsp"], arena_limit=limit)
        assert plan.arena_bytes <= limit
        assert plan.arena_limit == limit
    assert make_plan(graph, TARGETS["dsp"], arena_limit=usual).pipelines == ()


def test_what_cannot_go_row_by_row_is_refused() -> None:
    graph = optimize(read_graph(model_bytes("autoencoder")))
    with pytest.raises(ModelError, match="its input cannot go row by row"):
        make_plan(graph, TARGETS["dsp"], pushed=True)
