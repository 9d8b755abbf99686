"""The DSP kernels against the oracle, their instructions said in C: on all shapes of the portable kernels' tests."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.graph import read_graph
from mcugen.ops import memory
from mcugen.ops.base import KernelCall, Target
from mcugen.plan import make_plan
from tests.kernels import test_conv_2d, test_depthwise_conv_2d, test_fully_connected, test_pool_2d
from tests.kernels.single_op import TensorSpec, assert_bit_exact, build_model, options
from tests.kernels.weighted_models import Quantized, conv_model, dense_model, depthwise_model, distinct, tie_model

M4 = Target("cortex-m4", dsp=True)


def dsp_call(model: bytes) -> KernelCall:
    """The model's only call, which is a DSP kernel."""
    (call,) = make_plan(read_graph(model), M4).steps[0].calls
    assert (call.variant, call.why_not_faster) == ("dsp", ""), call.kernel
    assert call.kernel.endswith("_dsp")
    return call


def prove(model: bytes, flags: tuple[str, ...] = ("-O1",)) -> None:
    dsp_call(model)
    results = assert_bit_exact(model, flags=flags, target=M4)
    assert distinct(results) > 1


@pytest.mark.parametrize("name", test_conv_2d.SHAPES)
def test_conv_shapes(name: str) -> None:
    image, filters, settings = test_conv_2d.SHAPES[name]
    prove(conv_model(image, filters, **settings))


@pytest.mark.parametrize("filters", [(5, 3, 3), (5, 1, 1)], ids=["3x3", "1x1"])
@pytest.mark.parametrize("name", test_conv_2d.QUANTIZATIONS)
def test_conv_quantizations(name: str, filters: tuple[int, int, int]) -> None:
    model = conv_model((1, 5, 4, 6), filters, quant=test_conv_2d.QUANTIZATIONS[name])
    dsp_call(model)
    assert_bit_exact(model, target=M4)


@pytest.mark.parametrize("depth", range(1, 20))
def test_conv_depths(depth: int) -> None:
    """Every number of bytes after the last whole word, and every entry into the unrolled loop."""
    prove(conv_model((1, 3, 3, depth), (3, 1, 1)))


@pytest.mark.parametrize("windows", range(1, 10))
def test_conv_windows(windows: int) -> None:
    """Every number of windows after the last whole four."""
    prove(conv_model((1, 1, windows, 8), (3, 1, 1)))
    prove(conv_model((1, 1, windows, 3), (3, 1, 3)))


@pytest.mark.parametrize("per_channel", [False, True], ids=["per tensor", "per channel"])
def test_last_bit_of_the_multiplier(per_channel: bool) -> None:
    assert_bit_exact(tie_model("CONV_2D", 0.0123, 0.0101, per_channel=per_channel), 0, target=M4)


def test_fast_requantization_where_it_is_right() -> None:
    def fast(quant: Quantized) -> object:
        return dict(dsp_call(conv_model((1, 5, 4, 6), (5, 3, 3), quant=quant)).params)["fast"]

    assert fast(Quantized()) == 1
    assert fast(Quantized(activation="RELU", output_zero=-128)) == 1
    assert fast(Quantized(activation="RELU", output_zero=-20)) == 0
    assert fast(Quantized(input_scale=3.0, weights_scale=5.0, output_scale=0.4)) == 0


def test_multipliers_of_zero() -> None:
    """Channels whose scale vanishes beside others of the fast requantization."""
    biases = [(1 << 30) - 1, -(1 << 30) + 1, 5, -5, 0] * 2
    model = test_conv_2d.layer_of_biases(biases, [1e-30] * 5 + [0.25] * 5)
    assert dict(dsp_call(model).params)["fast"] == 1
    assert_bit_exact(model, 0, target=M4)


def test_requantization_at_ties() -> None:
    biases = [*range(-40, 40)]
    model = test_conv_2d.layer_of_biases(biases, [0.25, 0.125, 0.375, 0.5 - 2**-20] * 20)
    assert dict(dsp_call(model).params)["fast"] == 1
    assert_bit_exact(model, 0, target=M4)


