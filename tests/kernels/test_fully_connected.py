"""FULLY_CONNECTED in generated C against the oracle."""

from __future__ import annotations

import dataclasses

import pytest

from tests.kernels.single_op import assert_bit_exact
from tests.kernels.weighted_models import Quantized, dense_model, distinct, tie_model

PER_TENSOR = Quantized(per_channel=False)

SHAPES = {
    "one row": ((1, 64), 10, 64, {}),
    "one output": ((1, 13), 1, 13, {}),
    "two outputs": ((1, 13), 2, 13, {}),
    "depth 1": ((1, 1), 16, 1, {}),
    "odd depth": ((1, 31), 7, 31, {}),
    "several rows": ((5, 12), 9, 12, {}),
    "image flattened": ((1, 3, 4, 5), 6, 60, {}),
    "image in rows": ((2, 3, 4, 5), 6, 10, {}),
    "one dimension": ((24,), 5, 24, {}),
    "keeps dimensions": ((1, 3, 4, 8), 5, 8, {"keep_dims": True, "output": (1, 3, 4, 5)}),
    "three dimensions": ((2, 3, 8), 4, 8, {"keep_dims": True, "output": (2, 3, 4)}),
    "deep": ((1, 1200), 3, 1200, {}),
}


@pytest.mark.parametrize("per_channel", [False, True], ids=["per tensor", "per channel"])
@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str, per_channel: bool) -> None:
    source, channels, depth, settings = SHAPES[name]
    results = assert_bit_exact(
        dense_model(source, channels, depth, quant=Quantized(per_channel=per_channel), **settings), 20
    )
    assert distinct(results) > 8


QUANTIZATIONS = {
    "no bias": dataclasses.replace(PER_TENSOR, bias=False),
    "input zero point lowest": dataclasses.replace(PER_TENSOR, input_zero=-128),
    "input zero point highest": dataclasses.replace(PER_TENSOR, input_zero=127),
    "output zero point lowest": dataclasses.replace(PER_TENSOR, output_zero=-128),
    "output zero point highest": dataclasses.replace(PER_TENSOR, output_zero=127),
    "weights zero point": dataclasses.replace(PER_TENSOR, weights_zero=9),
    "weights zero point lowest": dataclasses.replace(PER_TENSOR, weights_zero=-128, input_zero=127),
    "weights zero point highest": dataclasses.replace(PER_TENSOR, weights_zero=127, input_zero=-128),
    "saturating": dataclasses.replace(PER_TENSOR, gain=0.01),
    "tiny scales": dataclasses.replace(PER_TENSOR, input_scale=1e-12, weights_scale=1e-13),
    "left shifts": dataclasses.replace(PER_TENSOR, input_scale=3.0, weights_scale=5.0, output_scale=0.4),
    "left shifts that wrap around": dataclasses.replace(
        PER_TENSOR, input_scale=3.0, weights_scale=5.0, output_scale=1e-5
    ),
    "ties": dataclasses.replace(PER_TENSOR, input_scale=1.0, weights_scale=2.0**-9, output_scale=1.0),
    "relu": dataclasses.replace(PER_TENSOR, activation="RELU", output_zero=-20),
    "relu6": dataclasses.replace(PER_TENSOR, activation="RELU6", output_zero=-100, input_scale=0.2),
}


@pytest.mark.parametrize("name", QUANTIZATIONS)
def test_quantizations(name: str) -> None:
    results = assert_bit_exact(dense_model((3, 21), 6, 21, quant=QUANTIZATIONS[name]), 20)
    assert distinct(results) > 1


@pytest.mark.parametrize("per_channel", [False, True], ids=["per tensor", "per channel"])
@pytest.mark.parametrize("input_scale", [0.05, 0.0123, 0.7001])
def test_last_bit_of_the_multiplier(input_scale: float, per_channel: bool) -> None:
    """Scales are multiplied in double, not in float32: accumulators at ties tell them apart."""
    model = tie_model("FULLY_CONNECTED", input_scale, 0.0101, per_channel=per_channel)
    assert_bit_exact(model, 0)


def test_no_undefined_behaviour(capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("weights zero point lowest", "left shifts that wrap around"):
        model = dense_model((3, 21), 6, 21, quant=QUANTIZATIONS[name])
        assert_bit_exact(model, flags=("-O1", "-fsanitize=undefined"))
    assert "runtime error" not in capfd.readouterr().err
