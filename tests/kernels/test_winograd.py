"""Convolutions by tiles: when they are exact and fit, and their kernels against the oracle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcugen.ops import winograd
from mcugen.ops.base import Constant, KernelCall, Target
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import Plan, make_plan, planner
from tests.kernels.cores import M3, M4, M33, Core, join, prove
from tests.kernels.single_op import assert_bit_exact
from tests.kernels.test_pool_2d import pool_model
from tests.kernels.weighted_models import Quantized, conv_model, distinct

TARGET = Target("cortex-m4", ("dsp",))
KERNEL = "mcg_winograd_s8_dsp"
KERNELS = {M3: "mcg_winograd_s8_mla", M4: KERNEL, M33: KERNEL}


def room() -> bytes:
    """A layer that makes a model's arena so large that there is room for the scratch of others."""
    return pool_model("MAX_POOL_2D", (1, 100, 100, 4), (50, 50), stride=(50, 50), same=False)


def models() -> list[bytes]:
    """Every rest of channels, tiles and stripes; borders and none; extreme weights and inputs."""
    return [
        room(),
        conv_model((1, 5, 7, 8), (2, 3, 3)),
        conv_model((1, 8, 7, 9), (3, 3, 3)),
        conv_model((1, 6, 6, 9), (2, 3, 3), same=False),
        conv_model((2, 7, 6, 10), (4, 3, 3), same=False),
        conv_model((1, 6, 6, 11), (5, 3, 3), same=False, quant=Quantized(per_channel=False)),
        conv_model((1, 9, 9, 12), (2, 3, 3), quant=Quantized(input_zero=-128, output_zero=-128, activation="RELU")),
        conv_model((1, 1, 17, 13), (3, 3, 3), quant=Quantized(input_zero=127, seed=4)),
        conv_model((1, 16, 1, 16), (4, 3, 3), quant=Quantized(bias=False)),
        conv_model((1, 11, 10, 20), (3, 3, 3)),
        conv_model((2, 5, 6, 24), (2, 3, 3)),
        fine(),
        extreme(-128, -128),
        extreme(127, -128),
        extreme(-128, 127),
    ]


def fine() -> bytes:
    """Sums that are off by one are seen in the outputs."""
    weights = np.random.default_rng(0).choice([-1, 0, 0, 0, 0, 1], (4, 3, 3, 8)).astype(np.int8)
    quant = Quantized(per_channel=False, bias=False, input_scale=0.5, weights_scale=0.01, output_scale=0.012)
    return conv_model((1, 6, 6, 8), (4, 3, 3), weights=weights, quant=quant)


def extreme(weight: int, zero: int) -> bytes:
    """The largest sums that there are: every weight the same, and inputs that are all lowest or all highest."""
    quant = Quantized(bias=False, input_zero=zero, weights_scale=0.001, output_scale=0.001 * 9 * 16)
    weights = np.full((2, 3, 3, 16), weight, np.int8)
    return conv_model((1, 4, 6, 16), (2, 3, 3), weights=weights, quant=quant)


def kernels(plan: Plan) -> list[str]:
    return [call.kernel for step in plan.steps for call in step.calls]


@pytest.mark.parametrize("core", [M3, M4], ids=lambda core: core.machine)
def test_the_oracle_agrees(core: Core) -> None:
    model = join(models())
    plan = make_plan(read_graph(model), core.target, "speed")
    assert set(kernels(plan)[1:]) == {KERNELS[core]}
    assert plan.arena_bytes <= plan.live_bound + 512
    assert distinct(assert_bit_exact(model, target=core.target, goal="speed")) > 100


@pytest.mark.emulator
@pytest.mark.parametrize("core", [M3, M4, M33], ids=lambda core: core.machine)
def test_on_cores(core: Core, tmp_path: Path) -> None:
    assert set(kernels(prove(models(), core, tmp_path, goal="speed"))[1:]) == {KERNELS[core]}