@pytest.mark.parametrize("seed", range(8))
def test_conv_random(seed: int) -> None:
    rng = np.random.default_rng(3000 + seed)
    groups = int(rng.choice([1, 1, 2, 3]))
    image = (int(rng.integers(1, 3)), *(int(n) for n in rng.integers(3, 12, 2)), groups * int(rng.integers(1, 20)))
    filters = (groups * int(rng.integers(1, 10)), int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    quant = Quantized(per_channel=bool(rng.integers(2)), input_zero=int(rng.integers(-128, 128)), gain=0.5, seed=seed)
    prove(conv_model(image, filters, groups=groups, stride=stride, same=bool(rng.integers(2)), quant=quant))


@pytest.mark.parametrize("name", ["stride 2, padding asymmetric", "1x1 filter, batch 2, stride", "groups, dilation"])
def test_no_undefined_behaviour(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    image, filters, settings = test_conv_2d.SHAPES[name]
    prove(conv_model(image, filters, **settings), flags=("-O1", "-fsanitize=undefined"))
    assert "runtime error" not in capfd.readouterr().err


@pytest.mark.parametrize("name", test_depthwise_conv_2d.SHAPES)
def test_depthwise_shapes(name: str) -> None:
    image, filters, settings = test_depthwise_conv_2d.SHAPES[name]
    prove(depthwise_model(image, filters, **settings))


@pytest.mark.parametrize("name", test_depthwise_conv_2d.QUANTIZATIONS)
def test_depthwise_quantizations(name: str) -> None:
    model = depthwise_model((1, 5, 4, 7), (3, 3), quant=test_depthwise_conv_2d.QUANTIZATIONS[name])
    dsp_call(model)
    assert_bit_exact(model, target=M4)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("taps", [1, 2, 3, 4, 5])
def test_depthwise_filters(taps: int, stride: int) -> None:
    """Narrow filters and others, along rows and along columns, at every number of windows after the last four."""
    for size in (8, 9, 10, 11):
        prove(depthwise_model((1, 6, size, 5), (2, taps), stride=(1, stride)))
        prove(depthwise_model((1, size, 6, 5), (taps, 2), stride=(stride, 1), same=False))


@pytest.mark.parametrize("budget", [0, 700, 1500, 10**6])
@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_stripes(budget: int, stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever scratch allows: one row at a time, stripes that do not divide the image, or all of it."""
    monkeypatch.setattr(memory, "scratch_budget", lambda *_given: budget)
    monkeypatch.setattr(memory, "is_last_use", lambda *_given: False)
    prove(depthwise_model((2, 11, 13, 6), (3, 3), stride=(stride, stride)))
    prove(depthwise_model((1, 13, 11, 6), (5, 3), stride=(stride, stride), dilation=(1, 1)))


def test_depthwise_in_place() -> None:
    """The output takes the input's memory where nobody else reads it."""
    plan = make_plan(read_graph(depthwise_model((1, 12, 12, 16), (3, 3))), M4)
    call = plan.steps[0].calls[0]
    assert (call.inplace, plan.addresses[call.inputs[0]]) == ((0,), plan.addresses[call.outputs[0]])
    assert plan.arena_bytes == 12 * 12 * 16 + call.scratch_bytes
    prove(depthwise_model((1, 12, 12, 16), (3, 3)))


@pytest.mark.parametrize("seed", range(12))
def test_depthwise_random(seed: int) -> None:
    rng = np.random.default_rng(4000 + seed)

    def draw(low: int, high: int) -> int:
        return int(rng.integers(low, high, endpoint=True))

    same = bool(rng.integers(2))
    model = depthwise_model(
        (draw(1, 2), draw(5, 14), draw(5, 14), draw(1, 18)),
        (draw(1, 5), draw(1, 5)),
        stride=(draw(1, 3), draw(1, 3)),
        dilation=(draw(1, 2), draw(1, 2)) if same else (1, 1),
        same=same,
        quant=Quantized(per_channel=bool(rng.integers(2)), input_zero=draw(-128, 127), gain=0.5, seed=seed),
    )
    prove(model)


@pytest.mark.parametrize("per_channel", [False, True], ids=["per tensor", "per channel"])
@pytest.mark.parametrize("name", test_fully_connected.SHAPES)
def test_dense_shapes(name: str, per_channel: bool) -> None:
    source, channels, depth, settings = test_fully_connected.SHAPES[name]
    prove(dense_model(source, channels, depth, quant=Quantized(per_channel=per_channel), **settings))


@pytest.mark.parametrize("name", test_fully_connected.QUANTIZATIONS)
def test_dense_quantizations(name: str) -> None:
    quant = test_fully_connected.QUANTIZATIONS[name]
    model = dense_model((1, 23), 11, 23, quant=quant)
    (call,) = make_plan(read_graph(model), M4).steps[0].calls
    expected = ("portable", "no DSP variant: the weights' zero point is not 0") if quant.weights_zero else ("dsp", "")
    assert (call.variant, call.why_not_faster) == expected
    assert_bit_exact(model, target=M4)


@pytest.mark.parametrize("rows", [1, 2, 3, 9])
@pytest.mark.parametrize("channels", range(1, 10))
def test_dense_sizes(rows: int, channels: int) -> None:
    depth = 2 * channels + rows
    model = dense_model((rows, depth), channels, depth, quant=Quantized(per_channel=channels % 2 == 0))
    dsp_call(model)
    assert_bit_exact(model, target=M4)


def test_weights_are_not_copied() -> None:
    """Constants are as large as the model's own, but for padding to whole words."""
    for model in (
        conv_model((1, 9, 9, 7), (5, 3, 3)),
        depthwise_model((1, 9, 9, 7), (3, 3)),
        dense_model((1, 50), 9, 50),
    ):
        portable, dsp = (make_plan(read_graph(model), t).steps[0].calls[0] for t in (None, M4))
        sizes = [sum(c.values.nbytes for c in call.constants) for call in (portable, dsp)]
        assert sizes[0] <= sizes[1] <= sizes[0] + 3 * 9


@pytest.mark.parametrize("kind", test_pool_2d.KINDS)
@pytest.mark.parametrize("name", test_pool_2d.SHAPES)
def test_pool_shapes(kind: str, name: str) -> None:
    image, filters, settings = test_pool_2d.SHAPES[name]
    prove(test_pool_2d.pool_model(kind, image, filters, **settings))


@pytest.mark.parametrize("activation", ["RELU", "RELU6", "RELU_N1_TO_1"])
@pytest.mark.parametrize("kind", test_pool_2d.KINDS)
def test_pool_activations(kind: str, activation: str) -> None:
    prove(test_pool_2d.pool_model(kind, (1, 6, 6, 5), (2, 2), activation=activation))


def test_pool_of_the_most_pixels() -> None:
    prove(test_pool_2d.pool_model("AVERAGE_POOL_2D", (1, 15, 17, 6), (15, 17)))
    model = test_pool_2d.pool_model("AVERAGE_POOL_2D", (1, 16, 16, 6), (16, 16))
    (call,) = make_plan(read_graph(model), M4).steps[0].calls
    assert call.why_not_faster == "no DSP variant: its windows have more than 255 pixels"


def sum_model(
    scale1: float, scale2: float, output: float, *, kind: str = "ADD", activation: int = 0, second: int = 300
) -> bytes:
    first = TensorSpec((1, 300), scale=scale1, zero_point=-7)
    other = TensorSpec((1, second), scale=scale2, zero_point=127)
    table = options(f"{kind.capitalize()}Options", fusedActivationFunction=activation)
    return build_model(kind, table, [first, other], [TensorSpec((1, 300), scale=output, zero_point=-128)])


@pytest.mark.parametrize("output", [0.003, 0.2, 30.0])
@pytest.mark.parametrize("scales", [(0.1, 0.1), (0.1, 0.0999), (0.1, 0.051), (0.1, 0.05), (0.1, 1e-4), (0.1, 1e-12)])
def test_sums(scales: tuple[float, float], output: float) -> None:
    """Whichever operand has the larger scale, by however much."""
    for first, second in (scales, scales[::-1]):
        model = sum_model(first, second, output)
        dsp_call(model)
        assert_bit_exact(model, 8, target=M4)


def test_sums_that_stay_portable() -> None:
    def why(model: bytes) -> str:
        (call,) = make_plan(read_graph(model), M4).steps[0].calls
        assert call.variant == "portable"
        assert_bit_exact(model, target=M4)
        return call.why_not_faster

    assert why(sum_model(0.1, 0.1, 0.2, kind="SUB")) == "no DSP variant: it subtracts"
    assert why(sum_model(0.1, 0.1, 0.2, second=1)) == "no DSP variant: an operand is broadcast"
    assert why(sum_model(0.1, 0.1, 0.2, activation=3)) == "no DSP variant: its activation clamps the output"
    assert why(sum_model(0.1, 0.1, 0.2 / 2**19)) == "no DSP variant: the output's scale is too small for it"
