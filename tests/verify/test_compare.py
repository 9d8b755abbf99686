"""What counts as equal to the oracle's result, to the last bit of the tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcugen.graph.types import DType, Graph
from mcugen.verify.compare import Difference, compare, tolerant_tensors
from tests.plan.hand_made import graph_of, op, tensor


def int8(*values: int) -> NDArray[np.int8]:
    return np.array(values, np.int8)


def real(*values: float) -> NDArray[np.float64]:
    return np.array(values, np.float64)


EQUAL = Difference(True, True, 0, 0.0, 0.0)


@pytest.mark.parametrize("tolerant", [False, True])
def test_equal_bytes_are_equal(tolerant: bool) -> None:
    assert compare(int8(1, -2), int8(1, -2), tolerant=tolerant) == EQUAL
    assert compare(real(np.nan, 0.1), real(np.nan, 0.1), tolerant=tolerant) == EQUAL


@pytest.mark.parametrize(
    "want", [int8(1, 2), int8(1), np.array([[1]], np.int8), np.array([1, 2, 3], np.uint8), real(1, 2, 3)]
)
def test_other_shapes_and_types_cannot_be_compared(want: NDArray[Any]) -> None:
    with pytest.raises(AssertionError, match=r"^outputs int8\(3,\) and .* cannot be compared$"):
        compare(int8(1, 2, 3), want, tolerant=False)


def test_integers_are_compared_element_by_element() -> None:
    assert compare(int8(1, 2, 3, 4), int8(1, 5, 3, 0), tolerant=False) == Difference(False, False, 2, 4.0, 0.0)
    assert compare(int8(-128), int8(127), tolerant=False) == Difference(False, False, 1, 255.0, 0.0)


def test_an_element_differs_once_however_many_of_its_bytes_do() -> None:
    got, want = np.array([[0x0102, 0x0304], [5, 6]], np.int16), np.array([[0x0201, 0x0305], [5, 6]], np.int16)
    assert compare(got, want, tolerant=False) == Difference(False, False, 2, 255.0, 0.0)
    assert compare(got.T, want.T, tolerant=False).differing == 2, "whatever the order in memory"


def test_zeros_of_other_sign_differ_unless_arithmetic_may_round() -> None:
    assert compare(real(0.0, 1.0), real(-0.0, 1.0), tolerant=False) == Difference(False, False, 1, 0.0, 0.0)
    assert compare(real(0.0, 1.0), real(-0.0, 1.0), tolerant=True) == Difference(False, True, 0, 0.0, 0.0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_tolerance_ends_at_a_millionth_and_a_hundred_thousandth(sign: float) -> None:
    assert compare(real(sign * 1e-6), real(0.0), tolerant=True) == Difference(False, True, 0, 1e-6, 1.0)
    found = compare(real(sign * 1.0000001e-6), real(0.0), tolerant=True)
    assert (found.accepted, found.differing) == (False, 1)
    assert found.worst == pytest.approx(1.0000001, rel=1e-12)
    # At 1000 it is 0.01 and the millionth.
    want = real(sign * 1000, sign * 1000)
    near, far = (compare(real(want[0], sign * (1000 + d)), want, tolerant=True) for d in (0.01, 0.010002))
    assert (near.accepted, near.differing) == (True, 0)
    assert near.worst == pytest.approx(0.01 / 0.010001, rel=1e-6)
    assert near.max_abs_diff == pytest.approx(0.01, rel=1e-6)
    assert (far.accepted, far.differing) == (False, 1)


def test_the_tolerance_is_of_the_oracles_number() -> None:
    """Between 999 and 1000, whose tolerances differ by a hundred-thousandth."""
    found = compare(real(0.0), real(1000.0), tolerant=True)
    assert found.worst == pytest.approx(1000 / 0.010001, rel=1e-12)
    found = compare(real(1000.0), real(0.0), tolerant=True)
    assert found.worst == pytest.approx(1e9, rel=1e-12)


@pytest.mark.parametrize(
    ("got", "want"),
    [(np.nan, 1.0), (1.0, np.nan), (np.inf, -np.inf), (np.inf, 3.0), (3.0, np.inf), (np.nan, np.inf), (np.inf, np.nan)],
)
@pytest.mark.parametrize("tolerant", [False, True])
def test_infinities_and_nan_are_like_themselves_alone(got: float, want: float, tolerant: bool) -> None:
    worst = np.inf if tolerant else 0.0
    assert compare(real(got, 1.0), real(want, 1.0), tolerant=tolerant) == Difference(False, False, 1, np.inf, worst)


def test_nan_of_other_bits_is_nan() -> None:
    other = np.array([0x7FF8000000000001], np.uint64).view(np.float64)
    assert compare(other, real(np.nan), tolerant=True) == Difference(False, True, 0, 0.0, 0.0)
    assert compare(other, real(np.nan), tolerant=False) == Difference(False, False, 1, 0.0, 0.0)
    inf = real(np.inf, 1.0)
    assert compare(inf, real(np.inf, 1.0 + 1e-9), tolerant=True).accepted


FLOATS = {0: DType.FLOAT32, 1: DType.FLOAT32, 2: DType.FLOAT32, 3: DType.FLOAT32, 4: DType.INT8, 5: DType.INT32}


def floating(*ops: tuple[str, list[int], list[int]]) -> Graph:
    """t0 … t3 are float32, t4 int8, t5 int32."""
    made = [op(n, inputs, outputs, kind) for n, (kind, inputs, outputs) in enumerate(ops)]
    return graph_of([tensor(i, 2, dtype) for i, dtype in FLOATS.items()], made)


@pytest.mark.parametrize(
    ("ops", "tolerant"),
    [
        ([("TANH", [0], [1])], {1}),
        ([("ADD", [-1, 0], [1])], {1}),
        ([("ADD", [4, 1], [0])], {0}),
        ([("SPLIT", [5, 0], [1, 2])], set()),
        ([("TANH", [0], [1, 4, 2])], {1, 2}),
        ([("DEQUANTIZE", [4], [1])], set()),
        ([("QUANTIZE", [0], [4])], set()),
        ([("ARG_MAX", [0], [5]), ("CAST", [5], [1])], set()),
        ([("RESHAPE", [0, 5], [1])], set()),
        ([("TANH", [0], [1]), ("RESHAPE", [1, 5], [2])], {1, 2}),
        ([("TANH", [0], [1]), ("RESHAPE", [0, 5], [2])], {1}),
        ([("RESHAPE", [0, 5], [1]), ("TANH", [1], [2])], {2}),
        ([("TANH", [0], [1]), ("QUANTIZE", [1], [4]), ("DEQUANTIZE", [4], [2])], {1}),
        ([("READ_VARIABLE", [0], [1])], set()),
        ([("ASSIGN_VARIABLE", [0], [1])], set()),
        ([("TANH", [0], [1]), ("ASSIGN_VARIABLE", [1], [2])], {1, 2}),
        ([("READ_VARIABLE", [0], [1]), ("TANH", [1], [2])], {1, 2}),
        ([("TANH", [0], [1]), ("READ_VARIABLE", [5], [2])], {1, 2}),
        ([("TANH", [0], [1]), ("READ_VARIABLE", [5], [4])], {1}),
        ([("QUANTIZE", [0], [4]), ("READ_VARIABLE", [5], [2])], set()),
    ],
)
def test_what_arithmetic_in_float32_reaches_may_differ(ops: list[Any], tolerant: set[int]) -> None:
    assert tolerant_tensors(floating(*ops)) == tolerant
