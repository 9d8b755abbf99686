"""Convolutions with a single window, as models of streams have, run by kernels without loops over windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcugen.ops.base import Target
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.cores import M4, M7, M55, Core, prove
from tests.kernels.single_op import TensorSpec, assert_bit_exact, build_model, constant, options

TARGETS = {"portable": Target(), "dsp": Target("cortex-m4", ("dsp",)), "mla": Target("cortex-m3", ("mla",))}


def kernels(model: bytes, target: Target) -> list[str]:
    return [call.kernel for step in make_plan(read_graph(model), target).steps for call in step.calls]


def filters(rng: np.random.Generator, shape: tuple[int, ...], axis: int) -> TensorSpec:
    scales = (10.0 ** rng.uniform(-3, -2, shape[axis])).astype(np.float32).tolist()
    return constant(rng.integers(-127, 128, shape).astype(np.int8), scales, [0] * shape[axis], axis)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", range(3))
def test_convolution_of_one_window_is_fully_connected(target: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width, depth, channels = (int(v) for v in (rng.integers(1, 6), rng.integers(1, 4), 5, rng.integers(1, 9)))
    x = TensorSpec((1 + seed, height, width, depth), "int8", 0.05, int(rng.integers(-128, 128)))
    bias = constant(rng.integers(-3000, 3000, channels).astype(np.int32), 1e-3)
    y = TensorSpec((1 + seed, 1, 1, channels), "int8", 0.1, int(rng.integers(-128, 128)))
    chosen = options("Conv2DOptions", padding=1, strideW=1, strideH=1, fusedActivationFunction=seed % 2)
    model = build_model("CONV_2D", chosen, [x, filters(rng, (channels, height, width, depth), 0), bias], [y])
    assert_bit_exact(model, target=TARGETS[target])
    if target == "portable":
        assert kernels(model, TARGETS[target]) == ["mcg_fully_connected_s8"]


def depthwise(
    rows: int, width: int, channels: int, *, zero_points: tuple[int, int] = (17, -9), clamp: int = 0
) -> bytes:
    """A depthwise convolution whose only window is the image."""
    rng = np.random.default_rng(channels + rows)
    x = TensorSpec((1, rows, width, channels), "int8", 0.05, zero_points[0])
    bias = constant(rng.integers(-3000, 3000, channels).astype(np.int32), 1e-3)
    y = TensorSpec((1, 1, 1, channels), "int8", 0.08, zero_points[1])
    chosen = options(
        "DepthwiseConv2DOptions",
        padding=1,
        strideW=1,
        strideH=1,
        depthMultiplier=1,
        fusedActivationFunction=clamp,
    )
    weights = filters(rng, (1, rows, width, channels), 3)
    return build_model("DEPTHWISE_CONV_2D", chosen, [x, weights, bias], [y])


@pytest.mark.emulator
@pytest.mark.parametrize(("core", "variant"), [(M4, "dsp"), (M7, "dsp"), (M55, "mve")], ids=["m4", "m7", "m55"])
def test_depthwise_windows_on_cores(core: Core, variant: str, tmp_path: Path) -> None:
    """Odd and even numbers of taps, one tap, channels that do not fill a vector, zero points at the limits."""
    sizes = [(1, 1, 16), (2, 1, 20), (3, 1, 64), (4, 3, 32), (17, 1, 16), (5, 1, 44)]
    models = [depthwise(*size, zero_points=zeros) for size in sizes for zeros in ((-128, 127), (127, -128), (3, 0))]
    plan = prove(models, core, tmp_path, samples=2)
    assert {call.kernel for step in plan.steps for call in step.calls} == {f"mcg_depthwise_single_s8_{variant}"}


def test_windows_whose_outputs_are_clamped_are_portable() -> None:
    model = depthwise(4, 1, 16, clamp=3)
    (call,) = make_plan(read_graph(model), M4.target).steps[0].calls
    assert call.kernel == "mcg_depthwise_single_s8"
    assert call.why_not_faster == "no DSP variant: its outputs are clamped or scaled up"
    assert_bit_exact(model, target=M4.target)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("channels", [8, 6])
def test_depthwise_convolution_of_one_window(target: str, channels: int) -> None:
    model = depthwise(9, 2, channels)
    assert_bit_exact(model, target=TARGETS[target])
    fast = target == "dsp" and channels % 4 == 0
    assert kernels(model, TARGETS[target]) == ["mcg_depthwise_single_s8" + ("_dsp" if fast else "")]
