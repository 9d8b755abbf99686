"""Two channels in one lane: the conditions under which that is exact, and the kernels against the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.ops.base import Constant, KernelCall, Target
from mcugen.ops.lanes import in_lanes
from mcugen.ops.params import integer
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels import cores
from tests.kernels.cores import join, prove
from tests.kernels.single_op import assert_bit_exact
from tests.kernels.test_pool_2d import pool_model
from tests.kernels.weighted_models import Quantized, conv_model, dense_model, distinct, random_weights

M4 = Target("cortex-m4", ("dsp",))


def paired_models() -> list[bytes]:
    """Odd and even numbers of channels, every rest of depth and of windows; extreme weights; sums that just fit."""
    models = [
        conv_model((1, 2, 3, depth), (channels, 1, 1), weights=_weights((channels, 1, 1, depth)))
        for depth, channels in ((1, 2), (3, 3), (4, 5), (7, 4), (10, 3), (12, 2), (16, 7), (18, 2), (33, 3))
    ]
    models += [
        conv_model((2, 3, 5, 4), (channels, 3, 3), weights=_weights((channels, 3, 3, 4))) for channels in (2, 3, 6)
    ]
    models.append(conv_model((2, 2, 1, 9), (3, 1, 1), weights=_weights((3, 1, 1, 9))))
    for zero in (-128, 127):
        quant = Quantized(input_zero=zero, output_zero=-128, activation="RELU")
        models.append(conv_model((1, 3, 3, 5), (4, 3, 3), weights=_weights((4, 3, 3, 5)), quant=quant))
    # Sums that are off by one are seen in the outputs.
    quant = Quantized(per_channel=False, bias=False, input_scale=0.5, weights_scale=0.01, output_scale=0.012)
    few = np.zeros((3, 1, 1, 516), np.int8)
    few[:, :, :, ::64] = [[[[1]]], [[[-1]]], [[[1]]]]
    models.append(conv_model((1, 2, 3, 516), (3, 1, 1), weights=few, quant=quant))
    models += [_extremes(first, second) for first in (-128, 127) for second in (-127, 127)]
    return models


def paired_dense_models() -> list[bytes]:
    """Every rest of depth and of channels, one row and two, extreme weights with sums that just fit."""
    models = [
        dense_model((1, depth), channels, depth, quant=Quantized(per_channel=per), weights=_weights((channels, depth)))
        for depth, channels, per in (
            *((1, 4, True), (4, 5, False), (7, 6, True), (12, 7, True), (30, 8, False)),
            *((33, 9, True), (37, 4, False), (64, 5, True), (71, 6, False)),
        )
    ]
    models += [dense_model((2, 36), n, 36, weights=_weights((n, 36)), quant=Quantized(gain=0.5)) for n in (4, 7)]
    fine = Quantized(per_channel=False, bias=False, input_scale=0.5, weights_scale=0.01, output_scale=0.012)
    few = np.zeros((6, 516), np.int8)
    few[:, ::64] = np.array([1, -1, 1, 1, -1, -1], np.int8)[:, None]
    models.append(dense_model((1, 516), 6, 516, quant=fine, weights=few))
    extreme = np.array([-128, 127, 127, -127], np.int8)[:, None].repeat(512, axis=1)
    wide = Quantized(per_channel=False, bias=False, input_zero=0, weights_scale=0.001, output_scale=0.00005 * 128 * 512)
    models.append(dense_model((1, 512), 4, 512, quant=wide, weights=extreme))
    return models


def _weights(shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Random ones without those that do not fit a lane."""
    return np.maximum(random_weights(shape, sum(shape)), -127)


def _extremes(first: int, second: int, depth: int = 512) -> bytes:
    """Two channels whose sums are the largest that there are, of a depth for which they just fit."""
    weights = np.array([first, second], np.int8).reshape(2, 1, 1, 1).repeat(depth, axis=3)
    quant = Quantized(bias=False, input_zero=0, weights_scale=0.001, output_scale=0.05 * 0.001 * 128 * depth)
    return conv_model((1, 2, 2, depth), (2, 1, 1), weights=weights, quant=quant)


def kernels(models: list[bytes]) -> set[str]:
    return {call.kernel for step in make_plan(read_graph(join(models)), M4).steps for call in step.calls}


def test_the_oracle_agrees() -> None:
    models = paired_models()
    assert kernels(models) == {"mcg_conv_direct_pairs_s8_dsp", "mcg_conv_2d_pairs_s8_dsp"}
    assert distinct(assert_bit_exact(join(models), target=M4)) > 100


