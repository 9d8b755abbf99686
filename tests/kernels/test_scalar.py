"""Kernels for cores without DSP instructions: for Cortex-M3 by MLA, for Cortex-M0 the portable ones, tuned."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mcugen.ops.base import KernelCall, Target
from mcugen.runtimes.aot.emit.host import host_compiler
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.conftest import KERNEL_INCLUDES
from tests.kernels import cores, test_conv_2d, test_depthwise_conv_2d, test_pool_2d
from tests.kernels import test_fully_connected as dense
from tests.kernels.cores import join, prove
from tests.kernels.single_op import assert_bit_exact
from tests.kernels.test_dsp_host import products, sum_model
from tests.kernels.weighted_models import Quantized, conv_model, dense_model, depthwise_model, tie_model

M3 = cores.M3.target


def all_models() -> list[bytes]:
    models = [conv_model(image, filters, **kw) for image, filters, kw in test_conv_2d.SHAPES.values()]
    models += [conv_model((1, 5, 4, 6), (6, 3, 3), quant=quant) for quant in test_conv_2d.QUANTIZATIONS.values()]
    models += [conv_model((1, 5, 3, 6), (6, 1, 1), quant=quant) for quant in test_conv_2d.QUANTIZATIONS.values()]
    models += [conv_model((1, 1, windows, depth), (5, 1, 1)) for windows in (1, 2, 3) for depth in range(1, 10)]
    models += [depthwise_model(image, size, **kw) for image, size, kw in test_depthwise_conv_2d.SHAPES.values()]
    models += [
        depthwise_model((1, 5, 4, 7), (3, 3), quant=quant) for quant in test_depthwise_conv_2d.QUANTIZATIONS.values()
    ]
    models += [
        depthwise_model((1, height, width, 5), (3, 3), stride=(stride, 1), same=same)
        for height in (3, 4, 7, 10)
        for width in (3, 6)
        for stride in (1, 2)
        for same in (False, True)
    ]
    models += [dense_model(source, channels, depth, **kw) for source, channels, depth, kw in dense.SHAPES.values()]
    models += [dense_model((3, 21), 6, 21, quant=quant) for quant in dense.QUANTIZATIONS.values()]
    models += [tie_model(kind, 1.0, 0.5, per_channel=True) for kind in ("CONV_2D", "FULLY_CONNECTED")]
    models += [
        test_pool_2d.pool_model(kind, image, size, **kw)
        for kind in test_pool_2d.KINDS
        for image, size, kw in test_pool_2d.SHAPES.values()
    ]
    models += [sum_model(0.1, second, 0.2, kind=kind) for kind in ("ADD", "SUB") for second in (0.1, 0.07, 0.3)]
    models += products()
    return models


def only_call(model: bytes, target: Target = M3) -> KernelCall:
    (call,) = make_plan(read_graph(model), target).steps[0].calls
    return call


def test_on_host() -> None:
    """The reordering and the logic, in C as the compiler of this computer sees it."""
    models = all_models()
    assert_bit_exact(cores.join(models), flags=("-O1",), target=M3)


@pytest.mark.emulator
@pytest.mark.parametrize("core", [cores.M0, cores.M3], ids=["m0", "m3"])
def test_on_core(core: cores.Core, tmp_path: Path) -> None:
    plan = cores.prove(all_models(), core, tmp_path)
    variants = {call.variant for step in plan.steps for call in step.calls}
    assert variants == ({"portable", "mla"} if core is cores.M3 else {"portable"})


@pytest.mark.emulator
@pytest.mark.parametrize("core", [cores.M0, cores.M3], ids=["m0", "m3"])
def test_random_layers(core: cores.Core, tmp_path: Path) -> None:
    rng = np.random.default_rng(30)
    models = []
    for seed in range(16):
        height, width, channels, filters = (int(n) for n in rng.integers(1, (9, 9, 30, 30)))
        size = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
        stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        quant = Quantized(seed=seed, per_channel=bool(seed % 2), input_zero=int(rng.integers(-128, 128)))
        image = (1, height, width, channels)
        models.append(conv_model(image, (filters, *size), stride=stride, quant=quant))
        models.append(depthwise_model(image, size, stride=stride, quant=quant))
    cores.prove(models, core, tmp_path, seed=2)


def depthwise_filters() -> list[bytes]:
    """Filters of every rest of steps and taps, strides, and every rest of windows; dilated ones in phases."""
    models = []
    for taps in range(1, 8):
        for stride in (1, 2, 3):
            size = 8 + (taps + stride) % 4
            models.append(depthwise_model((1, 6, size, 3), (2, taps), stride=(1, stride)))
            models.append(depthwise_model((1, 11, 6, 2), (taps, 2), stride=(stride, 1), same=False))
    for dilation in (2, 3, 5):
        models.append(depthwise_model((1, 7, 9, 3), (3, 3), dilation=(dilation, dilation)))
        models.append(depthwise_model((1, 9, 4, 2), (3, 2), dilation=(1, dilation)))
        models.append(depthwise_model((2, 8, 11, 2), (3, 4), dilation=(dilation, 2), multiplier=2))
    models.append(depthwise_model((1, 20, 20, 2), (3, 3), dilation=(3, 4), same=False))
    models.append(depthwise_model((1, 12, 12, 2), (3, 3), dilation=(2, 1), stride=(2, 2)))
    relu = Quantized(activation="RELU_N1_TO_1", output_zero=3, output_scale=0.02)
    models.append(depthwise_model((1, 7, 9, 3), (5, 5), quant=relu))
    return models


def test_depthwise_filters_on_host() -> None:
    models = depthwise_filters()
    assert {only_call(model).variant for model in models} == {"mla"}
    assert_bit_exact(cores.join(models), flags=("-O1",), target=M3)


@pytest.mark.emulator
def test_depthwise_filters_on_core(tmp_path: Path) -> None:
    plan = cores.prove(depthwise_filters(), cores.M3, tmp_path)
    assert {call.kernel for step in plan.steps for call in step.calls} == {"mcg_depthwise_conv_2d_s8_mla"}


@pytest.mark.parametrize("limit", [0, 1200, 2400])
@pytest.mark.parametrize("settings", [{}, {"stride": (2, 2)}, {"dilation": (2, 2)}])
def test_depthwise_stripes(limit: int, settings: dict[str, tuple[int, int]]) -> None:
    """One row at a time, stripes that do not divide the image, or all of it."""
    model = depthwise_model((2, 33, 35, 3), (3, 3), **settings)
    target = Target("cortex-m3", ("mla",), scratch_limit=limit)
    assert only_call(model, target).variant == "mla"
    assert_bit_exact(model, target=target)


def extremes() -> list[bytes]:
    """The largest sums that two inputs of two windows have, of either sign, next to each other and apart."""
    models = []
    for first in (-128, 127):
        for second in (-128, 127):
            for channels in (1, 5):
                weights = np.empty((channels, 1, 1, 18), np.int8)
                weights[..., ::2], weights[..., 1::2] = first, second
                scale = 0.1 * 0.05 * 18 * 128
                quant = Quantized(
                    per_channel=False, input_zero=first, input_scale=0.1, weights_scale=0.05, output_scale=scale
                )
                models.append(conv_model((1, 3, 3, 18), (channels, 1, 1), weights=weights, quant=quant))
    return models


@pytest.mark.emulator
def test_two_windows_in_a_word(tmp_path: Path) -> None:
    models = extremes()
    assert {only_call(model).variant for model in models} == {"mla"}
    assert_bit_exact(join(models), target=M3)
    prove(models, cores.M3, tmp_path)


def test_which_kernel() -> None:
    conv = conv_model((1, 4, 4, 8), (5, 3, 3))
    assert only_call(conv).kernel == "mcg_conv_2d_s8_mla"
    assert only_call(conv, Target("cortex-m0")).kernel == "mcg_conv_2d_s8"
    assert only_call(conv, Target("cortex-m4", ("dsp",))).variant == "dsp"


def test_depthwise_refusals_say_why() -> None:
    both = depthwise_model((1, 16, 16, 2), (3, 3), dilation=(2, 2), stride=(2, 2), same=False)
    assert only_call(both).why_not_faster == "no MLA variant: its windows are dilated and more than a column apart"
    wide = depthwise_model((1, 4, 400, 2), (3, 3))
    assert "a row of windows takes" in only_call(wide, Target("cortex-m3", ("mla",), scratch_limit=0)).why_not_faster


def test_scratch_where_outputs_follow_their_inputs() -> None:
    """Two windows take 2 KB, which does not fit beside both tensors, but does where they share memory."""
    plan = make_plan(read_graph(conv_model((1, 8, 8, 512), (512, 1, 1))), M3)
    assert plan.steps[0].calls[0].variant == "mla"
    assert plan.steps[0].calls[0].scratch_bytes == 2048
    assert plan.arena_bytes < plan.live_bound


def test_limited_scratch_says_why() -> None:
    deep = conv_model((1, 3, 3, 300), (4, 3, 3))
    call = only_call(deep, Target("cortex-m3", ("mla",), scratch_limit=0))
    assert call.variant == "portable"
    assert "scratch" in call.why_not_faster


def test_products_by_halves(tmp_path: Path) -> None:
    """Exact for every pair of extremes, and for random ones."""
    source = tmp_path / "halves.c"
    source.write_text(
        '#include "mcg_common.h"\n'
        "void run(const int32_t *a, const int32_t *b, int32_t *c, int n);\n"
        "void run(const int32_t *a, const int32_t *b, int32_t *c, int n) {\n"
        "  for (int i = 0; i < n; ++i) c[i] = mcg_mul_high_by_halves(a[i], b[i]);\n}\n"
    )
    library = tmp_path / "halves.so"
    # -ftrapv: no step of it may overflow.
    flags = ["-O1", "-ftrapv", "-shared", "-fPIC", *KERNEL_INCLUDES]
    subprocess.run([host_compiler(), *flags, str(source), "-o", str(library)], check=True)
    edges = [0, 1, 2, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x3FFFFFFF, 0x40000000, 0x7FFF0000, 0x7FFFFFFF]
    numbers = np.array(sorted({*edges, *(-n for n in edges), -(1 << 31)}), np.int64)
    rng = np.random.default_rng(1)
    first = np.concatenate([np.repeat(numbers, len(numbers)), rng.integers(-(1 << 31), 1 << 31, 100_000)])
    second = np.concatenate([np.tile(numbers, len(numbers)), rng.integers(-(1 << 31), 1 << 31, 100_000)])
    possible = ~((first == -(1 << 31)) & (second == -(1 << 31)))
    a, b = first[possible].astype(np.int32), second[possible].astype(np.int32)
    got = np.empty_like(a)
    pointer = ctypes.POINTER(ctypes.c_int32)
    run = ctypes.CDLL(str(library)).run
    run(*(array.ctypes.data_as(pointer) for array in (a, b, got)), len(a))
    wanted = (a.astype(np.int64) * b + (1 << 30)) >> 31
    np.testing.assert_array_equal(got, wanted)
