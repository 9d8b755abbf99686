"""DEPTHWISE_CONV_2D in generated C against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.single_op import assert_bit_exact
from tests.kernels.weighted_models import Quantized, depthwise_model, distinct

SHAPES = {
    "3x3 same": ((1, 6, 7, 8), (3, 3), {}),
    "3x3 valid": ((1, 6, 7, 8), (3, 3), {"same": False}),
    "stride 2, padding asymmetric": ((1, 8, 8, 4), (3, 3), {"stride": (2, 2)}),
    "stride 2, padding symmetric": ((1, 7, 7, 4), (3, 3), {"stride": (2, 2)}),
    "strides differ": ((1, 9, 8, 5), (2, 4), {"stride": (1, 3)}),
    "one channel": ((1, 5, 5, 1), (3, 3), {}),
    "two channels": ((1, 5, 5, 2), (3, 3), {}),
    "three channels": ((1, 5, 5, 3), (3, 3), {}),
    "eleven channels": ((1, 5, 4, 11), (3, 3), {"stride": (2, 1)}),
    "dilation": ((1, 9, 9, 6), (3, 3), {"dilation": (2, 3)}),
    "dilation, valid": ((1, 9, 9, 6), (3, 3), {"dilation": (2, 3), "same": False}),
    "filter larger than input": ((1, 2, 3, 5), (5, 7), {}),
    "1x1 input": ((1, 1, 1, 9), (3, 3), {}),
    "1x1 filter": ((1, 3, 4, 6), (1, 1), {}),
    "1x1 filter, stride": ((1, 6, 5, 6), (1, 1), {"stride": (2, 2)}),
    "5x1 filter": ((1, 20, 1, 7), (5, 1), {"same": False}),
    "even filter": ((1, 5, 6, 4), (4, 2), {}),
    "batch 2": ((2, 5, 4, 5), (3, 3), {"stride": (2, 2)}),
    "multiplier 2": ((1, 5, 5, 3), (3, 3), {"multiplier": 2}),
    "multiplier 5, batch 2, stride": ((2, 6, 5, 2), (3, 3), {"multiplier": 5, "stride": (2, 2)}),
    "multiplier 8, one channel": ((1, 14, 12, 1), (10, 8), {"multiplier": 8, "stride": (2, 2)}),
    "multiplier 3, dilation": ((1, 9, 8, 4), (3, 2), {"multiplier": 3, "dilation": (2, 2)}),
    "multiplier 4, 1x1": ((1, 3, 3, 3), (1, 1), {"multiplier": 4}),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str) -> None:
    image, filters, settings = SHAPES[name]
    results = assert_bit_exact(depthwise_model(image, filters, **settings))
    assert distinct(results) > 8


QUANTIZATIONS = {
    "per tensor": Quantized(per_channel=False),
    "no bias": Quantized(bias=False),
    "input zero point lowest": Quantized(input_zero=-128),
    "input zero point highest": Quantized(input_zero=127),
    "output zero point lowest": Quantized(output_zero=-128),
    "output zero point highest": Quantized(output_zero=127),
    "saturating": Quantized(gain=0.01),
    "tiny scales": Quantized(input_scale=1e-12, weights_scale=1e-13),
    "left shifts": Quantized(input_scale=3.0, weights_scale=5.0, output_scale=0.4),
    "left shifts that wrap around": Quantized(input_scale=3.0, weights_scale=5.0, output_scale=1e-5),
    "ties": Quantized(input_scale=1.0, weights_scale=2.0**-9, output_scale=1.0, per_channel=False),
    "relu6": Quantized(activation="RELU6", output_zero=-100, input_scale=0.2),
    "relu n1 to 1": Quantized(activation="RELU_N1_TO_1", output_zero=3, output_scale=0.02),
}


@pytest.mark.parametrize("name", QUANTIZATIONS)
def test_quantizations(name: str) -> None:
    results = assert_bit_exact(depthwise_model((1, 5, 4, 7), (3, 3), quant=QUANTIZATIONS[name]))
    assert distinct(results) > 1


@pytest.mark.parametrize("seed", range(12))
def test_random(seed: int) -> None:
    rng = np.random.default_rng(2000 + seed)

    def draw(low: int, high: int) -> int:
        return int(rng.integers(low, high, endpoint=True))

    image = (draw(1, 2), draw(3, 12), draw(3, 12), draw(1, 18))
    quant = Quantized(
        per_channel=bool(rng.integers(2)),
        bias=bool(rng.integers(2)),
        input_zero=draw(-128, 127),
        output_zero=draw(-128, 127),
        gain=float(10 ** rng.uniform(-1, 0.5)),
        activation=str(rng.choice(["NONE", "RELU", "RELU6"])),
        seed=seed,
    )
    model = depthwise_model(
        image,
        (draw(1, 3), draw(1, 3)),
        multiplier=int(rng.choice([1, 1, 2, 3])),
        stride=(draw(1, 3), draw(1, 3)),
        same=bool(rng.integers(2)),
        quant=quant,
    )
    assert_bit_exact(model, seed=seed)


def test_no_undefined_behaviour(capfd: pytest.CaptureFixture[str]) -> None:
    for quant in (Quantized(), QUANTIZATIONS["left shifts that wrap around"]):
        model = depthwise_model((2, 5, 4, 7), (5, 3), stride=(2, 1), dilation=(2, 1), quant=quant)
        assert_bit_exact(model, flags=("-O1", "-fsanitize=undefined"))
    assert "runtime error" not in capfd.readouterr().err


def test_a_multiplier_becomes_a_grouped_convolution() -> None:
    plain = make_plan(read_graph(depthwise_model((1, 5, 5, 3), (3, 3)))).steps[0]
    multiplied = make_plan(read_graph(depthwise_model((1, 5, 5, 3), (3, 3), multiplier=2))).steps[0]
    assert plain.calls[0].kernel == "mcg_depthwise_conv_2d_s8"
    assert multiplied.calls[0].kernel == "mcg_conv_2d_s8"
    assert (plain.macs, multiplied.macs) == (25 * 3 * 9, 25 * 6 * 9)
