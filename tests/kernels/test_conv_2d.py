"""CONV_2D in generated C against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.errors import UnsupportedOpError
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.single_op import TensorSpec, assert_bit_exact, build_model, constant, options
from tests.kernels.weighted_models import ACTIVATIONS, Quantized, conv_model, distinct, tie_model

SHAPES = {
    "3x3 same": ((1, 6, 7, 4), (8, 3, 3), {}),
    "3x3 valid": ((1, 6, 7, 4), (8, 3, 3), {"same": False}),
    "stride 2, padding asymmetric": ((1, 8, 8, 3), (5, 3, 3), {"stride": (2, 2)}),
    "stride 2, padding symmetric": ((1, 7, 7, 3), (5, 3, 3), {"stride": (2, 2)}),
    "strides differ": ((1, 9, 8, 2), (3, 2, 4), {"stride": (1, 3)}),
    "stride beyond filter": ((1, 9, 9, 2), (4, 2, 2), {"stride": (4, 4)}),
    "one output channel": ((1, 5, 5, 3), (1, 3, 3), {}),
    "two output channels": ((1, 5, 5, 3), (2, 3, 3), {}),
    "seven channels to five": ((1, 4, 5, 7), (5, 3, 2), {}),
    "dilation": ((1, 9, 9, 3), (4, 3, 3), {"dilation": (2, 2)}),
    "dilations differ": ((1, 9, 8, 3), (4, 3, 3), {"dilation": (1, 3)}),
    "dilation, valid, stride": ((1, 11, 11, 2), (4, 3, 3), {"dilation": (2, 3), "stride": (2, 2), "same": False}),
    "even filter": ((1, 5, 6, 3), (6, 4, 2), {}),
    "filter larger than input": ((1, 2, 3, 3), (4, 5, 7), {}),
    "1x1 input": ((1, 1, 1, 9), (6, 3, 3), {}),
    "1x1 filter": ((1, 4, 5, 13), (7, 1, 1), {}),
    "1x1 filter, one channel in": ((1, 4, 5, 1), (3, 1, 1), {}),
    "1x1 filter, strides": ((1, 7, 6, 6), (5, 1, 1), {"stride": (2, 3)}),
    "1x1 filter, one window": ((1, 4, 3, 6), (5, 1, 1), {"stride": (1 << 30, 1 << 30), "same": False}),
    "1x1 filter, batch 2, stride": ((2, 5, 5, 6), (4, 1, 1), {"stride": (2, 2)}),
    "1x1 filter and input": ((1, 1, 1, 17), (9, 1, 1), {}),
    "1x3 filter, valid": ((1, 4, 8, 3), (5, 1, 3), {"same": False, "stride": (1, 2)}),
    "1x3 filter, same": ((1, 4, 8, 3), (5, 1, 3), {}),
    "1x3 filter, dilated": ((1, 4, 8, 3), (5, 1, 3), {"same": False, "dilation": (1, 2)}),
    "3x1 filter, image of width 1": ((1, 12, 1, 8), (6, 3, 1), {"same": False, "stride": (2, 1)}),
    "3x1 filter, image of width 1, dilated": ((1, 12, 1, 8), (6, 3, 1), {"same": False, "dilation": (2, 1)}),
    "as wide as the image": ((1, 6, 4, 3), (5, 2, 4), {"same": False}),
    "the whole image": ((2, 4, 4, 3), (5, 4, 4), {"same": False}),
    "tall filter of the keyword model": ((1, 49, 10, 1), (8, 10, 4), {"stride": (2, 2)}),
    "batch 2": ((2, 5, 4, 3), (4, 3, 3), {"stride": (2, 1)}),
    "two groups": ((1, 5, 5, 6), (4, 3, 3), {"groups": 2}),
    "one group per channel": ((1, 5, 5, 3), (6, 3, 3), {"groups": 3, "stride": (2, 2)}),
    "groups, dilation": ((2, 6, 6, 8), (8, 2, 3), {"groups": 4, "dilation": (2, 1)}),
    "groups, 1x1": ((1, 3, 4, 8), (12, 1, 1), {"groups": 4}),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str) -> None:
    image, filters, settings = SHAPES[name]
    results = assert_bit_exact(conv_model(image, filters, **settings))
    assert distinct(results) > 8


QUANTIZATIONS = {
    "per tensor": Quantized(per_channel=False),
    "per tensor, no bias": Quantized(per_channel=False, bias=False),
    "no bias": Quantized(bias=False),
    "input zero point lowest": Quantized(input_zero=-128),
    "input zero point highest": Quantized(input_zero=127),
    "input zero point 0": Quantized(input_zero=0),
    "output zero point lowest": Quantized(output_zero=-128),
    "output zero point highest": Quantized(output_zero=127),
    "saturating": Quantized(gain=0.01),
    "nearly constant": Quantized(gain=20.0),
    "tiny scales": Quantized(input_scale=1e-12, weights_scale=1e-13),
    "huge scales": Quantized(input_scale=1e9, weights_scale=1e8),
    "multiplier underflows to 0": Quantized(input_scale=1e-7, weights_scale=1e-7, output_scale=1e3),
    "left shifts": Quantized(input_scale=3.0, weights_scale=5.0, output_scale=0.4),
    "left shifts that wrap around": Quantized(input_scale=3.0, weights_scale=5.0, output_scale=1e-5),
    "shift 0": Quantized(input_scale=1.0, weights_scale=0.7, output_scale=1.0, per_channel=False),
    "shift -1": Quantized(input_scale=1.0, weights_scale=0.3, output_scale=1.0, per_channel=False),
    "multiplier 1/2 exactly": Quantized(input_scale=1.0, weights_scale=0.5, output_scale=1.0, per_channel=False),
    "ties": Quantized(input_scale=1.0, weights_scale=2.0**-9, output_scale=1.0, per_channel=False),
    "relu": Quantized(activation="RELU", output_zero=-128),
    "relu, zero point inside": Quantized(activation="RELU", output_zero=-20),
    "relu6": Quantized(activation="RELU6", output_zero=-100, input_scale=0.2),
    "relu n1 to 1": Quantized(activation="RELU_N1_TO_1", output_zero=3, output_scale=0.02),
}


@pytest.mark.parametrize("filters", [(5, 3, 3), (5, 1, 1)], ids=["3x3", "1x1"])
@pytest.mark.parametrize("name", QUANTIZATIONS)
def test_quantizations(name: str, filters: tuple[int, int, int]) -> None:
    results = assert_bit_exact(conv_model((1, 5, 4, 6), filters, quant=QUANTIZATIONS[name]))
    assert distinct(results) > 1 or "underflows" in name


@pytest.mark.parametrize("seed", range(16))
def test_random(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)

    def draw(low: int, high: int) -> int:
        return int(rng.integers(low, high, endpoint=True))

    groups = int(rng.choice([1, 1, 1, 2, 3]))
    image = (draw(1, 2), draw(3, 12), draw(3, 12), groups * draw(1, 9))
    filters = (groups * draw(1, 9), draw(1, 3), draw(1, 3))
    same = bool(rng.integers(2))
    dilation = (draw(1, 2), draw(1, 2)) if same else (1, 1)
    quant = Quantized(
        per_channel=bool(rng.integers(2)),
        bias=bool(rng.integers(2)),
        input_zero=draw(-128, 127),
        output_zero=draw(-128, 127),
        gain=float(10 ** rng.uniform(-1, 0.5)),
        activation=str(rng.choice(["NONE", "RELU", "RELU6"])),
        seed=seed,
    )
    stride = (draw(1, 3), draw(1, 3))
    assert_bit_exact(
        conv_model(image, filters, groups=groups, stride=stride, dilation=dilation, same=same, quant=quant),
        seed=seed,
    )


@pytest.mark.parametrize("name", ["stride 2, padding asymmetric", "1x1 filter, batch 2, stride", "groups, dilation"])
def test_no_undefined_behaviour(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    image, filters, settings = SHAPES[name]
    wrapping = Quantized(input_scale=3.0, weights_scale=5.0, output_scale=1e-5)
    for quant in (Quantized(), wrapping):
        model = conv_model(image, filters, quant=quant, **settings)
        assert_bit_exact(model, flags=("-O1", "-fsanitize=undefined"))
    assert "runtime error" not in capfd.readouterr().err


@pytest.mark.parametrize("per_channel", [False, True], ids=["per tensor", "per channel"])
@pytest.mark.parametrize("input_scale", [0.05, 0.0123, 0.7001])
def test_last_bit_of_the_multiplier(input_scale: float, per_channel: bool) -> None:
    assert_bit_exact(tie_model("CONV_2D", input_scale, 0.0101, per_channel=per_channel), 0)


def layer_of_biases(biases: list[int], scales: list[float]) -> bytes:
    """Outputs are the requantized biases: the weights are 0, input and output have scale 1."""
    channels = len(biases)
    inputs = [
        TensorSpec((1, 1, 1, 1), scale=1.0),
        constant(np.zeros((channels, 1, 1, 1), np.int8), scales),
        constant(np.array(biases, np.int32), 1.0),
    ]
    table = options("Conv2DOptions", strideH=1, strideW=1)
    return build_model("CONV_2D", table, inputs, [TensorSpec((1, 1, 1, channels), scale=1.0)])


def scale_down(model: bytes) -> int:
    return int(dict(make_plan(read_graph(model)).steps[0].calls[0].params)["scale_down"])  # type: ignore[arg-type]


def test_ties_beside_left_shifts() -> None:
    """One channel that shifts to the left takes the short requantization from all of them."""
    biases = [*range(-40, 40), 3]
    model = layer_of_biases(biases, [0.25, 0.125, 0.375, 0.5] * 20 + [3.0])
    assert scale_down(model) == 0
    assert_bit_exact(model, 0)


def test_accumulators_near_the_limit() -> None:
    """The short requantization would overflow here, and turn 127 into -128."""
    model = layer_of_biases([(1 << 31) - 1, -(1 << 31) + 1], [float(np.nextafter(np.float32(0.5), np.float32(0)))] * 2)
    assert scale_down(model) == 0
    assert scale_down(layer_of_biases([(1 << 30) - 1], [0.3])) == 1
    assert scale_down(layer_of_biases([1 << 30], [0.3])) == 0
    (outputs,) = assert_bit_exact(model, 0)[0]
    assert outputs.reshape(-1).tolist() == [127, -128]


def test_constant_params_choose_the_kernel() -> None:
    def kernel(model: bytes) -> tuple[str, int]:
        call = make_plan(read_graph(model)).steps[0].calls[0]
        return call.kernel, call.scratch_bytes

    assert kernel(conv_model((1, 4, 5, 13), (7, 1, 1))) == ("mcg_conv_direct_s8", 0)
    assert kernel(conv_model((1, 12, 1, 8), (6, 3, 1), same=False)) == ("mcg_conv_direct_s8", 0)
    assert kernel(conv_model((1, 12, 1, 8), (6, 3, 1), same=True)) == ("mcg_conv_2d_s8", 24)
    assert kernel(conv_model((1, 5, 5, 6), (4, 3, 3), groups=2)) == ("mcg_conv_2d_s8", 27)


class TestRefusals:
    def refuse(self, model: bytes, text: str) -> None:
        with pytest.raises(UnsupportedOpError, match=text) as caught:
            make_plan(read_graph(model))
        assert 'op 0 CONV_2D "' in str(caught.value)

    def test_filter_zero_point(self) -> None:
        self.refuse(
            conv_model((1, 5, 5, 3), (4, 3, 3), quant=Quantized(per_channel=False, weights_zero=3)),
            "the filter has a zero point of 3, not 0",
        )

    def test_activation(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(ACTIVATIONS, "TANH", 4)
        model = conv_model((1, 5, 5, 3), (4, 3, 3), quant=Quantized(activation="TANH"))
        self.refuse(model, "the fused activation is TANH")
