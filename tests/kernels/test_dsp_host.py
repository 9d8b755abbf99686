"""The DSP kernels against the oracle, their instructions said in C: on all shapes of the portable kernels' tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mcugen.ops import memory
from mcugen.ops.base import KernelCall, Target
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels import test_conv_2d, test_depthwise_conv_2d, test_fully_connected, test_pool_2d
from tests.kernels.cores import join
from tests.kernels.single_op import TensorSpec, assert_bit_exact, build_model, options
from tests.kernels.weighted_models import Quantized, conv_model, dense_model, depthwise_model, distinct, tie_model

M4 = Target("cortex-m4", ("dsp",))


def dsp_call(model: bytes) -> KernelCall:
    """The model's only call, which is a DSP kernel."""
    (call,) = make_plan(read_graph(model), M4).steps[0].calls
    assert (call.variant, call.why_not_faster) == ("dsp", ""), call.kernel
    assert call.kernel.endswith("_dsp")
    return call


def prove(models: Sequence[bytes], flags: tuple[str, ...] = ("-O1",)) -> None:
    """All models, each of them by DSP kernels, give the oracle's outputs. They are joined, to compile once."""
    for model in models:
        dsp_call(model)
    results = assert_bit_exact(join(models), flags=flags, target=M4)
    assert distinct(results) > 100


def test_conv_shapes() -> None:
    prove([conv_model(image, filters, **settings) for image, filters, settings in test_conv_2d.SHAPES.values()])


@pytest.mark.parametrize("filters", [(5, 3, 3), (5, 1, 1)], ids=["3x3", "1x1"])
def test_conv_quantizations(filters: tuple[int, int, int]) -> None:
    prove([conv_model((1, 5, 4, 6), filters, quant=quant) for quant in test_conv_2d.QUANTIZATIONS.values()])


def test_conv_depths() -> None:
    """Every number of bytes after the last whole word, and every entry into the unrolled loop."""
    prove([conv_model((1, 3, 3, depth), (3, 1, 1)) for depth in range(1, 20)])


def test_conv_windows() -> None:
    """Every number of windows after the last whole four."""
    models = [conv_model((1, 1, windows, 8), (3, 1, 1)) for windows in range(1, 10)]
    prove([*models, *(conv_model((1, 1, windows, 3), (3, 1, 3)) for windows in range(1, 10))])


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
    assert dsp_call(model).kernel == "mcg_fully_connected_pairs_s8_dsp"  # which requantizes fast, always
    assert_bit_exact(model, 0, target=M4)


