"""Convolutions and fully connected layers of int16 activations and int8 weights, bit for bit the oracle's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcugen.errors import UnsupportedOpError
from mcugen.ops.base import Target
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.models_16x8 import conv, dense, depthwise, layer
from tests.kernels.single_op import TensorSpec, assert_bit_exact, build_model, constant, options
from tests.kernels.weighted_models import distinct, random_weights

CONVOLUTIONS: dict[str, tuple[tuple[int, int, int, int], tuple[int, int, int], dict[str, Any]]] = {
    "3x3 same": ((1, 6, 7, 3), (5, 3, 3), {}),
    "1x1": ((1, 4, 5, 9), (7, 1, 1), {}),
    "1x1, stride 2": ((2, 5, 4, 6), (8, 1, 1), {"stride": (2, 2)}),
    "as wide as the image": ((1, 8, 5, 2), (6, 3, 5), {"same": False}),
    "stride and padding": ((1, 9, 8, 4), (4, 3, 5), {"stride": (2, 3)}),
    "dilated": ((1, 9, 9, 2), (3, 3, 3), {"dilation": (2, 3)}),
    "groups": ((1, 5, 5, 6), (8, 3, 3), {"groups": 2}),
    "more than one block of products": ((1, 3, 3, 70), (5, 3, 3), {}),
    "filter larger than image": ((1, 2, 3, 3), (4, 5, 7), {}),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_conv_shapes(case: str) -> None:
    image, filters, how = CONVOLUTIONS[case]
    expected = assert_bit_exact(conv(image, filters, **how))
    assert distinct(expected) > 100


@pytest.mark.parametrize("activation", ["RELU", "RELU6", "RELU_N1_TO_1"])
def test_conv_activations(activation: str) -> None:
    assert_bit_exact(conv((1, 5, 5, 3), (6, 3, 3), activation=activation, gain=0.5))


@pytest.mark.parametrize("bias", ["int64", "int32", None])
@pytest.mark.parametrize("per_channel", [True, False])
def test_biases_and_scales(bias: str | None, per_channel: bool) -> None:
    assert_bit_exact(conv((1, 4, 4, 3), (5, 2, 2), bias=bias, per_channel=per_channel, seed=3))
    assert_bit_exact(dense((3, 20), 7, bias=bias, per_channel=per_channel, seed=4))


def test_no_bias_but_sums_in_32_bits() -> None:
    models = [conv((1, 6, 6, 5), (6, 3, 3), bias=None, bias_type=bias_type, seed=9) for bias_type in (0, 2)]
    results = [assert_bit_exact(model, 12, seed=2) for model in models]
    different = sum((a[0] != b[0]).sum() for a, b in zip(*results, strict=True))
    assert different > 0, "the two ways of rounding are not told apart"


@pytest.mark.parametrize("seed", range(4))
def test_large_factors_and_biases_beyond_32_bits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source = TensorSpec((4, 6), "int16", 2.0**-14)
    weights = constant(random_weights((5, 6), seed), [float(2.0**-k) for k in (2, 7, 12, 20, 28)])
    bias = constant(rng.integers(-(1 << 36), 1 << 36, 5), 2.0**-20)
    output = TensorSpec((4, 5), "int16", 2.0**-3)
    op_options = options("FullyConnectedOptions")
    assert_bit_exact(build_model("FULLY_CONNECTED", op_options, [source, weights, bias], [output]))


@pytest.mark.parametrize(
    ("source", "channels", "activation"),
    [((1, 13), 1, "NONE"), ((1, 700), 10, "NONE"), ((5, 32), 6, "RELU"), ((2, 3, 9), 4, "NONE")],
)
def test_fully_connected(source: tuple[int, ...], channels: int, activation: str) -> None:
    assert_bit_exact(dense(source, channels, activation=activation))


@pytest.mark.parametrize(
    ("image", "filters", "how"),
    [
        ((1, 6, 7, 5), (3, 3), {}),
        ((2, 9, 8, 4), (3, 2), {"stride": (2, 3)}),
        ((1, 9, 9, 3), (3, 3), {"dilation": (2, 2), "same": False}),
        ((1, 5, 6, 3), (3, 3), {"multiplier": 4, "stride": (2, 1)}),
        ((1, 25, 3, 2), (25, 1), {"same": False}),
    ],
)
def test_depthwise(image: tuple[int, int, int, int], filters: tuple[int, int], how: dict[str, Any]) -> None:
    assert_bit_exact(depthwise(image, filters, **how))


@pytest.mark.parametrize("bias", ["int64", "int16", None])
@pytest.mark.parametrize(("stride", "same"), [((1, 1), True), ((2, 3), True), ((2, 2), False)])
def test_transpose_conv(bias: str | None, stride: tuple[int, int], same: bool) -> None:
    image, filters = (2, 3, 4, 5), (6, 3, 3)
    rows = image[1] * stride[0] if same else (image[1] - 1) * stride[0] + filters[1]
    columns = image[2] * stride[1] if same else (image[2] - 1) * stride[1] + filters[2]
    output = (image[0], rows, columns, filters[0])
    op_options = options("TransposeConvOptions", padding=0 if same else 1, strideH=stride[0], strideW=stride[1])
    weights = random_weights((*filters, image[3]))
    shape = constant(np.array(output, np.int32))
    assert_bit_exact(layer("TRANSPOSE_CONV", op_options, image, weights, output, bias=bias, first=[shape]))


def test_the_dsp_core_runs_the_portable_kernel() -> None:
    model = conv((1, 6, 6, 4), (8, 3, 3))
    plan = make_plan(read_graph(model), Target("cortex-m4", ("dsp",)))
    assert plan.steps[0].calls[0].variant == "portable"
    assert plan.steps[0].calls[0].why_not_faster


def refusal(model: bytes) -> str:
    with pytest.raises(UnsupportedOpError) as caught:
        make_plan(read_graph(model))
    return str(caught.value)


def test_refusals() -> None:
    weights = random_weights((4, 8))
    dense_options = options("FullyConnectedOptions")
    output = TensorSpec((1, 4), "int16", 0.01)
    source = TensorSpec((1, 8), "int16", 0.01)

    def made(image: TensorSpec, filters: TensorSpec, *bias: TensorSpec, to: TensorSpec = output) -> bytes:
        return build_model("FULLY_CONNECTED", dense_options, [image, filters, *bias], [to])

    plain = constant(weights, 0.01)
    shifted = TensorSpec((1, 8), "int16", 0.01, zero_point=3)
    assert "zero point of 3" in refusal(made(shifted, plain))
    assert "a zero point of 1" in refusal(made(source, constant(weights, 0.01, 1)))
    assert "int16, not int8" in refusal(made(source, constant(weights.astype(np.int16), 0.01)))
    for size in (1 << 47, -(1 << 63)):
        large = constant(np.full(4, size, np.int64), 0.0001)
        assert "more than 47 bits" in refusal(made(source, plain, large))
    near = constant(np.full(4, (1 << 31) - 9, np.int32), 0.0001)
    assert "more than 31 bits" in refusal(made(source, plain, near))
    tiny = TensorSpec((1, 4), "int16", 1e-9)
    assert "scaling overflows" in refusal(made(source, plain, to=tiny))


def test_depthwise_refuses_an_int32_bias() -> None:
    """The reference would read it as int64."""
    model = depthwise((1, 4, 4, 3), (1, 1), bias="int32")
    assert "not int64" in refusal(model)
