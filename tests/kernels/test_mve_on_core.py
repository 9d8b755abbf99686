"""The MVE kernels against the oracle on an emulated Cortex-M55: shapes, quantizations, and random sizes."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcugen.graph import Graph
from mcugen.names import Goal
from mcugen.ops.base import KernelCall, Target
from mcugen.runtimes.aot.emit.model import emit_model
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan, verify_plan
from mcugen.runtimes.aot.plan.layout import aligned
from mcugen.runtimes.aot.plan.overlay import lead, overlay_call
from mcugen.runtimes.aot.plan.types import Buffer, Plan
from tests.kernels import cores, test_conv_2d, test_depthwise_conv_2d, test_pool_2d
from tests.kernels import test_fully_connected as dense
from tests.kernels.cores import M55, prove
from tests.kernels.single_op import TensorSpec, build_model, constant, options, oracle
from tests.kernels.test_mean import mean_models
from tests.kernels.weighted_models import Quantized, conv_model, dense_model, depthwise_model, tie_model

pytestmark = pytest.mark.emulator

KERNELS = "mcg_conv_2d_s8_mve", "mcg_conv_direct_s8_mve", "mcg_depthwise_conv_2d_s8_mve"


def calls(plan: Plan) -> list[KernelCall]:
    return [call for step in plan.steps for call in step.calls]


def all_mve(plan: Plan) -> None:
    slow = {f"{c.kernel}: {c.why_not_faster}" for c in calls(plan) if c.variant != "mve"}
    assert not slow


def without_pairs_of_lowest(model: bytes) -> bool:
    """Whether the depthwise kernel takes the model's weights."""
    (call,) = make_plan(read_graph(model), M55.target).steps[0].calls
    return call.variant == "mve"


def test_conv_shapes(tmp_path: Path) -> None:
    models = [conv_model(image, filters, **settings) for image, filters, settings in test_conv_2d.SHAPES.values()]
    plan = prove(models, M55, tmp_path)
    all_mve(plan)
    assert {call.kernel for call in calls(plan)} >= set(KERNELS)


def tightened(plan: Plan) -> Plan:
    """The plan of layers side by side, with every input as near behind its output as it may lie."""
    end, addresses, buffers = 0, {}, []
    for number, step in enumerate(plan.steps):
        assert overlay_call(plan.graph, step) is not None
        source, output = step.op.inputs[0], step.op.outputs[0]
        places = {output: end, source: end + aligned(lead(plan.graph, step))}
        for tensor, first, last in ((source, -1, number), (output, number, len(plan.steps))):
            size = plan.graph.tensor(tensor).nbytes
            buffers.append(Buffer(places[tensor], size, first, last, (tensor,)))
            end = max(end, aligned(places[tensor] + size))
        addresses.update(places)
    scratch = dict.fromkeys(plan.scratch, end)
    sizes = {number: max(call.scratch_bytes for call in plan.steps[number].calls) for number in scratch}
    buffers += [Buffer(end, size, number, number, ()) for number, size in sizes.items()]
    end += aligned(max(sizes.values()))
    return replace(plan, addresses=addresses, buffers=tuple(buffers), scratch=scratch, arena_bytes=end)


def test_outputs_over_their_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = (((3, 3), (1, 1)), ((3, 2), (2, 1)), ((1, 5), (1, 1)), ((3, 3), (2, 2)), ((1, 1), (1, 1)))
    models = []
    for size, stride in settings:
        for channels in (3, 8, 20):
            quant = Quantized(seed=channels)
            models.append(depthwise_model((1, 9, 7, channels), size, stride=stride, quant=quant))
            for filters in (channels - 1, channels, channels + 6):
                models.append(conv_model((1, 9, 7, channels), (filters, *size), stride=stride, quant=quant))
        for kind in test_pool_2d.KINDS:
            models.append(test_pool_2d.pool_model(kind, (1, 9, 7, 18), size, stride=stride))

    def make_tight_plan(graph: Graph, target: Target, goal: Goal) -> Plan:
        plan = tightened(make_plan(graph, target, goal))
        verify_plan(plan)
        return plan

    monkeypatch.setattr(cores, "make_plan", make_tight_plan)
    models = [model for model in models if without_pairs_of_lowest(model)]
    plan = prove(models, M55, tmp_path)
    all_mve(plan)
    assert {call.kernel for call in calls(plan)} >= {*KERNELS, "mcg_max_pool_2d_s8_mve", "mcg_average_pool_2d_s8_mve"}