def models_in_groups() -> list[bytes]:
    """Whole groups of windows and not, windows inside the image and at its borders, in rows of every length."""
    quant = Quantized(input_zero=-128, output_zero=-128, activation="RELU")
    kinds: tuple[tuple[int, tuple[int, int], dict[str, Any]], ...] = (
        (4, (3, 3), {}),
        (8, (3, 3), {}),
        (12, (3, 3), {"stride": (1, 2)}),
        (4, (2, 3), {"dilation": (1, 2)}),
        (3, (3, 3), {"stride": (2, 2)}),
        (1, (3, 4), {}),
        (8, (1, 1), {}),
        (8, (1, 1), {"stride": (2, 2)}),
        (6, (1, 1), {}),
    )
    images = ((5, 7), (4, 9), (6, 6), (3, 20), (1, 16), (9, 2))
    models = [pool_model("MAX_POOL_2D", (1, 100, 100, 4), (50, 50), stride=(50, 50), same=False)]  # makes room
    for n, (height, width) in enumerate(images):
        for depth, size, how in kinds:
            filters = (2 + n % 3, *size)
            models.append(conv_model((1 + n % 2, height, width, depth), filters, quant=quant, **how))
    return models


def test_groups_of_windows() -> None:
    model = join(models_in_groups())
    calls = [step.calls[0] for step in make_plan(read_graph(model), M4).steps]
    paired = [call for call in calls if call.kernel.endswith("_pairs_s8_dsp")]
    assert len(paired) > 40
    assert {integer(call, "window_groups") for call in paired} == {2, 4, 8}
    assert distinct(assert_bit_exact(model, target=M4)) > 100


@pytest.mark.emulator
def test_groups_of_windows_on_the_core(tmp_path: Path) -> None:
    prove(models_in_groups(), cores.M4, tmp_path)


def test_the_oracle_agrees_on_fully_connected_layers() -> None:
    models = paired_dense_models()
    assert kernels(models) == {"mcg_fully_connected_pairs_s8_dsp"}
    assert distinct(assert_bit_exact(join(models), target=M4)) > 60


def test_layers_of_few_channels_are_made_one_by_one() -> None:
    assert kernels([dense_model((1, 8), 3, 8, weights=_weights((3, 8)))]) == {"mcg_fully_connected_s8_dsp"}
    assert kernels([dense_model((1, 8), 4, 8, weights=_weights((4, 8)))]) == {"mcg_fully_connected_pairs_s8_dsp"}


def test_sums_beyond_24_bits_are_made_alone() -> None:
    assert kernels([_extremes(127, 127, 515)]) == {"mcg_conv_direct_pairs_s8_dsp"}
    assert kernels([_extremes(127, 127, 517)]) == {"mcg_conv_direct_s8_dsp"}
    assert_bit_exact(_extremes(127, 127, 517), target=M4)


def call(weights: list[list[int]], bias: list[int], fast: int = 1) -> KernelCall:
    channels = len(bias)
    return KernelCall(
        kernel="mcg_conv_direct_s8",
        params=(("fast", fast),),
        inputs=(0,),
        outputs=(1,),
        constants=(
            Constant("weights", np.array(weights, np.int8)),
            Constant("bias", np.array(bias, np.int32)),
            Constant("multiplier", np.arange(1, channels + 1, dtype=np.int32)),
            Constant("shift", np.arange(11, channels + 11).astype(np.int8)),
        ),
    )


def test_lanes_and_factors() -> None:
    made = in_lanes(call([[1, -2, 3, 4, 5], [-7, 8, -9, 10, 11], [0, 0, 0, 0, -1]], [100, -200, 300]))
    assert not isinstance(made, str)
    weights, factors = made
    lanes = weights.values.view(np.int16).reshape(2, 2, 4)
    assert lanes[0, 0].tolist() == [1 - 7 * 256, 3 - 9 * 256, -2 + 8 * 256, 4 + 10 * 256]
    assert lanes[0, 1].tolist() == [5 + 11 * 256, 0, 0, 0]
    assert lanes[1, 1].tolist() == [11 - 256, 0, 0, 0]  # the second channel again, with the third
    assert factors.values.tolist() == [
        [100, 100 - 256 * 200, 1, 2, 11 + 256 * 12],
        [-200, -200 + 256 * 300, 2, 3, 12 + 256 * 13],
    ]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (call([[1], [2]], [0, 0], fast=0), "clamped or scaled up"),
        (call([[1]], [0]), "one channel"),
        (call([[-1], [-128]], [0, 0]), "16 bits"),
        (call([[0], [127]], [0, (1 << 23) - 127 * 127]), "24 bits"),
        (call([[0], [-127]], [0, -(1 << 23) + 127 * 127]), "24 bits"),
        (call([[0], [127]], [0, -(1 << 23) + 127 * 128]), "24 bits"),
    ],
)
def test_what_does_not_fit(given: KernelCall, why: str) -> None:
    reason = in_lanes(given)
    assert isinstance(reason, str)
    assert why in reason


@pytest.mark.parametrize(
    "given",
    [
        call([[0], [-128]], [0, 0]),
        call([[0], [127]], [0, (1 << 23) - 127 * 127 - 1]),
        call([[0], [127]], [0, -(1 << 23) + 127 * 128 + 1]),
        call([[0], [-127]], [0, -(1 << 23) + 127 * 127 + 1]),
        call([[127], [0]], [1 << 29, 0]),  # a first channel may have any sum
    ],
)
def test_what_just_fits(given: KernelCall) -> None:
    assert not isinstance(in_lanes(given), str)
