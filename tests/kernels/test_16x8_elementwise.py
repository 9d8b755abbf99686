"""Element-wise ops of int16 activations, and of plain int32 numbers, bit for bit the oracle's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcugen.errors import UnsupportedOpError
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.single_op import TensorSpec, assert_bit_exact, build_model, constant, make_samples, options
from tests.kernels.weighted_models import ACTIVATIONS, distinct

SHAPES = {
    "same": ((2, 3, 4, 5), (2, 3, 4, 5)),
    "scalar": ((3, 7), ()),
    "channels": ((2, 5, 6), (6,)),
    "both stretch": ((3, 1, 4), (1, 5, 1)),
}
OPTIONS = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions"}


def options_of(kind: str, activation: str = "NONE") -> Any:
    table = OPTIONS.get(kind)
    return options(table, fusedActivationFunction=ACTIVATIONS[activation]) if table else None


def model(
    kind: str,
    shapes: tuple[tuple[int, ...], tuple[int, ...]] = SHAPES["same"],
    scales: tuple[float, float, float] = (0.001, 0.0007, 0.0011),
    activation: str = "NONE",
    slopes: str = "int16",
    zero_point: int = 0,
) -> bytes:
    first, second = TensorSpec(shapes[0], "int16", scales[0]), TensorSpec(shapes[1], slopes, scales[1], zero_point)
    output = TensorSpec(np.broadcast_shapes(*shapes), "int16", scales[2])
    return build_model(kind, options_of(kind, activation), [first, second], [output])


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL", "SQUARED_DIFFERENCE"])
def test_broadcasting(kind: str, shapes: str) -> None:
    scales = {"MUL": (0.002, 0.0003, 0.02), "SQUARED_DIFFERENCE": (0.001, 0.0007, 0.1)}
    assert_bit_exact(model(kind, SHAPES[shapes], scales.get(kind, (0.001, 0.0007, 0.0011))))


@pytest.mark.parametrize(
    "scales", [(1.0, 1.0, 1.0), (2.0**-15, 1e-9, 2.0**-14), (3e-5, 2.9e-5, 3e-9), (1e-3, 1e3, 1e3), (0.1, 0.3, 70.0)]
)
@pytest.mark.parametrize("kind", ["ADD", "SUB"])
def test_extreme_scales_of_sums(kind: str, scales: tuple[float, float, float]) -> None:
    assert_bit_exact(model(kind, scales=scales), 12)


@pytest.mark.parametrize("scales", [(1.0, 1.0, 1.0001), (2.0**-15, 2.0**-15, 2.0**-15), (1e-3, 1e-3, 1e5)])
@pytest.mark.parametrize("kind", ["MUL", "SQUARED_DIFFERENCE"])
def test_extreme_scales_of_products(kind: str, scales: tuple[float, float, float]) -> None:
    if kind == "SQUARED_DIFFERENCE":
        scales = (scales[0], scales[1], scales[2] * 4.001)
    assert_bit_exact(model(kind, scales=scales), 12)


@pytest.mark.parametrize("activation", ["RELU", "RELU6", "RELU_N1_TO_1"])
@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_activations(kind: str, activation: str) -> None:
    assert_bit_exact(model(kind, activation=activation, scales=(0.001, 0.0007, 0.001)))


@pytest.mark.parametrize("kind", ["MAXIMUM", "MINIMUM"])
@pytest.mark.parametrize("shapes", SHAPES)
def test_extrema(kind: str, shapes: str) -> None:
    assert_bit_exact(model(kind, SHAPES[shapes], scales=(0.01, 0.01, 0.01)))


@pytest.mark.parametrize("scales", [(0.001, 0.02, 0.001), (0.001, 0.001, 0.0001), (2.0**-15, 0.7, 3e-5)])
def test_prelu(scales: tuple[float, float, float]) -> None:
    assert distinct(assert_bit_exact(model("PRELU", SHAPES["channels"], scales, slopes="int8", zero_point=-7))) > 20


def refusal(data: bytes) -> str:
    with pytest.raises(UnsupportedOpError) as caught:
        make_plan(read_graph(data))
    return str(caught.value)


def test_refusals() -> None:
    assert "zero point of 5" in refusal(model("ADD", zero_point=5))
    assert "2^14 times smaller" in refusal(model("ADD", scales=(1.0, 1.0, 1e-6)))
    assert "overflows" in refusal(model("MUL", scales=(1.0, 1.0, 0.4)))
    assert "overflows" in refusal(model("SQUARED_DIFFERENCE", scales=(1.0, 1.0, 1.0)))
    assert "quantized differently" in refusal(model("MAXIMUM"))
    assert "is int16, not int8" in refusal(model("PRELU"))


INT32_KINDS = ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE")


def int32_model(
    kind: str, shapes: tuple[tuple[int, ...], tuple[int, ...]], activation: str = "NONE", divisor: int | None = None
) -> bytes:
    second = TensorSpec(shapes[1], "int32")
    if divisor is not None:
        second = constant(np.full(shapes[1], divisor, np.int32))
    output = TensorSpec(np.broadcast_shapes(*shapes), "int32")
    return build_model(kind, options_of(kind, activation), [TensorSpec(shapes[0], "int32"), second], [output])


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("kind", INT32_KINDS)
def test_int32(kind: str, shapes: str) -> None:
    data = int32_model(kind, SHAPES[shapes])
    samples = make_samples(data, 6)
    for a, b in samples[2:]:
        b[...] = np.where(b % 3 == 0, b % 1000 + 1, b)  # small ones, too, and none that is 0
        a[...] = np.where(a % 2 == 0, a % 5000, a)
    assert_bit_exact(data, samples[2:] if kind == "DIV" else samples)


@pytest.mark.parametrize("kind", ["SUB", "MUL", "DIV"])
@pytest.mark.parametrize("activation", ["RELU", "RELU6", "RELU_N1_TO_1"])
def test_int32_activations(kind: str, activation: str) -> None:
    data = int32_model(kind, ((50,), (1,)), activation, divisor=3)
    assert_bit_exact(data, [[np.arange(-25, 25, dtype=np.int32)]])


def test_int32_refusals() -> None:
    assert "divides by 0" in refusal(int32_model("DIV", ((4,), (4,)), divisor=0))
    assert "leaves out" in refusal(int32_model("ADD", ((4,), (4,)), "RELU"))
    quantized = TensorSpec((4,), "int32", 0.5)
    output = TensorSpec((4,), "int32", 0.5)
    assert "quantized" in refusal(build_model("ADD", options_of("ADD"), [quantized, quantized], [output]))
