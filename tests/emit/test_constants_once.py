"""Weights that several ops share, as in unrolled recurrent networks, are in flash once, and counted once."""

from __future__ import annotations

import re

import numpy as np
import pytest

from mcugen.builder.blame import heaviest_layers
from mcugen.ops.base import Target
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import Plan, make_plan
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, constant, options

STEPS = 6
TARGETS = {"portable": Target(), "dsp": Target("cortex-m4", ("dsp",)), "mve": Target("cortex-m55", ("mve",))}


def unrolled(copies: bool) -> bytes:
    """h = relu(W·h + b), six times. `copies`: the file holds W and b once per step, as some converters write them."""
    rng = np.random.default_rng(6)
    weights, bias = rng.integers(-60, 60, (32, 32)).astype(np.int8), rng.integers(-500, 500, 32).astype(np.int32)
    w, b = constant(weights, 0.01), constant(bias, 0.001)
    state = [TensorSpec((1, 32), "int8", 0.1, -128, name=f"h{n}") for n in range(STEPS + 1)]
    nodes = []
    for n in range(STEPS):
        if copies:
            w, b = constant(weights, 0.01), constant(bias, 0.001)
        chosen = options("FullyConnectedOptions", fusedActivationFunction=1)
        nodes.append(Node("FULLY_CONNECTED", chosen, [state[n], w, b], [state[n + 1]]))
    return build_graph(nodes, [state[-1]])


def plan_of(model: bytes, target: Target) -> Plan:
    return make_plan(optimize(read_graph(model)), target)


@pytest.mark.parametrize("copies", [False, True])
@pytest.mark.parametrize("target", TARGETS)
def test_equal_arrays_are_emitted_and_counted_once(target: str, copies: bool) -> None:
    model = unrolled(copies)
    plan = plan_of(model, TARGETS[target])
    text = emit_model(plan)["mcg_model.c"]
    weights = re.findall(r"(mcg_const_\w+)\[(?:1024|256)\]", text)
    assert len(weights) == 1, "W is there once, whatever order the kernel wants it in"
    assert len(re.findall(rf"\b{weights[0]}\b", text)) == 1 + 1, "one function runs all steps"
    one = sum(plan.constants_by_step()[0])
    assert 32 * 32 < one <= sum(plan.constant_sizes()) < one + STEPS * 32, "what is left is smaller than 32 bytes each"
    assert sum(weight.bytes for weight in heaviest_layers(plan)) == sum(plan.constant_sizes())
    if target == "portable":
        assert_bit_exact(model, optimized=True)


def test_different_arrays_of_one_shape_are_apart() -> None:
    """Different values of one shape."""
    rng = np.random.default_rng(7)
    x, y, z = (TensorSpec((1, 8), "int8", 0.1, 0, name=name) for name in "xyz")
    raw = rng.integers(0, 40, (8, 8)).astype(np.int8)
    first = constant(raw, 0.01)
    second = constant(raw[:1].repeat(8, axis=0), 0.01)
    chosen = options("FullyConnectedOptions")
    model = build_graph(
        [Node("FULLY_CONNECTED", chosen, [x, first], [y]), Node("FULLY_CONNECTED", chosen, [y, second], [z])], [z]
    )
    text = emit_model(plan_of(model, Target()))["mcg_model.c"]
    assert len(re.findall(r"mcg_const_\w+\[64\]", text)) == 2
    assert_bit_exact(model, optimized=True)