def test_conv_one_column_wide(tmp_path: Path) -> None:
    """A signal along the height, whose windows are made as if it lay along the width."""
    models = [
        conv_model((1, 19, 1, 5), (6, 4, 1), stride=(2, 1)),
        conv_model((1, 19, 1, 16), (8, 9, 1)),
        conv_model((1, 12, 1, 3), (4, 3, 1), dilation=(2, 1)),
    ]
    all_mve(prove(models, M55, tmp_path))


def test_conv_depths_and_windows(tmp_path: Path) -> None:
    """Every rest of depth, channels and windows."""
    models = [conv_model((1, 2, 3, depth), (5, 1, 1)) for depth in (1, 2, 3, 4, 7, 15, 16, 17, 31, 32, 33, 48, 63)]
    models += [conv_model((1, 1, windows, 5), (channels, 1, 1)) for windows in range(1, 6) for channels in range(1, 9)]
    models += [conv_model((1, 1, windows, 3), (6, 1, 3)) for windows in range(1, 12)]
    all_mve(prove(models, M55, tmp_path))


@pytest.mark.parametrize("filters", [(6, 3, 3), (6, 1, 1)], ids=["3x3", "1x1"])
def test_conv_quantizations(filters: tuple[int, int, int], tmp_path: Path) -> None:
    models = [conv_model((1, 5, 4, 6), filters, quant=quant) for quant in test_conv_2d.QUANTIZATIONS.values()]
    all_mve(prove(models, M55, tmp_path))


def test_ties(tmp_path: Path) -> None:
    models = [
        tie_model(kind, scale, 0.5, per_channel=per_channel)
        for kind in ("CONV_2D", "FULLY_CONNECTED")
        for scale in (1.0, 0.3)
        for per_channel in (False, True)
    ]
    all_mve(prove(models, M55, tmp_path))


def test_depthwise_shapes(tmp_path: Path) -> None:
    models = [
        depthwise_model(image, filters, quant=Quantized(seed=seed), **settings)
        for image, filters, settings in test_depthwise_conv_2d.SHAPES.values()
        for seed in range(2)
    ]
    models = [model for model in models if without_pairs_of_lowest(model)]
    assert len(models) > len(test_depthwise_conv_2d.SHAPES)
    all_mve(prove(models, M55, tmp_path))


def test_depthwise_channels(tmp_path: Path) -> None:
    """Every number of channels up to two vectors and a bit, with windows that share a vector and without."""
    models = [
        depthwise_model((1, 3, 9, channels), (2, 3), stride=(1, stride), quant=Quantized(seed=channels))
        for channels in range(1, 36)
        for stride in (1, 2)
    ]
    models = [model for model in models if without_pairs_of_lowest(model)]
    assert len(models) > 40
    all_mve(prove(models, M55, tmp_path))


@pytest.mark.parametrize("channels", [7, 18])
def test_depthwise_quantizations(channels: int, tmp_path: Path) -> None:
    models = [
        depthwise_model((1, 5, 4, channels), (3, 3), quant=quant)
        for quant in test_depthwise_conv_2d.QUANTIZATIONS.values()
    ]
    prove(models, M55, tmp_path)


def test_depthwise_multipliers(tmp_path: Path) -> None:
    models = [
        depthwise_model((1, 4, 5, channels), (3, 2), multiplier=multiplier)
        for channels in (1, 2, 5, 9, 17)
        for multiplier in range(2, 11)
    ]
    all_mve(prove(models, M55, tmp_path))


