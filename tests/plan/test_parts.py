"""Concatenations that are put together in place: right results, no copies, never more memory, wrong plans caught."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import Plan, make_plan, verify_plan
from mcugen.runtimes.aot.plan.verify import PlanError
from tests.kernels.single_op import Node, TensorSpec, build_graph, constant, options

SCALE = 0.05


def tensor(name: str, *shape: int) -> TensorSpec:
    return TensorSpec(shape, scale=SCALE, zero_point=2, name=name)


def convolution(rng: np.random.Generator, source: TensorSpec, result: TensorSpec) -> Node:
    """1×1, stride 1."""
    weights = rng.integers(-127, 128, (result.shape[-1], 1, 1, source.shape[-1])).astype(np.int8)
    return Node("CONV_2D", options("Conv2DOptions", strideW=1, strideH=1), [source, constant(weights, 0.01)], [result])


def reshape(source: TensorSpec, result: TensorSpec) -> Node:
    shape = constant(np.array(result.shape, np.int32), 0.0)
    return Node("RESHAPE", None, [source, shape], [result])


def concatenation(sources: list[TensorSpec], result: TensorSpec, axis: int) -> Node:
    return Node("CONCATENATION", options("ConcatenationOptions", axis=axis), sources, [result])


def heads(rng: np.random.Generator) -> bytes:
    """As a detector's: two convolutions, each reshaped to rows, put together and convolved again."""
    source, low, high = tensor("in", 1, 6, 6, 8), tensor("low", 1, 6, 6, 4), tensor("high", 1, 6, 6, 8)
    rows = [tensor("low rows", 1, 36, 4), tensor("high rows", 1, 72, 4)]
    together, again, result = tensor("all", 1, 108, 4), tensor("image", 1, 27, 4, 4), tensor("out", 1, 27, 4, 8)
    return build_graph(
        [
            convolution(rng, source, low),
            convolution(rng, source, high),
            reshape(low, rows[0]),
            reshape(high, rows[1]),
            concatenation(rows, together, 1),
            reshape(together, again),
            convolution(rng, again, result),
        ],
        [result],
    )


def plan_of(model: bytes) -> Plan:
    return make_plan(optimize(read_graph(model)))


def kinds(plan: Plan) -> list[str]:
    return [step.op.kind for step in plan.steps]


def check(model: bytes, plan: Plan, rng: np.random.Generator) -> None:
    """The host's C equals the oracle on random inputs."""
    from tflite_micro import runtime

    oracle = runtime.Interpreter.from_bytes(model)
    with HostModel(plan) as host:
        for _ in range(4):
            inputs = [rng.integers(-128, 128, t.shape).astype(np.int8) for t in plan.input_tensors()]
            for number, values in enumerate(inputs):
                oracle.set_input(values, number)
            oracle.invoke()
            wanted = [np.array(oracle.get_output(n)) for n in range(len(plan.graph.outputs))]
            got: list[NDArray[Any]] = host.run(inputs)
            for mine, theirs in zip(got, wanted, strict=True):
                np.testing.assert_array_equal(mine, theirs)


def test_reshaped_heads_are_computed_where_they_belong() -> None:
    rng = np.random.default_rng(1)
    model = heads(rng)
    plan = plan_of(model)
    assert kinds(plan) == ["CONV_2D"] * 3, "no copies are left"
    by_name = {plan.graph.tensor(i).name: address for i, address in plan.addresses.items()}
    assert by_name["high"] == by_name["low"] + 6 * 6 * 4 == by_name["all"] + 6 * 6 * 4
    check(model, plan, rng)


def test_a_plan_that_puts_the_parts_elsewhere_is_caught() -> None:
    plan = plan_of(heads(np.random.default_rng(1)))
    by_name = {plan.graph.tensor(i).name: i for i in plan.addresses}
    swapped = {**plan.addresses}
    swapped[by_name["all"]] = swapped[by_name["image"]] = plan.addresses[by_name["high"]]
    with pytest.raises(PlanError, match="overlap"):
        verify_plan(replace(plan, addresses=swapped, arena_bytes=plan.arena_bytes + 4096))