@settings(deadline=None, max_examples=8)
@given(st.data())
def test_any_shape(data: st.DataObject) -> None:
    """Random shapes, zero points and weights, many of them in each example, since it is compiled."""

    def number(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    drawn = [room()]
    for _ in range(6):
        quant = Quantized(
            per_channel=data.draw(st.booleans()),
            input_zero=number(-128, 127),
            output_zero=data.draw(st.sampled_from([-128, 127, 5])),
            seed=number(0, 999),
        )
        channels, depth, same = number(2, 5), number(8, 19), data.draw(st.booleans())
        image = (number(1, 2), number(6, 12), number(6, 12), depth)
        rng = np.random.default_rng(quant.seed)
        values = data.draw(st.sampled_from([[-128, 127], [-128], [127], list(range(-128, 128))]))
        weights = rng.choice(values, (channels, 3, 3, depth)).astype(np.int8)
        drawn.append(conv_model(image, (channels, 3, 3), same=same, quant=quant, weights=weights))
    model, core = join(drawn), data.draw(st.sampled_from([M3, M4]))
    assert set(kernels(make_plan(read_graph(model), core.target, "speed"))[1:]) == {KERNELS[core]}
    assert_bit_exact(model, 1, target=core.target, goal="speed")


def call(weights: int = 1, **changes: int) -> KernelCall:
    """A convolution that is computed by tiles, all of its weights the same, but for what is changed."""
    names = ("filter_height", "filter_width", "groups", "stride_h", "stride_w", "dilation_h", "dilation_w", "fast")
    params = dict(zip(names, (3, 3, 1, 1, 1, 1, 1, 1), strict=True))
    params |= {"input_channels": 8, "output_channels": 2, "output_height": 4, "output_width": 4, **changes}
    values = np.full((params["output_channels"], 3, 3, params["input_channels"]), weights, np.int8)
    constants = (Constant("weights", values),)
    return KernelCall("mcg_conv_2d_s8", tuple(params.items()), (0,), (1,), constants)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"filter_height": 5}, "3×3"),
        ({"filter_width": 1}, "3×3"),
        ({"stride_w": 2}, "stride 1"),
        ({"stride_h": 2}, "stride 1"),
        ({"dilation_h": 2}, "stride 1"),
        ({"dilation_w": 2}, "stride 1"),
        ({"groups": 2}, "stride 1"),
        ({"input_channels": 7}, "few channels"),
        ({"output_channels": 1}, "few channels"),
        ({"fast": 0}, "clamped"),
        ({"output_height": 3, "output_width": 5}, "small"),
        ({"weights": -128, "input_channels": 3641}, "32 bits"),
        ({"weights": 127, "input_channels": 3670}, "32 bits"),
    ],
)
def test_what_is_not_computed_by_tiles(changes: dict[str, int], why: str) -> None:
    reason = winograd.problem(call(**changes))
    assert reason is not None
    assert why in reason


@pytest.mark.parametrize(
    "changes", [{}, {"weights": -128, "input_channels": 3640}, {"output_height": 1, "output_width": 16}]
)
def test_what_is(changes: dict[str, int]) -> None:
    assert winograd.problem(call(**changes)) is None


def test_the_plan_says_why_not() -> None:
    model = conv_model((1, 8, 8, 16), (16, 3, 3))
    small = make_plan(read_graph(model), TARGET).steps[0]
    assert "more code than a small model" in small.why_not_faster
    full = make_plan(read_graph(model), TARGET, "speed").steps[0]
    assert "3,632 bytes of scratch, for which the arena has no room" in full.why_not_faster
    for goal in ("ram", "size"):
        assert KERNEL not in kernels(make_plan(read_graph(model), TARGET, goal))


def test_arenas_do_not_grow_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a model with many weights and room, the layer is computed by tiles; with less room in smaller stripes."""
    large = conv_model((1, 8, 8, 128), (128, 3, 3))
    made = make_plan(read_graph(join([room(), large])), TARGET)
    monkeypatch.setattr(planner, "_with_roomier", lambda plan: plan)
    plain = make_plan(read_graph(join([room(), large])), TARGET)
    assert kernels(made)[1] == KERNEL
    assert made.arena_bytes <= plain.arena_bytes
    assert dict(made.steps[1].calls[0].params)["stripe_tiles"] < 16