def test_depthwise_refuses_sums_beyond_16_bits() -> None:
    """Two products of -128 and -128 are 2^15."""
    model = depthwise_model((1, 3, 3, 16), (3, 3))
    graph = read_graph(model)
    weights = graph.tensor(graph.ops[0].inputs[1]).data
    assert weights is not None
    weights = weights.copy()
    weights[0, 0, :2, 3] = -128
    object.__setattr__(graph.tensor(graph.ops[0].inputs[1]), "data", weights)
    (call,) = make_plan(graph, M55.target).steps[0].calls
    assert call.variant != "mve"
    assert "-128" in call.why_not_faster


def test_fully_connected(tmp_path: Path) -> None:
    models = [dense_model(source, channels, depth, **kw) for source, channels, depth, kw in dense.SHAPES.values()]
    models += [dense_model((3, 21), 6, 21, quant=quant) for quant in dense.QUANTIZATIONS.values()]
    models += [dense_model((rows, depth), 9, depth) for rows in (1, 2, 3) for depth in (15, 16, 17, 40)]
    all_mve(prove(models, M55, tmp_path))


@pytest.mark.parametrize("kind", test_pool_2d.KINDS)
def test_pools(kind: str, tmp_path: Path) -> None:
    models = [
        test_pool_2d.pool_model(kind, image, filters, **settings)
        for image, filters, settings in test_pool_2d.SHAPES.values()
    ]
    models += [test_pool_2d.pool_model(kind, (1, 4, 5, channels), (3, 2), same=True) for channels in (15, 16, 17, 35)]
    models += [test_pool_2d.pool_model(kind, (1, 64, 64, 1), (64, 64))]
    all_mve(prove(models, M55, tmp_path))


def test_average_pool_too_large() -> None:
    model = test_pool_2d.pool_model("AVERAGE_POOL_2D", (1, 65, 64, 1), (65, 64))
    (call,) = make_plan(read_graph(model), M55.target).steps[0].calls
    assert call.variant != "mve"
    assert "4096" in call.why_not_faster


PAIRS = [
    ((1, 3, 5, 4), (1, 3, 5, 4)),
    ((1, 3, 5, 7), (1, 1, 1, 7)),
    ((2, 3, 1, 3), (1, 3, 4, 3)),
    ((1, 1, 1, 1), (1, 3, 2, 5)),
    ((3, 4, 1), (3, 1, 5)),
    ((13,), (13,)),
    ((4, 8), (4, 8)),
]


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_arithmetic_of_pairs(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    models = []
    for first, second in PAIRS:
        for _ in range(3):
            scales = 10.0 ** rng.uniform(-2, 0, 3)
            zeros = rng.integers(-128, 128, 3).tolist()
            inputs = [TensorSpec(first, scale=scales[0], zero_point=zeros[0])]
            inputs.append(TensorSpec(second, scale=scales[1], zero_point=zeros[1]))
            output = TensorSpec(np.broadcast_shapes(first, second), scale=scales[2], zero_point=zeros[2])
            models.append(build_model(kind, options(f"{kind.title()}Options"), inputs, [output]))
    all_mve(prove(models, M55, tmp_path))


@pytest.mark.parametrize("kind", ["ADD", "MUL"])
def test_ties_of_pairs(kind: str, tmp_path: Path) -> None:
    """All pairs of bytes, with scales that make ties of negatives and with others, of which the kernel is told."""
    pairs = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128))
    given = [[pair.reshape(-1).astype(np.int8) for pair in pairs]]
    found = set()
    for number, scales in enumerate([(1.0, 0.5, 2.0), (0.31, 0.011, 0.07), (1.0, 1.0, 0.25)]):
        *inputs, output = (
            TensorSpec((1 << 16,), scale=scale, zero_point=zero) for scale, zero in zip(scales, (3, -4, 0), strict=True)
        )
        model = build_model(kind, options(f"{kind.title()}Options"), inputs, [output])
        folder = tmp_path / str(number)
        folder.mkdir()
        plan = cores.prove_samples(model, given, oracle(model, given), M55, folder)
        all_mve(plan)
        found.add(dict(plan.steps[0].calls[0].params)["ties"])
    assert found == {0, 1}


