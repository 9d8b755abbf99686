"""Pools, reductions, products of matrices, padding and conversions of int16 and int32, bit for bit the oracle's."""

from __future__ import annotations

import numpy as np
import pytest

from mcugen.errors import UnsupportedOpError
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.graph.passes import optimize
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.models_16x8 import int16, pool
from tests.kernels.single_op import Node, TensorSpec, assert_bit_exact, build_graph, build_model, constant, options


def refusal(data: bytes) -> str:
    with pytest.raises(UnsupportedOpError) as caught:
        make_plan(read_graph(data))
    return str(caught.value)


@pytest.mark.parametrize("activation", ["NONE", "RELU6"])
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("kind", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_pools(kind: str, same: bool, activation: str) -> None:
    assert_bit_exact(pool(kind, (2, 7, 6, 5), same, activation))


@pytest.mark.parametrize("axes", [(1, 2), (0,), (-1,), (0, 1, 2, 3)])
@pytest.mark.parametrize("scales", [(0.01, 0.01), (0.01, 0.0001), (2.0**-15, 0.3)])
@pytest.mark.parametrize("kind", ["MEAN", "SUM"])
def test_reductions(kind: str, scales: tuple[float, float], axes: tuple[int, ...]) -> None:
    shape = (3, 4, 5, 6)
    kept = tuple(d for n, d in enumerate(shape) if n not in {a % 4 for a in axes})
    inputs = [int16(shape, scales[0]), constant(np.array(axes, np.int32))]
    assert_bit_exact(build_model(kind, options("ReducerOptions"), inputs, [int16(kept, scales[1])]), 8)


def test_too_large_a_sum_is_refused() -> None:
    inputs = [int16((1 << 16,)), constant(np.array([0], np.int32))]
    assert "overflows" in refusal(build_model("SUM", options("ReducerOptions"), inputs, [int16((), 100.0)]))


@pytest.mark.parametrize("adjoint", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("scale", [0.3, 40.0, 2.0**-6])
def test_batch_matmul(adjoint: tuple[bool, bool], scale: float) -> None:
    first = (2, 1, 7, 4) if adjoint[0] else (2, 1, 4, 7)
    second = (3, 5, 7) if adjoint[1] else (3, 7, 5)
    op_options = options("BatchMatMulOptions", adjX=adjoint[0], adjY=adjoint[1])
    inputs = [int16(first, 0.001), int16(second, 0.002)]
    assert_bit_exact(build_model("BATCH_MATMUL", op_options, inputs, [int16((2, 3, 4, 5), scale)]), 6)


def test_too_small_a_scale_of_a_product_is_refused() -> None:
    inputs = [int16((1, 4, 70), 1.0), int16((1, 70, 4), 1.0)]
    assert "so small" in refusal(build_model("BATCH_MATMUL", options("BatchMatMulOptions"), inputs, [int16((1, 4, 4))]))


PADDINGS = np.array([[0, 1], [2, 0], [1, 3]], np.int32)


@pytest.mark.parametrize("value", [None, 0, -1234])
@pytest.mark.parametrize("dtype", ["int16", "int32"])
def test_pad(dtype: str, value: int | None) -> None:
    scale = 0.01 if dtype == "int16" else None
    inputs = [TensorSpec((2, 3, 4), dtype, scale), constant(PADDINGS)]
    if value is not None:
        inputs.append(constant(np.array([value], dtype), scale))
    output = TensorSpec((3, 5, 8), dtype, scale)
    assert_bit_exact(build_model("PAD" if value is None else "PADV2", None, inputs, [output]))


CONVERSIONS = [
    (("int8", 0.1, -5), ("int16", 0.003, 0)),
    (("int8", 0.1, -5), ("int16", 0.1, 77)),
    (("int8", 0.1, 7), ("int32", 0.0001, 0)),
    (("int16", 0.001, 0), ("int8", 0.2, -128)),
    (("int16", 0.001, 0), ("int8", 0.0001, 3)),
    (("int16", 0.001, 0), ("int16", 0.0004, 0)),
    (("int16", 0.001, 9), ("int16", 0.01, -9)),
    (("int16", 0.001, 0), ("int32", 0.00002, 0)),
    (("int32", 1e-9, 0), ("int8", 0.01, 5)),
    (("int32", 1e-7, 0), ("int16", 0.003, 0)),
    (("int32", 0.5, 0), ("int16", 0.6, 0)),
]


@pytest.mark.parametrize("pair", CONVERSIONS)
def test_quantize(pair: tuple[tuple[str, float, int], tuple[str, float, int]]) -> None:
    source, output = (TensorSpec((500,), *which) for which in pair)
    assert_bit_exact(build_model("QUANTIZE", None, [source], [output]))


@pytest.mark.parametrize(("scale", "zero"), [(0.001, 0), (3.0, 0), (2.0**-15, 0), (0.01, 100)])
def test_between_int16_and_float32(scale: float, zero: int) -> None:
    numbers, reals = TensorSpec((900,), "int16", scale, zero), TensorSpec((900,), "float32")
    assert_bit_exact(build_model("QUANTIZE", None, [reals], [numbers]), 6)
    assert_bit_exact(build_model("DEQUANTIZE", None, [numbers], [reals]), 6)


def test_conversions_of_constants_are_folded() -> None:
    data = np.arange(-300, 300, dtype=np.int16) * 100
    for made in (TensorSpec((600,), "int16", 0.003), TensorSpec((600,), "int8", 0.3, 4)):
        source = constant(data, 0.001)
        output = TensorSpec(made.shape, made.dtype, made.scale, made.zero_point)
        given = TensorSpec((600,), made.dtype, made.scale, made.zero_point)
        op_options = options("MaximumMinimumOptions")
        nodes = [Node("QUANTIZE", None, [source], [made]), Node("MAXIMUM", op_options, [made, given], [output])]
        model = build_graph(nodes, [output])
        assert [op.kind for op in optimize(read_graph(model)).ops] == ["MAXIMUM"]
        assert_bit_exact(model, optimized=True)


def test_conversions_that_overflow_are_refused() -> None:
    for source, output in (
        (("int16", 1.0, 0), ("int32", 1e-5, 0)),
        (("int32", 1.0, 0), ("int16", 0.3, 0)),
        (("int32", 0.1, 3), ("int16", 0.3, 0)),
    ):
        made = build_model("QUANTIZE", None, [TensorSpec((4,), *source)], [TensorSpec((4,), *output)])
        assert "overflow" in refusal(made)


CASTS = [
    (source, output)
    for source in ("int8", "int16", "int32", "bool")
    for output in ("int8", "int16", "int32", "float32")
    if source != output and (source, output) != ("bool", "int8")  # those are the same bytes
]


@pytest.mark.parametrize(("source", "output"), CASTS)
def test_cast(source: str, output: str) -> None:
    assert_bit_exact(build_model("CAST", None, [TensorSpec((300,), source)], [TensorSpec((300,), output)]))
