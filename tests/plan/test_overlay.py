"""Outputs that follow behind their inputs: never too near, proved by plans that run, and arenas below the bound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcugen.graph import Graph
from mcugen.ops.base import Target
from mcugen.runtimes.aot.emit.host import HostModel
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import Plan, make_plan, verify_plan
from mcugen.runtimes.aot.plan.overlay import lead, overlay_call
from mcugen.runtimes.aot.plan.verify import PlanError, may_follow
from tests.kernels.single_op import Node, TensorSpec, build_graph, make_samples, options, oracle
from tests.kernels.weighted_models import conv_model, depthwise_model
from tests.models import both, model_bytes

TARGETS = {
    "portable": Target(),
    "mla": Target("cortex-m3", ("mla",)),
    "dsp": Target("cortex-m4", ("dsp",)),
}
M55 = Target("cortex-m55", ("mve", "dsp"))
ZOO_LIMITS = {"ds_cnn": 2_700, "mobilenet_v1": 7_600, "mobilenet_v2": 14_900, "resnet": 5_000}
REAL_LIMITS = {"kws_ref_model": 12_000, "vww_96_int8": 40_000, "pretrainedResnet_quant": 36_000}
ARENA_LIMITS = {**ZOO_LIMITS, **REAL_LIMITS}


def ram_plan(model: bytes, target: str = "portable") -> Plan:
    return make_plan(optimize(read_graph(model)), TARGETS[target], "ram")


def assert_equal_to_oracle(model: bytes, plan: Plan) -> None:
    samples = make_samples(model, 3)
    with HostModel(plan, flags=("-O2",)) as host:
        for sample, wanted in zip(samples, oracle(model, samples), strict=True):
            for got, want in zip(host.run(sample), wanted, strict=True):
                np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", both(ZOO_LIMITS, REAL_LIMITS))
def test_arenas_of_whole_models_lie_below_the_live_bound(name: str, target: str) -> None:
    model = model_bytes(name)
    plan = ram_plan(model, target)
    assert plan.arena_bytes <= ARENA_LIMITS[name] < plan.live_bound
    assert_equal_to_oracle(model, plan)


@pytest.mark.parametrize("name", both(["ds_cnn", "autoencoder"], ["kws_ref_model", "ad01_int8"]))
def test_kernels_are_told_where_memory_is_shared(name: str) -> None:
    """Fully connected layers need their whole input for every output: nothing follows behind there."""
    plan = make_plan(optimize(read_graph(model_bytes(name))), TARGETS["portable"])
    shares = name in ("ds_cnn", "kws_ref_model")
    assert ("#define MCG_RESTRICT" in emit_model(plan)["mcg_model.c"]) == shares
    assert (plan.arena_bytes < plan.live_bound) == shares


def random_layer(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    size = tuple(int(n) for n in rng.integers(4, 12, 2))
    channels = int(rng.integers(1, 9))
    image = (1, *size, channels)
    filters = tuple(int(n) for n in rng.integers(1, 4, 2))
    stride = tuple(int(n) for n in rng.integers(1, 4, 2))
    same = bool(rng.integers(2))
    kind = rng.integers(3)
    if kind == 0:
        return conv_model(image, (int(rng.integers(1, 12)), *filters), stride=stride, same=same)  # type: ignore[arg-type]
    if kind == 1:
        return depthwise_model(image, filters, stride=stride, same=same)  # type: ignore[arg-type]
    pool = options(
        "Pool2DOptions",
        padding=0 if same else 1,
        strideH=stride[0],
        strideW=stride[1],
        filterHeight=filters[0],
        filterWidth=filters[1],
    )
    spans = zip(size, filters, stride, strict=True)
    shape = [-(-n // s) if same else (n - f) // s + 1 for n, f, s in spans]
    x = TensorSpec(image, scale=0.1, zero_point=3)
    y = TensorSpec((1, *shape, channels), scale=0.1, zero_point=3)
    name = "AVERAGE_POOL_2D" if seed % 2 else "MAX_POOL_2D"
    return build_graph([Node(name, pool, [x], [y])], [y])


@pytest.mark.parametrize("name", both(ZOO_LIMITS, REAL_LIMITS))
def test_arenas_of_whole_models_on_a_core_with_mve(name: str) -> None:
    """No host runs these kernels: tests/kernels/test_mve_on_core.py proves them on the core."""
    plan = make_plan(optimize(read_graph(model_bytes(name))), M55, "ram")
    assert plan.arena_bytes <= ARENA_LIMITS[name] < plan.live_bound


@pytest.mark.parametrize("target", [Target(), M55], ids=["portable", "mve"])
@pytest.mark.parametrize("seed", range(60))
def test_the_lead_is_enough(seed: int, target: Target) -> None:
    graph = read_graph(random_layer(seed))
    [step] = make_plan(graph, target).steps
    assert overlay_call(graph, step) is not None
    assert may_follow(graph, step, lead(graph, step), 0)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("target", TARGETS)
def test_layers_over_their_own_input_are_exact(seed: int, target: str) -> None:
    model = random_layer(seed)
    plan = ram_plan(model, target)
    source, output = (graph_tensor_size(plan.graph, ids) for ids in (plan.graph.inputs, plan.graph.outputs))
    call = overlay_call(plan.graph, plan.steps[0])
    if call is not None:
        assert plan.arena_bytes <= source + output + call.scratch_bytes + 12
    assert_equal_to_oracle(model, plan)


def graph_tensor_size(graph: Graph, ids: tuple[int, ...]) -> int:
    return graph.tensor(ids[0]).nbytes


def test_one_pixel_of_input_less_is_a_conflict() -> None:
    graph = read_graph(conv_model((1, 6, 6, 4), (4, 1, 1)))
    [step] = make_plan(graph).steps
    assert lead(graph, step) == 4
    assert not may_follow(graph, step, 3, 0)


def test_copied_windows_may_be_written_over() -> None:
    """The kernel for MVE has copied a pixel, or the rows of a depthwise window, before it writes there."""
    pixels, rows = conv_model((1, 6, 6, 4), (4, 1, 1)), depthwise_model((1, 6, 6, 4), (3, 3))
    for model, further in ((pixels, 0), (rows, 6 * 4)):  # a row below the middle one is copied as well
        graph = read_graph(model)
        [step] = make_plan(graph, M55).steps
        assert lead(graph, step) == 0
        assert may_follow(graph, step, 0, further)
        assert not may_follow(graph, step, 0, further + 1)


def test_rows_that_are_not_kept_are_not_written_over() -> None:
    """Rows of a dilated window are copied again for the next windows."""
    graph = read_graph(depthwise_model((1, 8, 6, 4), (3, 3), dilation=(2, 1)))
    [step] = make_plan(graph, M55).steps
    assert lead(graph, step) == 3 * 6 * 4
    assert not may_follow(graph, step, 3 * 6 * 4 - 1, 0)


def test_a_growing_layer_starts_far_behind_its_input() -> None:
    """Every pixel grows from 4 to 8 bytes: the last one may not be reached before it is read."""
    graph = read_graph(conv_model((1, 5, 5, 4), (8, 1, 1)))
    [step] = make_plan(graph).steps
    assert lead(graph, step) == 25 * 8 - 24 * 4


def test_batches_and_groups_are_left_alone() -> None:
    for model in (conv_model((2, 6, 6, 4), (4, 3, 3)), conv_model((1, 6, 6, 4), (4, 3, 3), groups=2)):
        graph = read_graph(model)
        assert overlay_call(graph, make_plan(graph).steps[0]) is None


def test_an_output_too_near_to_its_input_is_caught() -> None:
    plan = make_plan(optimize(read_graph(model_bytes("ds_cnn"))), TARGETS["portable"])
    step = plan.steps[1]
    source, output = step.op.inputs[0], step.op.outputs[0]
    assert 0 < plan.addresses[source] - plan.addresses[output] < plan.graph.tensor(output).nbytes
    nearer = plan.addresses[output] + 64
    moved = {i: nearer if i == output else at for i, at in plan.addresses.items()}
    buffers = tuple(replace(b, offset=nearer) if b.tensors == (output,) else b for b in plan.buffers)
    with pytest.raises(PlanError, match=r"buffers .* and .* overlap"):
        verify_plan(replace(plan, addresses=moved, buffers=buffers))


@pytest.mark.parametrize("target", ["mla", "dsp"])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
def test_a_narrow_image_on_its_side_is_not_written_over(target: str, stride: tuple[int, int]) -> None:
    """All its rows are one stripe, of which four channels are written before the next ones are read."""
    for channels in (5, 6):
        model = depthwise_model((1, 16, 1, channels), (3, 1), stride=stride)
        assert_equal_to_oracle(model, ram_plan(model, target))


@pytest.mark.parametrize("target", ["mla", "dsp"])
def test_single_pixels_are_no_pieces_of_a_stripe(target: str) -> None:
    """A stripe's first four channels are written before its others are read, however small the windows."""
    model = depthwise_model((1, 5, 7, 6), (1, 1), stride=(1, 2))
    assert_equal_to_oracle(model, ram_plan(model, target))
