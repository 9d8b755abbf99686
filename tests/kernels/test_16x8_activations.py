"""Functions of one int16 tensor, and SOFTMAX to int16, bit for bit the oracle's: mostly over every int16 there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.errors import UnsupportedOpError
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.single_op import TensorSpec, assert_bit_exact, build_model, options
from tests.kernels.weighted_models import distinct

EVERY = np.arange(-(1 << 15), 1 << 15, dtype=np.int16)


def model(kind: str, scale: float, output_scale: float, op_options: Any = None, size: int = 1 << 16) -> bytes:
    source, output = TensorSpec((size,), "int16", scale), TensorSpec((size,), "int16", output_scale)
    return build_model(kind, op_options, [source], [output])


def refusal(data: bytes) -> str:
    with pytest.raises(UnsupportedOpError) as caught:
        make_plan(read_graph(data))
    return str(caught.value)


SCALES = [(0.001, 0.001), (0.001, 0.0007), (0.003, 0.7), (1.0, 2.0**-14), (2.0**-15, 1e4)]


@pytest.mark.parametrize("scales", SCALES)
def test_relu(scales: tuple[float, float]) -> None:
    assert_bit_exact(model("RELU", *scales), [[EVERY]])


@pytest.mark.parametrize("scale", [0.001, 0.0002, 6.0 / 32767.0, 7.0])
def test_relu6(scale: float) -> None:
    assert_bit_exact(model("RELU6", scale, scale), [[EVERY]])


@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("alpha", [0.1, -0.3, 1.7, 0.0])
def test_leaky_relu(scales: tuple[float, float], alpha: float) -> None:
    assert_bit_exact(model("LEAKY_RELU", *scales, options("LeakyReluOptions", alpha=alpha)), [[EVERY]])


@pytest.mark.parametrize("scales", SCALES)
def test_abs(scales: tuple[float, float]) -> None:
    assert_bit_exact(model("ABS", *scales), [[EVERY]])


@pytest.mark.parametrize(
    "scales",
    [
        (0.001, 0.01),
        (2.0**-15, 0.006),
        (1.0, 1e-4),
        (3e-7, 0.2),
        (0.0017675069393590093, 0.0005368732963688672),  # tells a root in double from one in float32
    ],
)
def test_rsqrt(scales: tuple[float, float]) -> None:
    assert distinct(assert_bit_exact(model("RSQRT", *scales, size=1 << 15), [[EVERY[1 << 15 :]]])) > 100


@pytest.mark.parametrize("scale", [2.0**-12, 2.0**-11, 2.0**-13, 0.001, 0.00009, 1e-5, 0.7, 2.66, 1e-9])
@pytest.mark.parametrize("kind", ["LOGISTIC", "TANH"])
def test_sigmoids(kind: str, scale: float) -> None:
    assert_bit_exact(model(kind, scale, 2.0**-15), [[EVERY]])


def softmax(shape: tuple[int, ...], scale: float, beta: float = 1.0, source: str = "int16") -> bytes:
    output = TensorSpec(shape, "int16", 2.0**-15 if source == "int16" else 2.0**-16, 0 if source == "int16" else -32768)
    inputs = [TensorSpec(shape, source, scale, 0 if source == "int16" else 5)]
    return build_model("SOFTMAX", options("SoftmaxOptions", beta=beta), inputs, [output])


def test_softmax_of_every_distance() -> None:
    """Rows of two logits: every entry of the exponentials' table, and every way between entries."""
    lower = np.arange(-(1 << 15), 1 << 15, dtype=np.int16)
    pairs = np.stack([np.full_like(lower, 32767), lower], axis=1)
    for scale in (10.0 / 65535.0, 1e-4):
        assert distinct(assert_bit_exact(softmax(pairs.shape, scale), [[pairs]])) > 5000


@pytest.mark.parametrize("depth", [1, 2, 10, 300])
@pytest.mark.parametrize("scale", [0.0005, 0.02, 1.0, 2.0**-20])
def test_softmax_rows(depth: int, scale: float) -> None:
    assert_bit_exact(softmax((7, depth), scale, beta=0.9))


@pytest.mark.parametrize("depth", [1, 3, 40, 600])
@pytest.mark.parametrize("scale", [0.001, 0.05, 0.3])
def test_softmax_from_int8(depth: int, scale: float) -> None:
    assert distinct(assert_bit_exact(softmax((5, depth), scale, source="int8"))) > (depth > 1)


def test_softmax_of_close_logits_uses_every_reciprocal() -> None:
    rng = np.random.default_rng(0)
    rows: NDArray[np.int16] = rng.integers(-3000, 1, (400, 37)).astype(np.int16)
    assert_bit_exact(softmax(rows.shape, 0.001), [[rows]])


def test_refusals() -> None:
    assert "overflows" in refusal(model("RELU", 1.0, 1e-6, size=4))
    assert "steps of the input's scale" in refusal(model("RELU6", 0.0001, 0.0001, size=4))
    assert "quantized differently" in refusal(model("RELU6", 0.001, 0.002, size=4))
    assert "more than 31 bits" in refusal(model("RSQRT", 1.0, 1e5, size=4))
    assert "output's scale is" in refusal(model("TANH", 1.0, 2.0**-14, size=4))
    assert "outside what the reference" in refusal(model("LOGISTIC", 3.0, 2.0**-15, size=4))
    assert "5 or more" in refusal(softmax((1, 4), 6.0))
    assert "beta is 0" in refusal(softmax((1, 4), 0.1, beta=0.0))
