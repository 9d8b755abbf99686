"""Tables by their meaning. That they equal the oracle bit for bit is proved in tests/kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mcugen.graph.types import DType
from mcugen.numerics import tables

VALUES = np.arange(-128, 128)


def signed(table: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """An int8 table's outputs in the order of its inputs −128 … 127."""
    return table[VALUES & 255].view(np.int8).astype(int)


def test_functions_are_close_to_real_ones() -> None:
    reals = (VALUES - 3) * 0.05
    np.testing.assert_allclose(signed(tables.logistic_table(0.05, 3)) + 128, 256 / (1 + np.exp(-reals)), atol=0.51)
    np.testing.assert_allclose(signed(tables.tanh_table(0.05, 3)), 128 * np.tanh(reals).clip(-1, 127 / 128), atol=0.51)
    np.testing.assert_allclose(
        signed(tables.relu_table((0.05, 0.06), (3, -128))) + 128, reals.clip(0) / 0.06, atol=0.51
    )
    assert signed(tables.relu6_table(0.05, 3)).min() == 3
    assert signed(tables.relu6_table(0.05, 3)).max() == 123


def test_requantize_uses_the_raw_byte_as_index() -> None:
    table = tables.requantize_table(DType.INT8, DType.UINT8, (0.5, 0.5), (0, 128))
    assert table[0] == 128
    assert table[255] == 127  # int8 −1
    assert table[128] == 0  # int8 −128


@pytest.mark.parametrize("scale", [2.0**-25, 0.001, 0.1, 1.0, 20.0])
def test_softmax_table(scale: float) -> None:
    """Falls, starts at 1, and ends where nothing is left, or at distance 255."""
    table = tables.softmax_exp_table(1.0, scale).astype(float) / 2**31
    assert 1 <= len(table) <= 256
    np.testing.assert_allclose(table, np.exp(-scale * np.arange(len(table))), atol=4e-7)
    assert (np.diff(table) < 0).all()
    if len(table) < 256:
        assert math.exp(-scale * len(table)) < 2.0**-19


def test_out_of_range() -> None:
    for call in (
        lambda: tables.softmax_exp_table(1.0, 2.0**-26),
        lambda: tables.softmax_exp_table(float("nan"), 0.1),
        lambda: tables.logistic_table(2.0**-29, 0),
        lambda: tables.tanh_table(2.0**35, 0),
        lambda: tables.relu6_table(1e-10, 0),
        lambda: tables.relu_table((1.0, 1e-9), (0, 0)),
        lambda: tables.requantize_table(DType.INT8, DType.INT8, (1.0, 1e-40), (0, 0)),
    ):
        with pytest.raises(
            OverflowError, match=r"does not fit 32 bits|is not above|outside what the reference can shift by"
        ):
            call()
