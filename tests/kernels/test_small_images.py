"""Convolutions of images smaller than their windows, by the kernels of every core."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcugen.ops.base import Target
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.conformance.draw import ints
from tests.conformance.suite import prove
from tests.conformance.weighted import VALID
from tests.kernels.cores import M3, M4, M55, Core, prove_samples
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, constant, options, oracle
from tests.kernels.small_images import small_cases
from tests.kernels.weighted_models import depthwise_model, random_weights

CASES = 80
ON_CORES = 40
LITTLE = 64
"""Bytes of scratch that make kernels take a row of the output at a time."""

DEPTHWISE, CONVOLUTION = "DEPTHWISE_CONV_2D", "CONV_2D"
KERNELS = {
    ("portable", DEPTHWISE): {"mcg_depthwise_conv_2d_s8", "mcg_depthwise_single_s8"},
    ("mla", DEPTHWISE): {"mcg_depthwise_conv_2d_s8_mla"},
    ("dsp", DEPTHWISE): {"mcg_depthwise_conv_2d_s8_dsp", "mcg_depthwise_wide_s8_dsp"},
    ("portable", CONVOLUTION): {"mcg_conv_2d_s8"},
    ("mla", CONVOLUTION): {"mcg_conv_2d_s8_mla"},
    ("dsp", CONVOLUTION): {"mcg_conv_2d_s8_dsp", "mcg_conv_2d_pairs_s8_dsp"},
    ("mve", DEPTHWISE): {"mcg_depthwise_conv_2d_s8_mve"},
    ("mve", CONVOLUTION): {"mcg_conv_2d_s8_mve"},
}
TARGETS = {"portable": Target(), "mla": M3.target, "dsp": M4.target}


@pytest.mark.parametrize("limit", [None, LITTLE], ids=["room", "little room"])
@pytest.mark.parametrize(("variant", "kind"), [key for key in KERNELS if key[0] in TARGETS])
def test_int8(variant: str, kind: str, limit: int | None) -> None:
    target = replace(TARGETS[variant], scratch_limit=limit)
    plans = [prove(batch, 2, target, optimized=True) for batch in small_cases(kind, "int8", CASES)]
    used = {call.kernel for plan in plans for step in plan.steps for call in step.calls}
    assert used >= KERNELS[variant, kind]


@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("kind", [DEPTHWISE, CONVOLUTION])
def test_other_types(kind: str, dtype: str) -> None:
    for batch in small_cases(kind, dtype, CASES):
        prove(batch, 2, optimized=True)


@pytest.mark.emulator
@pytest.mark.parametrize("kind", [DEPTHWISE, CONVOLUTION])
@pytest.mark.parametrize(("core", "variant"), [(M3, "mla"), (M4, "dsp"), (M55, "mve")], ids=["m3", "m4", "m55"])
def test_on_core(core: Core, variant: str, kind: str, tmp_path: Path) -> None:
    [batch] = small_cases(kind, "int8", ON_CORES)
    data = batch.samples(1)
    plan = prove_samples(batch.model, data, oracle(batch.reference, data), core, tmp_path, optimized=True)
    assert {call.kernel for step in plan.steps for call in step.calls} >= KERNELS[variant, kind]


@pytest.mark.parametrize("variant", TARGETS)
@pytest.mark.parametrize("dilation", [2, 3])
def test_phase_without_a_column_of_the_image(dilation: int, variant: str) -> None:
    """Of one column the first tap is left and the second right: between them, all four planes are padding."""
    model = depthwise_model((1, 1, 1, 4), (1, 2), dilation=(1, dilation))
    [call] = make_plan(read_graph(model), M4.target).steps[0].calls
    assert call.kernel == "mcg_depthwise_wide_s8_dsp"
    assert_bit_exact(model, target=TARGETS[variant])


@pytest.mark.parametrize("variant", TARGETS)
def test_windows_before_the_image(variant: str) -> None:
    """The only window of three columns of padding and one of the image ends before the latter begins."""
    image, wide, made = (TensorSpec((1, 2, columns, 4), scale=0.1, zero_point=-9) for columns in (1, 4, 1))
    pad = Node("PAD", options("PadOptions"), [image, ints([(0, 0), (0, 0), (3, 0), (0, 0)])], [wide])
    table = options("DepthwiseConv2DOptions", padding=VALID, strideH=1, strideW=3, depthMultiplier=1)
    filters = [constant(random_weights((1, 1, 2, 4)), 0.1, axis=3), constant(np.array([-30, 0, 7, 90], np.int32), 0.01)]
    model = build_graph([pad, Node("DEPTHWISE_CONV_2D", table, [wide, *filters], [made])], [made])
    [outputs, *_] = assert_bit_exact(model, optimized=True, target=TARGETS[variant])
    assert outputs[0].reshape(2, 4).tolist() == 2 * [[-12, -9, -8, 0]]
