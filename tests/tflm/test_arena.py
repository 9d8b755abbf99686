from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcugen.errors import ModelError
from mcugen.runtimes.tflm.arena import ALIGNMENT, HostArena, arena_bound, bisect, host_arena
from mcugen.runtimes.tflm.view import read_view
from tests.kernels.single_op import TensorSpec, build_model, constant, options
from tests.tflm.support import MODELS, model_bytes, program
from tests.tflm.test_resolver import fully_connected

NEEDED = {
    # what firmware needed on QEMU's mps2-an386 with TFLM of August 2026 and CMSIS-NN; ad and kws on mps3-an547 too
    "ad01_int8": (2896, 9632),
    "hello_world_int8": (1040, None),
    "keyword_scrambled_8bit": (10_448, None),
    "kws_ref_model": (22_720, 27_248),
    "micro_speech_quantized": (6720, None),
    "okay_nabu": (22_304, None),
    "pretrainedResnet_quant": (54_896, None),
    "trained_lstm_int8": (3952, None),
    "vww_96_int8": (100_608, None),
}

BOUND = {
    # reference kernels, CMSIS-NN, CMSIS-NN on MVE
    "ad01_int8": (3952, 4192, 13_440),
    "hello_world_float": (1728, 1792, 2000),
    "hello_world_int8": (1728, 1792, 2000),
    "keyword_scrambled_8bit": (11_824, 12_176, 14_112),
    "kws_ref_model": (23_440, 24_912, 28_272),
    "micro_speech_quantized": (7344, 7600, 47_136),
    "okay_nabu": (24_144, 28_064, 34_320),
    "pretrainedResnet_quant": (55_024, 57_712, 57_744),
    "trained_lstm_int8": (3760, 4496, 4576),
    "vww_96_int8": (101_632, 106_976, 106_848),
    "autoencoder": (3952, 4192, 6528),
    "ds_cnn": (7696, 8448, 12_528),
    "ds_cnn_16x8": (12_880, 13_632, 14_976),
    "lstm": (3600, 4080, 4160),
    "mobilenet_v1": (30_080, 32_544, 35_296),
    "resnet": (10_672, 12_208, 12_240),
    "sine": (1728, 1792, 2000),
    "sine_float": (1728, 1792, 2000),
    "speech": (2880, 3136, 42_672),
    "svdf": (6064, 6352, 6800),
    "transformer": (11_600, 12_608, 13_200),
    "wake_word": (14_688, 16_528, 22_560),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_bound_is_the_known_one_and_enough_for_every_device(name: str) -> None:
    data = model_bytes(name)
    view, host = read_view(data), host_arena(data)
    reference = arena_bound(view, host, optimised=False, mve=False)
    optimised = arena_bound(view, host, optimised=True, mve=False)
    mve = arena_bound(view, host, optimised=True, mve=True)
    assert (reference, optimised, mve) == BOUND[name]
    dsp_needs, mve_needs = NEEDED.get(name, (0, 0))
    assert optimised >= dsp_needs
    assert mve >= (mve_needs or 0)
    assert reference <= optimised


def test_the_program_takes_the_boards_bound_or_what_the_user_says() -> None:
    assert program("ds_cnn").arena_bytes == BOUND["ds_cnn"][1]
    assert program("ds_cnn", "mps3-an547").arena_bytes == BOUND["ds_cnn"][2]
    assert program("ds_cnn", "microbit").arena_bytes == BOUND["ds_cnn"][0]
    given_size = program("ds_cnn", arena_bytes=30_001)
    assert (given_size.arena_bytes, given_size.arena_exact) == (30_016, False)
    exact = given_size.with_arena(22_752)
    assert (exact.arena_bytes, exact.arena_exact) == (22_752, True)


def test_a_model_that_tflm_refuses_says_why() -> None:
    with pytest.raises(ModelError, match="does not take this model"):
        host_arena(fully_connected("int32"))


@given(st.integers(1, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_bisection_finds_the_smallest(need: int, below: int, above: int) -> None:
    need *= ALIGNMENT
    tried: list[int] = []

    def works(size: int) -> bool:
        tried.append(size)
        return size >= need

    assert bisect(works, max(0, need - below), need + above) == need
    assert all(size % ALIGNMENT == 0 and max(0, need - below) <= size < need + above + ALIGNMENT for size in tried)
    assert len(tried) <= 14


def wide_conv(window: int) -> bytes:
    """A convolution of int16: 32 channels, 32 filters of (window, window)."""
    x, y = (TensorSpec((1, size, 42 - window + size, 32), "int16", 0.01) for size in (window, 1))
    weights = constant(np.ones((32, window, window, 32), np.int8), [0.01] * 32, [0] * 32)
    bias = constant(np.zeros(32, np.int64), [0.0001] * 32, [0] * 32)
    chosen = options("Conv2DOptions", padding=1, strideW=1, strideH=1)
    return build_model("CONV_2D", chosen, [x, weights, bias], [y])


@pytest.mark.parametrize("window", [1, 3])
def test_windows_of_int16_take_twice_the_scratch_on_mve(window: int) -> None:
    """A Cortex-M55 did not start such a model of TFLM's SEANet: CMSIS-NN gathers four windows there, and of 1x1 too."""
    view, host = read_view(wide_conv(window)), HostArena(0, 0)
    kinds = ((False, False), (True, False), (True, True))
    plain, dsp, mve = (arena_bound(view, host, optimised=optimised, mve=mve) for optimised, mve in kinds)
    assert dsp - plain >= 2 * 2 * 32 * window**2
    assert mve - plain >= 4 * 2 * 32 * window**2