def random_conv(seed: int) -> bytes:
    rng = np.random.default_rng(3000 + seed)
    groups = int(rng.choice([1, 1, 2, 3]))
    image = (int(rng.integers(1, 3)), *(int(n) for n in rng.integers(3, 12, 2)), groups * int(rng.integers(1, 20)))
    filters = (groups * int(rng.integers(1, 10)), int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    quant = Quantized(per_channel=bool(rng.integers(2)), input_zero=int(rng.integers(-128, 128)), gain=0.5, seed=seed)
    return conv_model(image, filters, groups=groups, stride=stride, same=bool(rng.integers(2)), quant=quant)


def test_conv_random() -> None:
    prove([random_conv(seed) for seed in range(12)])


def test_no_undefined_behaviour(capfd: pytest.CaptureFixture[str]) -> None:
    names = ("stride 2, padding asymmetric", "1x1 filter, batch 2, stride", "groups, dilation")
    models = [conv_model(image, filters, **more) for image, filters, more in map(test_conv_2d.SHAPES.get, names)]
    models += [depthwise_model((1, 9, 9, 6), (3, 3), stride=(2, 2)), depthwise_model((1, 9, 9, 6), (5, 4))]
    models += [dense_model((2, 13), 7, 13), sum_model(0.1, 0.05, 0.2)]
    prove(models, flags=("-O1", "-fsanitize=undefined"))
    assert "runtime error" not in capfd.readouterr().err


def test_depthwise_shapes() -> None:
    shapes = test_depthwise_conv_2d.SHAPES.values()
    prove([depthwise_model(image, filters, **settings) for image, filters, settings in shapes])


def test_depthwise_quantizations() -> None:
    quants = test_depthwise_conv_2d.QUANTIZATIONS.values()
    prove([depthwise_model((1, 5, 4, 7), (3, 3), quant=quant) for quant in quants])


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("taps", [1, 2, 3, 5])
def test_depthwise_filters(taps: int, stride: int) -> None:
    """Narrow filters and others, along rows and along columns, at every number of windows after the last four."""
    sizes = (8, 9, 10, 11)
    models = [depthwise_model((1, 6, size, 5), (2, taps), stride=(1, stride)) for size in sizes]
    prove(models + [depthwise_model((1, size, 6, 5), (taps, 2), stride=(stride, 1), same=False) for size in sizes])


@pytest.mark.parametrize("budget", [0, 700, 1500, 10**6])
@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_stripes(budget: int, stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever scratch allows: one row at a time, stripes that do not divide the image, or all of it."""
    monkeypatch.setattr(memory, "scratch_budget", lambda *_given: budget)
    monkeypatch.setattr(memory, "is_last_use", lambda *_given: False)
    models = [depthwise_model((2, 11, 13, 6), (3, 3), stride=(stride, stride))]
    prove([*models, depthwise_model((1, 13, 11, 6), (5, 3), stride=(stride, stride))])


def test_depthwise_in_place() -> None:
    """The output of an image on its side takes the input's memory where nobody else reads it."""
    plan = make_plan(read_graph(depthwise_model((1, 12, 5, 16), (3, 3))), M4)
    call = plan.steps[0].calls[0]
    assert (call.inplace, plan.addresses[call.inputs[0]]) == ((0,), plan.addresses[call.outputs[0]])
    assert plan.arena_bytes == 12 * 5 * 16 + call.scratch_bytes
    prove([depthwise_model((1, 12, 5, 16), (3, 3)), depthwise_model((1, 5, 12, 16), (3, 3))])


def test_depthwise_multipliers() -> None:
    """In planes where that is faster, else as grouped convolutions: narrow filters, wide ones, columns far apart."""
    models, kernels = [], set()
    for taps in ((3, 3), (5, 4), (1, 2)):
        for multiplier in (2, 3, 8):
            for stride in ((2, 1), (3, 3)):
                models.append(depthwise_model((2, 7, 9, 5), taps, multiplier=multiplier, stride=stride))
                kernels.add(dsp_call(models[-1]).kernel)
    assert kernels == {"mcg_depthwise_conv_2d_s8_dsp", "mcg_depthwise_wide_s8_dsp", "mcg_conv_2d_s8_dsp"}
    prove(models)


def random_depthwise(seed: int) -> bytes:
    rng = np.random.default_rng(4000 + seed)

    def draw(low: int, high: int) -> int:
        return int(rng.integers(low, high, endpoint=True))

    same = bool(rng.integers(2))
    return depthwise_model(
        (draw(1, 2), draw(5, 14), draw(5, 14), draw(1, 18)),
        (draw(1, 5), draw(1, 5)),
        stride=(draw(1, 3), draw(1, 3)),
        dilation=(draw(1, 2), draw(1, 2)) if same else (1, 1),
        same=same,
        quant=Quantized(per_channel=bool(rng.integers(2)), input_zero=draw(-128, 127), gain=0.5, seed=seed),
    )


def test_depthwise_random() -> None:
    prove([random_depthwise(seed) for seed in range(16)])


@pytest.mark.parametrize("per_channel", [False, True], ids=["per tensor", "per channel"])
def test_dense_shapes(per_channel: bool) -> None:
    quant = Quantized(per_channel=per_channel)
    shapes = test_fully_connected.SHAPES.values()
    prove([dense_model(source, channels, depth, quant=quant, **more) for source, channels, depth, more in shapes])


def test_dense_quantizations() -> None:
    models = {q: dense_model((1, 23), 11, 23, quant=q) for q in test_fully_connected.QUANTIZATIONS.values()}
    prove([model for quant, model in models.items() if quant.weights_zero == 0])
    for model in (model for quant, model in models.items() if quant.weights_zero):
        (call,) = make_plan(read_graph(model), M4).steps[0].calls
        assert call.why_not_faster == "no DSP variant: the weights' zero point is not 0"


def test_dense_sizes() -> None:
    sizes = [(rows, channels, 2 * channels + rows) for rows in (1, 2, 3, 9) for channels in range(1, 10)]
    quants = [Quantized(per_channel=bool(n % 2)) for n in range(len(sizes))]
    prove([dense_model((r, depth), c, depth, quant=q) for (r, c, depth), q in zip(sizes, quants, strict=True)])


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
def test_pools(kind: str) -> None:
    shapes = test_pool_2d.SHAPES.values()
    models = [test_pool_2d.pool_model(kind, image, filters, **settings) for image, filters, settings in shapes]
    for activation in ("RELU", "RELU6", "RELU_N1_TO_1"):
        models.append(test_pool_2d.pool_model(kind, (1, 6, 6, 5), (2, 2), activation=activation))
    prove(models)


def test_pool_of_the_most_pixels() -> None:
    assert_bit_exact(test_pool_2d.pool_model("AVERAGE_POOL_2D", (1, 15, 17, 6), (15, 17)), target=M4)
    model = test_pool_2d.pool_model("AVERAGE_POOL_2D", (1, 16, 16, 6), (16, 16))
    (call,) = make_plan(read_graph(model), M4).steps[0].calls
    assert call.why_not_faster == "no DSP variant: its windows have more than 255 pixels"


def sum_model(
    scale1: float, scale2: float, output: float, *, kind: str = "ADD", activation: int = 0, second: int = 303
) -> bytes:
    first = TensorSpec((1, 303), scale=scale1, zero_point=-7)
    other = TensorSpec((1, second), scale=scale2, zero_point=127)
    table = options(f"{kind.capitalize()}Options", fusedActivationFunction=activation)
    return build_model(kind, table, [first, other], [TensorSpec((1, 303), scale=output, zero_point=-128)])


@pytest.mark.parametrize("kind", ["ADD", "SUB"])
def test_sums(kind: str) -> None:
    """Whichever operand has the larger scale, by however much."""
    others = (0.1, 0.0999, 0.051, 0.05, 1e-4, 1e-12)
    scales = [pair for other in others for pair in ((0.1, other), (other, 0.1))]
    outputs = (0.003, 0.2, 30.0)
    prove([sum_model(first, second, output, kind=kind) for first, second in scales for output in outputs])


def products() -> list[bytes]:
    """MUL of the same shapes, of a single value, and with a factor that vanishes."""
    scales = [(0.1, 0.1, 0.03), (0.1, 0.05, 0.2), (0.3, 0.9, 30.0), (1e-12, 1e-13, 0.5)]
    return [sum_model(*scale, kind="MUL", second=second) for scale in scales for second in (303, 1)]


def test_products() -> None:
    prove(products())


def test_sums_that_stay_portable() -> None:
    def why(model: bytes) -> str:
        (call,) = make_plan(read_graph(model), M4).steps[0].calls
        assert call.variant == "portable"
        assert_bit_exact(model, target=M4)
        return call.why_not_faster

    assert why(sum_model(0.1, 0.1, 0.2, second=1)) == "no DSP variant: an operand is broadcast"
    assert why(sum_model(0.1, 0.1, 0.2, activation=3)) == "no DSP variant: its activation clamps the output"
    assert why(sum_model(0.1, 0.1, 0.2, kind="MUL", activation=3)) == "no DSP variant: its activation clamps the output"
    assert why(sum_model(0.1, 0.1, 0.01, kind="MUL")) == "no DSP variant: the output's scale is too small for it"
    assert why(sum_model(0.1, 0.1, 0.2 / 2**19)) == "no DSP variant: the output's scale is too small for it"
