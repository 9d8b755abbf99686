"""Integer ops of which TFLM has one type or two: DIV, ADD_N, CUMSUM, bools, DYNAMIC_UPDATE_SLICE."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from mcugen.errors import UnsupportedOpError
from mcugen.runtimes.aot.graph import read_graph
from mcugen.runtimes.aot.plan import make_plan
from tests.kernels.single_op import TensorSpec, assert_bit_exact, build_model, constant, options, oracle
from tests.kernels.weighted_models import ACTIVATIONS, distinct


def refusal(data: bytes) -> str:
    with pytest.raises(UnsupportedOpError) as caught:
        make_plan(read_graph(data))
    return str(caught.value)


def div(
    scales: tuple[float, float, float], zeros: tuple[int, int, int], activation: str = "NONE", shape: Any = (255, 256)
) -> bytes:
    tensors = [TensorSpec(shape, "int8", scale, zero) for scale, zero in zip(scales, zeros, strict=True)]
    op_options = options("DivOptions", fusedActivationFunction=ACTIVATIONS[activation])
    return build_model("DIV", op_options, tensors[:2], tensors[2:])


@pytest.mark.parametrize("zeros", [(0, 0, 0), (-128, -128, -128), (5, -7, 11), (126, 127, -20)])
@pytest.mark.parametrize("scales", [(0.1, 0.002, 0.1), (1.0, 0.01, 1.0), (0.013, 0.00005, 0.3), (1.0, 1.0, 2.0**-15)])
def test_div_of_every_pair(scales: tuple[float, float, float], zeros: tuple[int, int, int]) -> None:
    every = np.arange(-128, 128)
    divisors = every[every != zeros[1]]
    pairs = np.array(list(product(divisors, every)), np.int8)
    expected = assert_bit_exact(div(scales, zeros), [[pairs[:, 1].reshape(255, 256), pairs[:, 0].reshape(255, 256)]])
    assert distinct(expected) > 2


def test_div_broadcasts_and_clamps() -> None:
    op_options = options("DivOptions", fusedActivationFunction=ACTIVATIONS["RELU6"])
    first, output = TensorSpec((3, 5), "int8", 0.1, 3), TensorSpec((3, 5), "int8", 0.05, -9)
    divisor = constant(np.array([4, -60, 90, 3, -128], np.int8), 0.001, 2)
    assert_bit_exact(build_model("DIV", op_options, [first, divisor], [output]))


def test_a_quotient_by_zero_is_as_large_as_it_can_be() -> None:
    from mcugen.runtimes.aot.emit.host import HostModel

    with HostModel(make_plan(read_graph(div((0.1, 0.002, 0.1), (0, 3, 1), shape=(3,))))) as host:
        (result,) = host.run([np.array([5, -5, 0], np.int8), np.full(3, 3, np.int8)])
    assert result.tolist() == [127, -128, 1]


def test_refusals_of_div() -> None:
    assert "shifts by 3" in refusal(div((0.1, 1.0, 0.1), (0, 0, 0)))
    assert "shifts by -" in refusal(div((1e4, 0.0001, 0.001), (0, 0, 0)))
    inputs = [TensorSpec((2,), "int8", 0.1), constant(np.array([1, 3], np.int8), 0.001, 3)]
    assert "divides by 0" in refusal(build_model("DIV", options("DivOptions"), inputs, [TensorSpec((2,), "int8", 0.1)]))


@pytest.mark.parametrize("count", [2, 3, 8])
@pytest.mark.parametrize(("scale", "zero"), [(0.1, 0), (0.7, -128), (0.013, 100), (1e-5, 0)])
def test_add_n(count: int, scale: float, zero: int) -> None:
    inputs = [TensorSpec((4, 7), "int8", 0.1) for _ in range(count)]
    assert_bit_exact(build_model("ADD_N", options("AddNOptions"), inputs, [TensorSpec((4, 7), "int8", scale, zero)]))


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize(("exclusive", "reverse"), [(False, False), (True, False), (False, True), (True, True)])
def test_cumsum(axis: int, exclusive: bool, reverse: bool) -> None:
    inputs = [TensorSpec((5, 4, 31), "int8", 0.1), constant(np.array([axis], np.int32))]
    op_options = options("CumsumOptions", exclusive=exclusive, reverse=reverse)
    assert_bit_exact(build_model("CUMSUM", op_options, inputs, [TensorSpec((5, 4, 31), "int8", 0.9, 12)]))


def test_sums_that_the_reference_gets_wrong_are_refused() -> None:
    shifted = [TensorSpec((4,), "int8", 0.1, 20) for _ in range(2)]
    output = TensorSpec((4,), "int8", 0.1)
    model = build_model("ADD_N", options("AddNOptions"), shifted, [output])
    (result,) = oracle(model, [[np.full(4, 20, np.int8)] * 2])[0]
    assert result.tolist() == [-20] * 4, "the sum of zeros"
    assert "zero point is 20" in refusal(model)
    long = [TensorSpec((32,), "int8", 0.1), constant(np.array([0], np.int32))]
    made = build_model("CUMSUM", options("CumsumOptions"), long, [TensorSpec((32,), "int8", 0.1)])
    assert "32 elements" in refusal(made)
    different = [TensorSpec((4,), "int8", 0.1), TensorSpec((4,), "int8", 0.2)]
    assert "quantized differently" in refusal(build_model("ADD_N", options("AddNOptions"), different, [output]))


def bools(*shape: int) -> TensorSpec:
    return TensorSpec(shape, "bool")


@pytest.mark.parametrize("axes", [(0,), (1, 2), (-1,), (0, 1, 2)])
def test_reduce_all(axes: tuple[int, ...]) -> None:
    kept = tuple(d for n, d in enumerate((3, 4, 5)) if n not in {a % 3 for a in axes})
    inputs = [bools(3, 4, 5), constant(np.array(axes, np.int32))]
    model = build_model("REDUCE_ALL", options("ReducerOptions"), inputs, [bools(*kept)])
    mostly = np.random.default_rng(0).random((20, 3, 4, 5)) < 0.9
    assert distinct(assert_bit_exact(model, [[sample] for sample in (*mostly, mostly[0] | True)])) == 2


@pytest.mark.parametrize("kind", ["EQUAL", "NOT_EQUAL"])
def test_comparisons_of_bools(kind: str) -> None:
    op_options = options("EqualOptions" if kind == "EQUAL" else "NotEqualOptions")
    assert_bit_exact(build_model(kind, op_options, [bools(6, 9), bools(9)], [bools(6, 9)]))


def test_comparisons_that_the_reference_does_not_do_are_refused() -> None:
    assert "is bool, not int8" in refusal(build_model("LESS", options("LessOptions"), [bools(3), bools(3)], [bools(3)]))
    wide = [TensorSpec((3,), "int16", 0.1), TensorSpec((3,), "int16", 0.1)]
    assert "is int16, not int8" in refusal(build_model("GREATER", options("GreaterOptions"), wide, [bools(3)]))


def test_concatenation_of_bools() -> None:
    op_options = options("ConcatenationOptions", axis=1)
    assert_bit_exact(build_model("CONCATENATION", op_options, [bools(3, 2), bools(3, 4)], [bools(3, 6)]))


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32"])
@pytest.mark.parametrize("start", [(1, 0, 2), (-5, 9, 1), None])
def test_dynamic_update_slice(dtype: str, start: tuple[int, ...] | None) -> None:
    scale = 0.1 if dtype in ("int8", "int16") else None
    source, update = TensorSpec((3, 4, 5), dtype, scale), TensorSpec((2, 1, 3), dtype, scale)
    indices = TensorSpec((3,), "int32") if start is None else constant(np.array(start, np.int32))
    output = TensorSpec((3, 4, 5), dtype, scale)
    op_options = options("DynamicUpdateSliceOptions")
    model = build_model("DYNAMIC_UPDATE_SLICE", op_options, [source, update, indices], [output])
    assert distinct(assert_bit_exact(model, 6)) > 2