@pytest.mark.parametrize("axis", [1, 3])
def test_inner_axes_are_copied(axis: int) -> None:
    rng = np.random.default_rng(2)
    source = tensor("in", 1, 2, 4, 4)
    first, second = tensor("a", 1, 2, 4, 4), tensor("b", 1, 2, 4, 4)
    shape = [1, 2, 4, 4]
    shape[axis] *= 2
    result = tensor("out", *shape)
    model = build_graph(
        [
            convolution(rng, source, first),
            convolution(rng, source, second),
            concatenation([first, second], result, axis),
        ],
        [result],
    )
    plan = plan_of(model)
    assert ("CONCATENATION" in kinds(plan)) == (axis == 3), "axis 1 is the outermost that is not 1"
    check(model, plan, rng)


def test_what_has_a_place_of_its_own_is_copied() -> None:
    """An input of the model, a tensor that comes twice, and an output of the model."""
    rng = np.random.default_rng(3)
    source, first = tensor("in", 1, 2, 2, 4), tensor("a", 1, 2, 2, 4)
    for parts, outputs in (([source, first], []), ([first, first], []), ([first, first], [first])):
        result = tensor("out", 1, 4, 2, 4)
        model = build_graph([convolution(rng, source, first), concatenation(parts, result, 1)], [result, *outputs])
        plan = plan_of(model)
        assert "CONCATENATION" in kinds(plan)
        check(model, plan, rng)


def test_a_part_that_is_read_later_stays_whole() -> None:
    """The parts live on in the concatenation: an op in place over it waits for their last readers."""
    rng = np.random.default_rng(4)
    source, first, second = tensor("in", 1, 4, 4, 4), tensor("a", 1, 4, 4, 4), tensor("b", 1, 4, 4, 4)
    together, positive, again = tensor("all", 1, 8, 4, 4), tensor("relu", 1, 8, 4, 4), tensor("again", 1, 4, 4, 4)
    model = build_graph(
        [
            convolution(rng, source, first),
            convolution(rng, source, second),
            concatenation([first, second], together, 1),
            Node("LEAKY_RELU", options("LeakyReluOptions", alpha=0.25), [together], [positive]),
            Node("ADD", options("AddOptions"), [first, second], [again]),
        ],
        [positive, again],
    )
    plan = plan_of(model)
    check(model, plan, rng)


def test_it_is_left_out_where_it_would_take_memory() -> None:
    """The first part is small and early, the last one late and large: its place would be empty for long."""
    rng = np.random.default_rng(5)
    source, small = tensor("in", 1, 8, 8, 4), tensor("small", 1, 1, 1, 8)
    wide, wider, large = tensor("wide", 1, 8, 8, 32), tensor("wider", 1, 8, 8, 32), tensor("large", 1, 1, 256, 8)
    pooled = tensor("pool", 1, 1, 1, 4)
    flat, result = tensor("flat", 1, 1, 1, 2048), tensor("out", 1, 1, 257, 8)
    pool = options("Pool2DOptions", strideW=8, strideH=8, filterWidth=8, filterHeight=8)
    model = build_graph(
        [
            Node("AVERAGE_POOL_2D", pool, [source], [pooled]),
            convolution(rng, pooled, small),
            convolution(rng, source, wide),
            convolution(rng, wide, wider),
            reshape(wider, flat),
            reshape(flat, large),
            concatenation([small, large], result, 2),
        ],
        [result],
    )
    plan = plan_of(model)
    check(model, plan, rng)
    from mcugen.runtimes.aot.plan import planner
    from mcugen.runtimes.aot.plan.parts import Parts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner, "place_parts", lambda *_: Parts())
        assert plan.arena_bytes <= plan_of(model).arena_bytes
