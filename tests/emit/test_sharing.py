"""Layers share functions of the emitted C where it pays, and compute the same as before."""

from __future__ import annotations

import re

import numpy as np
import pytest

from mcugen.names import GOALS, Goal
from mcugen.ops.base import Target
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.emit.sharing import shared_functions
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import Plan, make_plan
from tests.kernels.single_op import Node, TensorSpec, build_graph, make_samples, options, oracle
from tests.models import both, model_bytes

REAL = ("kws_ref_model", "vww_96_int8", "pretrainedResnet_quant", "ad01_int8", "micro_speech_quantized")
DS_CNN = both(["ds_cnn"], ["kws_ref_model"])
"""Four equal pairs of a depthwise and a 1×1 convolution."""
MOBILENET = both(["mobilenet_v1"], ["vww_96_int8"])
"""13 depthwise layers, nearly all of shapes of their own."""


def plan_of(name: str, goal: Goal) -> Plan:
    return make_plan(optimize(read_graph(model_bytes(name), name)), goal=goal)


def assert_equal_to_oracle(model: bytes, goal: Goal) -> Plan:
    plan = make_plan(optimize(read_graph(model)), goal=goal)
    samples = make_samples(model, 2)
    with HostModel(plan) as host:
        for sample, wanted in zip(samples, oracle(model, samples), strict=True):
            for got, want in zip(host.run(sample), wanted, strict=True):
                np.testing.assert_array_equal(got, want)
    return plan


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("name", both(["ds_cnn", "lstm", "mobilenet_v1", "resnet", "transformer", "wake_word"], REAL))
def test_every_goal_gives_the_same_results(name: str, goal: Goal) -> None:
    assert_equal_to_oracle(model_bytes(name), goal)


@pytest.mark.parametrize("name", DS_CNN)
def test_equal_layers_share_one_copy_of_their_kernel(name: str) -> None:
    plan = plan_of(name, "speed")
    places = {function.kernel: function.places for function in shared_functions(plan)}
    assert places["mcg_depthwise_conv_2d_s8"] == ((1, 0), (3, 0), (5, 0), (7, 0))
    assert places["mcg_conv_direct_s8"] == ((2, 0), (4, 0), (6, 0), (8, 0))
    text = emit_model(plan)["mcg_model.c"]
    assert len(re.findall(r"^  mcg_depthwise_conv_2d_s8\(", text, re.MULTILINE)) == 1


@pytest.mark.parametrize(("goal", "copies"), [("speed", 3), ("size", 1)])
@pytest.mark.parametrize("name", MOBILENET)
def test_many_shapes_do_not_make_many_copies(name: str, goal: Goal, copies: int) -> None:
    text = emit_model(plan_of(name, goal))["mcg_model.c"]
    assert len(re.findall(r"^  mcg_depthwise_conv_2d_s8\(", text, re.MULTILINE)) == copies


@pytest.mark.parametrize("name", MOBILENET)
def test_the_layers_that_work_most_keep_a_copy_of_their_own(name: str) -> None:
    plan = plan_of(name, "speed")
    shared = {place for function in shared_functions(plan) for place in function.places}
    layers = [(n, step) for n, step in enumerate(plan.steps) if step.op.kind == "DEPTHWISE_CONV_2D"]
    layers.sort(key=lambda layer: -layer[1].macs)
    assert [(n, 0) in shared for n, _ in layers] == [False, False] + [True] * 11


@pytest.mark.parametrize("goal", ["speed", "size"])
def test_parameters_of_every_form_are_passed(goal: Goal) -> None:
    """Sums over several shapes, with and without broadcasting: their parameters hold arrays."""
    rng = np.random.default_rng(3)
    x = TensorSpec((1, 3, 4, 2), scale=0.1, zero_point=3, name="x")
    last, nodes = x, []
    for n, shape in enumerate([(1, 1, 1, 2), (1, 3, 4, 2), (1, 3, 1, 1), (1, 1, 1, 1), (1, 1, 4, 2)]):
        operand = TensorSpec(
            shape, scale=0.05 * (n + 1), zero_point=n, data=rng.integers(-128, 128, shape).astype(np.int8)
        )
        made = TensorSpec(x.shape, scale=0.2 + 0.01 * n, zero_point=-n, name=f"y{n}")
        nodes.append(Node("ADD", options("AddOptions"), [last, operand], [made]))
        last = made
    plan = assert_equal_to_oracle(build_graph(nodes, [last]), goal)
    shared = shared_functions(plan)
    assert [len(function.places) for function in shared] == ([5] if goal == "size" else [3])


def test_calls_with_other_types_share_nothing() -> None:
    """QUANTIZE and DEQUANTIZE have kernels by type; copies of different shapes with the same kernel do share."""
    x = TensorSpec((1, 4, 4, 2), scale=0.1, zero_point=3, name="x")
    y = TensorSpec((1, 4, 4, 2), "float32", name="y")
    model = build_graph([Node("DEQUANTIZE", None, [x], [y])], [y])
    assert shared_functions(assert_equal_to_oracle(model, "size")) == []


@pytest.mark.parametrize("name", DS_CNN)
def test_equal_parameters_are_written_once(name: str) -> None:
    """The DSP kernel of the depthwise layers is one function in any case."""
    graph = optimize(read_graph(model_bytes(name)))
    text = emit_model(make_plan(graph, Target("cortex-m4", ("dsp",))))["mcg_model.c"]
    assert "/* The same for ops 1, 3, 5, 7. */" in text
    assert len(re.findall(r"static const mcg_depthwise_conv_2d_s8_dsp_params ", text)) == 1


@pytest.mark.parametrize("name", DS_CNN)
def test_for_size_kernels_that_do_little_are_portable(name: str) -> None:
    graph = optimize(read_graph(model_bytes(name)))
    plan = make_plan(graph, Target("cortex-m4", ("dsp",)), "size")
    by_kind = {step.op.kind: step for step in plan.steps}
    assert by_kind["CONV_2D"].variant == "dsp"
    assert by_kind["FULLY_CONNECTED"].variant == "portable"
    assert "when optimizing for size" in by_kind["FULLY_CONNECTED"].why_not_faster
