"""The DSP kernels against the oracle on emulated cores: their instructions are the core's own, not said in C."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcugen.runtimes.aot.plan.types import Plan
from tests.kernels import test_conv_2d, test_depthwise_conv_2d, test_fully_connected, test_pool_2d
from tests.kernels.cores import M4, M7, M33, M55, Core, prove
from tests.kernels.test_dsp_host import products, sum_model
from tests.kernels.test_lanes import paired_dense_models, paired_models
from tests.kernels.weighted_models import Quantized, conv_model, dense_model, depthwise_model, tie_model

pytestmark = pytest.mark.emulator


def variants(plan: Plan) -> list[str]:
    return [call.variant for step in plan.steps for call in step.calls]


def test_conv_shapes(tmp_path: Path) -> None:
    models = [conv_model(image, filters, **settings) for image, filters, settings in test_conv_2d.SHAPES.values()]
    assert set(variants(prove(models, M4, tmp_path))) == {"dsp"}


def test_conv_depths_and_windows(tmp_path: Path) -> None:
    """Every entry into the unrolled loops, and every rest of depth and of windows."""
    models = [conv_model((1, 3, 3, depth), (3, 1, 1)) for depth in range(1, 20)]
    models += [conv_model((1, 1, windows, 8), (3, 1, 1)) for windows in range(1, 6)]
    models += [conv_model((1, 1, windows, 3), (3, 1, 3)) for windows in range(1, 6)]
    models += paired_models()
    assert set(variants(prove(models, M4, tmp_path))) == {"dsp"}


@pytest.mark.parametrize("filters", [(5, 3, 3), (5, 1, 1)], ids=["3x3", "1x1"])
def test_conv_quantizations(filters: tuple[int, int, int], tmp_path: Path) -> None:
    models = [conv_model((1, 5, 4, 6), filters, quant=quant) for quant in test_conv_2d.QUANTIZATIONS.values()]
    assert set(variants(prove(models, M4, tmp_path))) == {"dsp"}


def test_last_bit_of_the_multiplier_and_ties(tmp_path: Path) -> None:
    models = [
        tie_model(kind, scale, 0.0101, per_channel=per_channel)
        for kind in ("CONV_2D", "FULLY_CONNECTED")
        for scale in (0.05, 0.7001)
        for per_channel in (False, True)
    ]
    models.append(test_conv_2d.layer_of_biases([*range(-40, 40)], [0.25, 0.125, 0.375, 0.5 - 2**-20] * 20))
    models.append(test_conv_2d.layer_of_biases([(1 << 30) - 1, -(1 << 30) + 1, 5, 0] * 2, [1e-30] * 4 + [0.25] * 4))
    assert set(variants(prove(models, M4, tmp_path))) == {"dsp"}


def test_depthwise_shapes_and_quantizations(tmp_path: Path) -> None:
    models = [
        depthwise_model(image, filters, **settings)
        for image, filters, settings in test_depthwise_conv_2d.SHAPES.values()
    ]
    models += [
        depthwise_model((1, 5, 4, 7), (3, 3), quant=quant) for quant in test_depthwise_conv_2d.QUANTIZATIONS.values()
    ]
    assert set(variants(prove(models, M4, tmp_path))) == {"dsp"}


def test_depthwise_filters(tmp_path: Path) -> None:
    """Filters of every height, narrow ones and others, strides, and every rest of windows, along rows and columns."""
    models = []
    for taps in range(1, 6):
        for stride in (1, 2, 3):
            for size in (8, 9, 10, 11):
                models.append(depthwise_model((1, 6, size, 5), (2, taps), stride=(1, stride)))
            models.append(depthwise_model((1, 11, 6, 5), (taps, 2), stride=(stride, 1), same=False))
    # Three rows have a loop of their own.
    for taps in (1, 2, 3):
        for stride in (1, 2):
            for size in range(1, 10):
                relu = Quantized(activation="RELU", output_zero=-128) if size % 2 else Quantized()
                models.append(depthwise_model((1, 4, size, 5), (3, taps), stride=(1, stride), quant=relu))
    assert set(variants(prove(models, M4, tmp_path))) == {"dsp"}


def test_dense(tmp_path: Path) -> None:
    models = [
        dense_model(source, channels, depth, quant=Quantized(per_channel=per_channel), **settings)
        for per_channel in (False, True)
        for source, channels, depth, settings in test_fully_connected.SHAPES.values()
    ]
    models += [dense_model((1, depth), 9, depth) for depth in range(1, 20)]
    models += paired_dense_models()
    assert set(variants(prove(models, M4, tmp_path))) == {"dsp"}


def test_pools_and_sums(tmp_path: Path) -> None:
    models = [
        test_pool_2d.pool_model(kind, image, filters, **settings)
        for kind in test_pool_2d.KINDS
        for image, filters, settings in test_pool_2d.SHAPES.values()
    ]
    for first, second in ((0.1, 0.1), (0.1, 0.0999), (0.05, 0.1), (0.1, 1e-4)):
        models += [
            sum_model(first, second, output, kind=kind) for kind in ("ADD", "SUB") for output in (0.003, 0.2, 30.0)
        ]
    models += products()
    assert set(variants(prove(models, M4, tmp_path))) == {"dsp"}


def random_models(seed: int) -> list[bytes]:
    """Layers of random sizes: two convolutions, two depthwise ones, one fully connected."""
    rng = np.random.default_rng(5000 + seed)

    def draw(low: int, high: int) -> int:
        return int(rng.integers(low, high, endpoint=True))

    models = []
    for _ in range(2):
        quant = Quantized(
            per_channel=bool(rng.integers(2)),
            input_zero=draw(-128, 127),
            gain=0.5,
            seed=draw(0, 999),
            output_zero=int(rng.choice([-128, -127, 127, draw(-128, 127)])),
        )
        image = (draw(1, 2), draw(4, 12), draw(4, 12), draw(1, 20))
        stride, same = (draw(1, 3), draw(1, 3)), bool(rng.integers(2))
        filters = (draw(1, 4), draw(1, 4))
        models.append(conv_model(image, (draw(1, 12), *filters), stride=stride, same=same, quant=quant))
        models.append(depthwise_model(image, filters, stride=stride, same=same, quant=quant))
    depth = draw(1, 70)
    models.append(dense_model((draw(1, 4), depth), draw(1, 20), depth, quant=quant))
    return models


@pytest.mark.parametrize("core", [M4, M7, M33, M55], ids=lambda core: core.machine)
def test_random(core: Core, tmp_path: Path) -> None:
    models = [model for seed in range(5) for model in random_models(seed)]
    plan = prove(models, core, tmp_path)
    assert "portable" not in variants(plan)
