"""Convolutions with a single window, as models of streams have, run by kernels without loops over windows."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.ops.base import Target
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
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


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("channels", [8, 6])
def test_depthwise_convolution_of_one_window(target: str, channels: int) -> None:
    rng = np.random.default_rng(channels)
    x = TensorSpec((1, 9, 2, channels), "int8", 0.05, 17)
    bias = constant(rng.integers(-3000, 3000, channels).astype(np.int32), 1e-3)
    y = TensorSpec((1, 1, 1, channels), "int8", 0.08, -9)
    chosen = options("DepthwiseConv2DOptions", padding=1, strideW=1, strideH=1, depthMultiplier=1)
    model = build_model("DEPTHWISE_CONV_2D", chosen, [x, filters(rng, (1, 9, 2, channels), 3), bias], [y])
    assert_bit_exact(model, target=TARGETS[target])
    fast = target == "dsp" and channels % 4 == 0
    assert kernels(model, TARGETS[target]) == ["mcg_depthwise_single_s8" + ("_dsp" if fast else "")]