@pytest.mark.parametrize("kind", ["MAXIMUM", "MINIMUM"])
def test_extremes_of_pairs(kind: str, tmp_path: Path) -> None:
    models = []
    for shapes in PAIRS:
        specs = [TensorSpec(shape, scale=0.3, zero_point=-7) for shape in (*shapes, np.broadcast_shapes(*shapes))]
        models.append(build_model(kind, options("MaximumMinimumOptions"), specs[:2], specs[2:]))
    all_mve(prove(models, M55, tmp_path))


def test_means(tmp_path: Path) -> None:
    sizes = [((1, 7, 5, 18), (1, 2)), ((3, 4, 5), (0,)), ((2, 3, 4, 5), (0, 2)), ((2, 6, 3), (1,))]
    all_mve(prove(mean_models(sizes), M55, tmp_path))


def test_unusual_layers(tmp_path: Path) -> None:
    """Depth multipliers, 5×5, dilated and 1×N windows, odd channels: none is left to the portable kernels."""
    models = [
        depthwise_model((1, 4, 4, 3), (3, 3), multiplier=9),
        depthwise_model((1, 9, 8, 18), (5, 5), dilation=(2, 2), quant=Quantized(seed=1)),
        depthwise_model((1, 1, 300, 5), (1, 9), quant=Quantized(seed=2)),
        conv_model((1, 9, 8, 5), (7, 5, 5)),
        conv_model((1, 9, 8, 5), (7, 3, 3), dilation=(2, 3)),
        conv_model((1, 1, 30, 5), (7, 1, 9)),
        conv_model((1, 7, 9, 1), (5, 3, 4), stride=(1, 5)),
    ]
    all_mve(prove(models, M55, tmp_path))


def test_portable_layers_say_why() -> None:
    axis = constant(np.array([1], np.int32))
    source, output = (TensorSpec(shape, scale=0.5, zero_point=3) for shape in ((4, 6), (4, 1)))
    model = build_model("MEAN", options("ReducerOptions", keepDims=True), [source, axis], [output])
    (call,) = make_plan(read_graph(model), M55.target).steps[0].calls
    assert (call.variant, call.why_not_faster) == (
        "portable",
        "no MVE variant: the last axis is reduced; "
        "no DSP variant: it does not keep a multiple of 4 elements that lie side by side",
    )


@pytest.mark.parametrize("level", ["-O0", "-O1", "-Os", "-O3"])
def test_every_level_of_optimization_finds_registers(level: str, tmp_path: Path) -> None:
    """The assembly takes nearly all of them: with channels and depths that leave rests, in one firmware."""
    models = [conv_model((1, 6, 5, 19), (7, 3, 3)), conv_model((1, 6, 5, 19), (9, 1, 1))]
    models += [depthwise_model((1, 6, 5, channels), (3, 3), quant=Quantized(seed=channels)) for channels in (8, 19)]
    plan = make_plan(read_graph(cores.join(models)), M55.target)
    for path, text in emit_model(plan).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    source = str(tmp_path / "mcg_model.c")
    command = ["arm-none-eabi-gcc", "-std=c99", *M55.flags, "-mthumb", level, "-c", source, "-o", f"{source}.o"]
    made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert made.returncode == 0, made.stderr[-2000:]


def test_random_layers(tmp_path: Path) -> None:
    rng = np.random.default_rng(20)
    models = []
    for seed in range(24):
        height, width, channels, filters = (int(n) for n in rng.integers(1, (9, 9, 40, 40)))
        size = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
        stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        quant = Quantized(seed=seed, per_channel=bool(seed % 2), input_zero=int(rng.integers(-128, 128)))
        image = (1, height, width, channels)
        models.append(conv_model(image, (filters, *size), stride=stride, quant=quant))
        models.append(depthwise_model(image, size, stride=stride, quant=quant))
    prove(models, M55, tmp_path, seed=1)
