"""AVERAGE_POOL_2D and MAX_POOL_2D in generated C against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.errors import UnsupportedOpError
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.single_op import TensorSpec, assert_bit_exact, build_model, options
from tests.kernels.weighted_models import ACTIVATIONS, distinct, output_size

KINDS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")


def pool_model(
    kind: str,
    image: tuple[int, int, int, int],
    filters: tuple[int, int],
    *,
    stride: tuple[int, int] = (1, 1),
    same: bool = False,
    activation: str = "NONE",
    scale: float = 0.05,
    zero_point: int = 3,
    output_scale: float | None = None,
) -> bytes:
    rows = output_size(image[1], filters[0], stride[0], 1, same)
    columns = output_size(image[2], filters[1], stride[1], 1, same)
    op_options = options(
        "Pool2DOptions",
        padding=0 if same else 1,
        strideH=stride[0],
        strideW=stride[1],
        filterHeight=filters[0],
        filterWidth=filters[1],
        fusedActivationFunction=ACTIVATIONS[activation],
    )
    source = TensorSpec(image, scale=scale, zero_point=zero_point)
    output = TensorSpec((image[0], rows, columns, image[3]), scale=output_scale or scale, zero_point=zero_point)
    return build_model(kind, op_options, [source], [output])


SHAPES = {
    "2x2": ((1, 6, 8, 4), (2, 2), {"stride": (2, 2)}),
    "2x2, odd image, valid": ((1, 7, 5, 3), (2, 2), {"stride": (2, 2)}),
    "2x2, odd image, same": ((1, 7, 5, 3), (2, 2), {"stride": (2, 2), "same": True}),
    "3x3 same": ((1, 6, 7, 5), (3, 3), {"same": True}),
    "stride 2, padding asymmetric": ((1, 8, 8, 3), (3, 3), {"stride": (2, 2), "same": True}),
    "strides differ": ((1, 9, 8, 2), (2, 3), {"stride": (3, 1)}),
    "the whole image": ((1, 25, 5, 8), (25, 5), {}),
    "filter larger than input": ((1, 2, 3, 4), (5, 7), {"same": True}),
    "1x1 filter": ((1, 3, 4, 5), (1, 1), {}),
    "1x1 filter, stride": ((1, 7, 4, 5), (1, 1), {"stride": (2, 3), "same": True}),
    "1x1 input": ((1, 1, 1, 7), (3, 3), {"same": True}),
    "one channel": ((1, 5, 5, 1), (2, 2), {}),
    "batch 2": ((2, 5, 4, 3), (3, 2), {"stride": (2, 1), "same": True}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str, kind: str) -> None:
    image, filters, settings = SHAPES[name]
    assert distinct(assert_bit_exact(pool_model(kind, image, filters, **settings), 8)) > 5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("zero_point", [-128, -7, 127])
@pytest.mark.parametrize("activation", ["RELU", "RELU6", "RELU_N1_TO_1"])
def test_activations(kind: str, zero_point: int, activation: str) -> None:
    assert_bit_exact(pool_model(kind, (1, 5, 5, 6), (2, 2), activation=activation, zero_point=zero_point), 8)


def test_averages_round_half_away_from_zero() -> None:
    """Every sum of two values, and so every tie of both signs."""
    values = np.arange(-128, 128, dtype=np.int8)
    image = np.stack(np.meshgrid(values, values[::7]), axis=-1).reshape(1, -1, 2, 1).astype(np.int8)
    model = pool_model("AVERAGE_POOL_2D", image.shape, (1, 2), stride=(1, 2))
    assert_bit_exact(model, [[image]])


@pytest.mark.parametrize("kind", KINDS)
def test_no_undefined_behaviour(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    model = pool_model(kind, (2, 5, 4, 3), (3, 4), stride=(2, 3), same=True)
    assert_bit_exact(model, flags=("-O1", "-fsanitize=undefined"))
    assert "runtime error" not in capfd.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_nearly_equal_scales_are_the_same(kind: str) -> None:
    assert_bit_exact(pool_model(kind, (1, 4, 4, 2), (2, 2), scale=0.05, output_scale=0.0500005))


@pytest.mark.parametrize("kind", KINDS)
def test_different_scales_are_refused(kind: str) -> None:
    model = pool_model(kind, (1, 4, 4, 2), (2, 2), scale=0.05, output_scale=0.051)
    with pytest.raises(UnsupportedOpError, match=r"the input has scale 0\.05.* the output 0\.05"):
        make_plan(read_graph(model))
